"""What the comparisons with other programs share: options, and runs that come before everything else."""
import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAST_ROUNDS = 7


def refuse(text):
    sys.exit(f"[{pathlib.Path(sys.argv[0]).name}] {text}")


def parser(description, peer):
    """With the options that every comparison has; `peer` is the program's file in --peers."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--peers", type=pathlib.Path, required=True, help=f"folder of {peer} and quiet.py")
    options.add_argument("--fraqat", type=pathlib.Path, default=ROOT / "build/tools/fraqat")
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help=f"at least {LEAST_ROUNDS}")
    options.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else")
    return options


def check(options, peer):
    """Says what is missing before anything is measured."""
    if options.rounds < LEAST_ROUNDS:
        refuse(f"too few rounds: got {options.rounds}; expected {LEAST_ROUNDS} or more")
    for path in (options.peers / peer, options.peers / "quiet.py", options.fraqat):
        if not path.is_file():
            refuse(f"no {path}; try --peers DIR, or `ninja -C build tools/fraqat`")


def output(options, command, environment=None):
    """What `command` prints, run with priority over other programs."""
    quiet = [sys.executable, str(options.peers / "quiet.py")]
    done = subprocess.run(quiet + [str(part) for part in command], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": str(options.threads), **(environment or {})})
    if done.returncode or not done.stdout:
        refuse(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
