#!/usr/bin/env python3
"""tools/compare-torch and tools/compare-onednn, with stand-ins for the programs they measure."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import program

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"

# Runs what it is given, as quiet.py does.
QUIET = "import subprocess, sys\nsys.exit(subprocess.run(sys.argv[1:]).returncode)\n"

# Each call takes a millisecond longer than the one before, so that a median can be told from the rest.
CLOCK = """import json, pathlib, sys
count = pathlib.Path(__file__).with_suffix(".calls")
n = len(count.read_text()) if count.exists() else 0
count.write_text("x" * (n + 1))
"""
FRAQAT = "#!/usr/bin/env python3\n" + CLOCK + 'print(json.dumps({"ms": 10.0 + n}))\n'
TORCH = CLOCK + """layouts = sys.argv[sys.argv.index("--layout") + 1].split(",")
for layout in layouts:
    print("# a remark")
    print(json.dumps({"layout": layout, "ms": (40.0 if layout == "nchw" else 20.0) + 2 * n}))
"""
PYTHON = "#!/bin/sh\n[ \"$1\" = -c ] && exit {}\nexec python3 \"$@\"\n"


def compare(tool, *arguments):
    return subprocess.run([sys.executable, TOOLS / tool, *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, env=program.environment())


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.peers = pathlib.Path(self.folder.name)
        self.put("quiet.py", QUIET)
        self.put("peer_torch.py", TORCH)
        self.put("peer_onednn.cpp", "this is no program\n")
        self.fraqat = self.put("fraqat", FRAQAT)
        self.python = self.put("python", PYTHON.format(0))

    def put(self, name, text):
        path = self.peers / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def torch(self, *arguments):
        return compare("compare-torch", "--peers", self.peers, "--fraqat", self.fraqat, "--python", self.python,
                       *arguments)

    def refused(self, result, text):
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "")
        self.assertIn(text, result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_ratio_is_the_median_of_rounds_against_the_better_layout(self):
        result = self.torch("--model", "lenet5", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        found = json.loads(result.stdout)["results"][0]
        # Rounds n = 0 to 6: fraqat 10 + n, PyTorch 20 + 2 n in its better layout, 40 + 2 n in the other.
        self.assertEqual(found["ratio"], 2)
        self.assertEqual(found["fraqat_ms"], 13)
        self.assertEqual(found["torch_ms"], 26)
        self.assertAlmostEqual(found["ratios"]["nchw"], 46 / 13)
        self.assertEqual(len(found["rounds"]), 7)

    def test_table_has_a_line_for_each_model(self):
        result = self.torch("--model", "mlp,cnn-32-64")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["model", "mlp", "cnn-32-64"])
        self.assertTrue(lines[1].endswith("-"))  # the MLP has no images, hence one layout

    def test_refusals(self):
        self.refused(self.torch("--model", "alexnet"), "unknown model: got alexnet; expected one of lenet5, mlp")
        self.refused(self.torch("--rounds", 3), "too few rounds: got 3; expected 7 or more")
        self.refused(compare("compare-torch", "--peers", self.peers / "none"), "peer_torch.py; try --peers DIR")
        self.refused(compare("compare-onednn", "--peers", self.peers / "none"), "peer_onednn.cpp; try --peers DIR")
        self.put("python", PYTHON.format(1))
        self.refused(self.torch(), "has no torch; try `apt-get install python3-torch")

    def test_peer_that_cannot_be_compiled_or_fails(self):
        self.refused(compare("compare-onednn", "--peers", self.peers, "--fraqat", self.fraqat), "no oneDNN")
        self.put("peer_torch.py", "import sys\nsys.exit('out of memory')\n")
        self.refused(self.torch("--model", "mlp"), "failed: out of memory")


if __name__ == "__main__":
    program.main()
