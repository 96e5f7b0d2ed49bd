#!/usr/bin/env python3
"""A sweep from end to end: listed, killed, gone on with, read."""

import json
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import program
from program import run, run_json

SWEEP = """
name = "tiny"
recipe = "lenet5-fashion"
seeds = [1, 2]

[set]
model = "mlp"
data = { name = "synthetic", batch = 32, train_limit = 320, test_limit = 100 }
quant.calibration_batches = 2
float.epochs = 1
search.epochs = 1
finetune = { epochs = 1, reestimate_batches = 2 }
baselines.uniform = []

[[grid]]
name = "uniform {bits}"
[grid.set]
quant.weight = { bits = "fixed", average_bits = 0 }
quant.activation = { bits = "fixed", average_bits = 0 }
[grid.over]
bits = { keys = ["quant.weight.start", "quant.activation.start"], values = [3, 2] }

[[row]]
name = "learned at 2.5"
"""


def without_times(folder):
    found = json.loads((folder / "sweep.json").read_text())
    for row in found["rows"]:
        del row["seconds"]
    return found


class Sweep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.file = cls.folder / "tiny.toml"
        cls.file.write_text(SWEEP)
        cls.whole = cls.folder / "whole"
        begin = time.monotonic()
        cls.result = run("sweep", str(cls.file), "--out", str(cls.whole), OMP_NUM_THREADS="1")
        cls.seconds = time.monotonic() - begin

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)

    def sweep(self, out, *more, **options):
        return run("sweep", str(self.file), "--out", str(self.folder / out), *more, **options)

    def test_table_progress_and_files(self):
        for word in ("uniform 3", "learned at 2.5", "over the line", "6 of 6 runs finished", "\u00b1"):
            self.assertIn(word, self.result.stdout)
        for word in ("run 1 of 8: float, seed 1", "run 8 of 8: learned at 2.5, seed 2; all: ETA"):
            self.assertIn(word, self.result.stderr)
        for name in ("sweep.json", "table.md", "front.svg", "sweep.html",
                     "learned-at-2.5/seed-2/run.json", "learned-at-2.5/seed-2/report.html"):
            self.assertTrue((self.whole / name).is_file(), name)
        again = run_json(self, "sweep", str(self.file), "--out", str(self.whole))
        self.assertEqual(again, json.loads((self.whole / "sweep.json").read_text()))
        self.assertEqual([row["name"] for row in again["rows"]],
                         ["float", "uniform 3", "uniform 2", "learned at 2.5"])
        for row in again["rows"][1:]:
            self.assertTrue(row["verified"])
            for seed, value, digits in zip(row["seeds"], row["accuracy"]["values"], row["hashes"]):
                folder = self.whole / row["name"].replace(" ", "-") / f"seed-{seed}"
                found = json.loads((folder / "run.json").read_text())
                self.assertEqual((found["accuracy"], found["hash"]), (value, digits))
        uniform = {row["name"]: row for row in again["rows"]}
        for i in range(2):  # the straight line, once more
            low, high, mine = (uniform[name] for name in
                               ("uniform 2", "uniform 3", "learned at 2.5"))
            share = ((mine["bytes"]["mean"] - low["bytes"]["mean"]) /
                     (high["bytes"]["mean"] - low["bytes"]["mean"]))
            line = [a + share * (b - a) for a, b in
                    zip(low["accuracy"]["values"], high["accuracy"]["values"])]
        over = [a - b for a, b in zip(mine["accuracy"]["values"], line)]
        self.assertAlmostEqual(mine["over_line"]["mean"], sum(over) / 2)
        report = run("report", str(self.whole / "learned-at-2.5/seed-1"))
        self.assertEqual(report.returncode, 0, report.stderr)

    def test_killed_it_goes_on(self):
        out, kills = self.folder / "killed", 0
        arguments = ["sweep", str(self.file), "--out", str(out), "--quiet"]
        while kills < 5:
            process = subprocess.Popen([program.PROGRAM, *arguments], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE,
                                       env=program.environment(OMP_NUM_THREADS=str(1 + kills % 2)))
            time.sleep(self.seconds / 6)
            process.kill()
            process.communicate()
            kills += 1
            if process.returncode == 0:
                break
        self.assertGreater(kills, 1)
        result = self.sweep("killed", "--threads", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(without_times(out), without_times(self.whole))
        result = self.sweep("killed")
        self.assertNotIn("run 1 of", result.stderr)

    def test_a_dry_run_lists_and_trains_nothing(self):
        found = run_json(self, "sweep", str(self.file), "--out", str(self.whole), "--dry-run",
                         "--seeds", "2,3")
        self.assertEqual([(one["row"], one["seed"], one["state"]) for one in found["runs"]],
                         [("uniform 3", 2, "finished"), ("uniform 2", 2, "finished"),
                          ("learned at 2.5", 2, "finished"), ("uniform 3", 3, "missing"),
                          ("uniform 2", 3, "missing"), ("learned at 2.5", 3, "missing")])
        self.assertEqual(found["runs"][1]["settings"]["quant.weight.start"], "2")
        result = self.sweep("nothing", "--dry-run", "--rows", "uniform*")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("quant.weight.start = 3", result.stdout)
        self.assertNotIn("learned", result.stdout)
        self.assertFalse((self.folder / "nothing").exists())
        result = self.sweep("nothing", "--dry-run", "--rows", "unifrom*")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("no such row", result.stderr)

    def test_a_grid_without_a_file(self):
        found = run_json(self, "sweep", "--recipe", "lenet5-fashion", "--grid",
                         "quant.weight.bits=level,stochastic", "--grid", "search.rate=0.01,0.02",
                         "--dry-run")
        self.assertEqual([one["row"] for one in found["runs"]],
                         [f"bits {bits}, rate {rate}"
                          for bits in ("level", "stochastic") for rate in ("0.01", "0.02")])
        for wrong in (["--recipe", "lenet5-fashion"], ["--grid", "search.rate=1"],
                      [str(self.file), "--grid", "search.rate=1"], []):
            result = run("sweep", *wrong)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("expected SWEEP, or --recipe and --grid", result.stderr)

    def test_some_rows_first(self):
        result = self.sweep("some", "--rows", "learned*", "--seed", "2", "--json", "--quiet")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        found = json.loads(result.stdout)
        self.assertEqual(found["runs"], {"finished": 1, "of": 3})
        self.assertEqual([row["name"] for row in found["rows"]], ["float", "learned at 2.5"])
        whole = json.loads((self.whole / "sweep.json").read_text())
        self.assertEqual(found["rows"][1]["hashes"], whole["rows"][3]["hashes"][1:])

    def test_what_does_not_fit_is_refused(self):
        result = self.sweep("whole", "--set", "search.epochs=2")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("holds the run of another recipe: search.epochs is 1 there; expected 2; try",
                      result.stderr)
        for seeds in ("1,x", "1,1", "9223372036854775808"):
            result = self.sweep("whole", "--seeds", seeds)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn(f'got "{seeds}"; expected different whole numbers', result.stderr)
        result = run("sweep", "--recipe", "lenet5-fashion", "--grid", "search.rate=0.1",
                     "--grid", "search.rate=0.2", "--dry-run")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn('--grid names a key twice: got "search.rate"', result.stderr)
        self.assertEqual(self.sweep("whole", "--rows", "none").returncode, 2)
        self.assertEqual(run("sweep", "no-such-sweep").returncode, 2)
        bad = self.folder / "bad.toml"
        bad.write_text(SWEEP.replace("values = [3, 2]", "values = [3, 9]"))
        result = run("sweep", str(bad), "--out", str(self.folder / "bad"))
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn("bad.toml:21: row \"uniform 9\": quant.weight.start: got 9; expected a number "
                      "from 1 to 8", result.stderr)
        self.assertFalse((self.folder / "bad").exists())


if __name__ == "__main__":
    program.main()
