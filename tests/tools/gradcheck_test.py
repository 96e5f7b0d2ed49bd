#!/usr/bin/env python3
"""What `fraqat-gradcheck` promises: gradcheck_test.py PROGRAM

Every op is proven, the exit code tells, --json is one object, a wrong name lists the right ones.
"""

import json
import subprocess
import sys

PROGRAM = sys.argv[1]


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


CHECKED = 0


def expect(condition, what):
    global CHECKED
    CHECKED += 1
    if not condition:
        sys.exit(f"gradcheck: {what}\n{CHECKED - 1} passed, 1 failed")


code, out, err = run("--op", "clip", "--op", "add")
rows = [line.split() for line in out.splitlines()]
expect(code == 0, f"--op clip --op add: exit {code}: {err}")
expect(rows[0] == ["op", "elements", "compared", "worst", "error", "ok"], f"heading {rows[0]}")
expect([row[0] for row in rows[1:]] == ["clip", "add"], f"other ops than asked for: {rows}")
expect(all(int(row[1]) > 0 and float(row[2]) <= 1e-6 and row[3] == "yes" for row in rows[1:]),
       f"not proven: {rows}")

code, out, err = run("--op", "no_such_op", "--json")
expect(code == 2 and out == "", f"an unknown op: exit {code}, stdout {out!r}")
expect("got no_such_op" in err and "softmax_cross_entropy" in err and "fake_quant" in err,
       f"an unknown op is answered with: {err}")

code, out, err = run("--no-such-option")
expect(code == 2 and out == "", f"an unknown option: exit {code}, stdout {out!r}")

code, out, err = run("--json")
report = json.loads(out)
unproven = [op["op"] for op in report["ops"] if not op["ok"] or op["elements_compared"] == 0]
expect(len(report["ops"]) > 20, f"only {len(report['ops'])} ops")
expect(not unproven and report["ok"] and code == 0, f"exit {code}, not proven: {unproven}\n{err}")
print(f"{CHECKED} passed, 0 failed")
