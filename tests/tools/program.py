"""Runs the program `fraqat` for the tests: its path is the first argument."""

import json
import os
import pty
import struct
import subprocess
import sys
import unittest
import zlib

PROGRAM = ""

CHANGES_OUTPUT = ("FRAQAT_DATA", "FRAQAT_ISA", "OPENBLAS_CORETYPE", "NO_COLOR", "LC_ALL", "LC_CTYPE",
                  "LANG")


def environment(**changes):
    """Without the variables that change what the program prints or finds."""
    kept = {name: value for name, value in os.environ.items() if name not in CHANGES_OUTPUT}
    return {**kept, "TERM": "xterm", **changes}


def run(*arguments, timeout=120, cwd=None, **changes):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=timeout,
                          errors="surrogateescape", cwd=cwd, env=environment(**changes))


def run_json(test, *arguments, **options):
    """The one object on stdout of a run with --json that ends well."""
    result = run(*arguments, "--json", **options)
    test.assertEqual(result.returncode, 0, result.stderr)
    found = json.loads(result.stdout)
    test.assertIsInstance(found, dict)
    return found


def on_terminal(*arguments, **changes):
    """Exit code and everything printed, stdout and stderr being one terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(PROGRAM, [PROGRAM, *arguments], environment(**changes))
    seen = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        seen += block
    status = os.waitpid(child, 0)[1]
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), seen.decode(errors="replace")


def write_png(path, width, height, pixels):
    """A gray PNG of 8 bits."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + bytes(pixels[y * width:(y + 1) * width]) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
                   chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def main():
    global PROGRAM
    # The tests import this file as `program`; there is one path for all.
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(module="__main__")
