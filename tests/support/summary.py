"""summary.py NAME=LOG...: one line a suite from Meson's testlog.json, then the sum.

A doctest or unittest suite counts its cases; any other suite ends its output with a line
"N passed, M failed".  A suite that shows neither has proved nothing and fails,
but for one that Meson expects to fail (a planted error).
A line "skipped: NAME" anywhere is a case that could not run here.
"""

import json
import re
import sys
from pathlib import Path

UNIT_SECONDS = 30


def count(entry):
    """(passed, failed, names of skipped) of one suite."""
    output = entry.get("stdout", "") + entry.get("stderr", "")
    skipped = re.findall(r"^skipped: (.+)$", output, re.M)
    if entry["result"] == "SKIP":
        return 0, 0, skipped or [entry["name"]]
    if entry["result"] == "EXPECTEDFAIL":
        return 1, 0, skipped
    passed = failed = 0
    for match in re.finditer(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed", output):
        passed, failed = passed + int(match[2]), failed + int(match[3])
    for match in re.finditer(r"^(\d+) passed, (\d+) failed", output, re.M):
        passed, failed = passed + int(match[1]), failed + int(match[2])
    for match in re.finditer(r"^Ran (\d+) tests?", output, re.M):  # python3's unittest
        wrong = sum(map(int, re.findall(r"(?:failures|errors)=(\d+)", output)))
        passed, failed = passed + int(match[1]) - wrong, failed + wrong
    if entry["result"] != "OK" or passed + failed == 0:
        failed = max(failed, 1)
    return passed, failed, skipped


def report(label, entry):
    passed, failed, skipped = count(entry)
    name = entry["name"].split(" / ")[-1]
    verdict = "FAILED" if failed else "ok"
    print(f"{label + name:32} {passed:5} passed {failed:3} failed {entry['duration']:7.1f} s  {verdict}")
    if failed:
        print(f"  command: {' '.join(entry['command'])}")
        text = (entry.get("stdout", "") + entry.get("stderr", "")).strip()
        if passed + failed == 1 and not text:
            text = "no output: no case ran"
        print("\n".join("  | " + line for line in text.splitlines()[-60:]))
    return passed, failed, skipped


def main():
    total_passed = total_failed = 0
    total_skipped, unit_seconds = [], 0.0
    for argument in sys.argv[1:]:
        label, log = argument.split("=", 1)
        lines = Path(log).read_text().splitlines() if Path(log).exists() else []
        if not lines:
            print(f"{label or 'build'}: no suite ran")
            total_failed += 1
        for entry in map(json.loads, lines):
            passed, failed, skipped = report(label, entry)
            total_passed, total_failed = total_passed + passed, total_failed + failed
            total_skipped += skipped
            if not label and ":system" not in entry["name"]:
                unit_seconds += entry["duration"]
    limit = "" if unit_seconds < UNIT_SECONDS else f"; more than {UNIT_SECONDS} s"
    print(f"unit suites: {unit_seconds:.1f} s{limit}")
    if total_skipped:
        print("skipped: " + "; ".join(dict.fromkeys(total_skipped)))
    ending = f", {len(total_skipped)} skipped" if total_skipped else ""
    print(f"{total_passed} passed, {total_failed} failed{ending}")
    return 1 if total_failed else 0


if __name__ == "__main__":
    sys.exit(main())
