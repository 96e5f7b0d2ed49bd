#!/usr/bin/env python3
"""A run that is cut again and again ends with the same bytes as one that is not."""

import json
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import program
from program import run, run_json
from run_test import train

# Every kind of stretch, epochs short enough that a cut falls into any of them.
RECIPE = {"data.batch": "20", "data.train_limit": "400", "float.epochs": "2", "search.epochs": "2",
          "finetune.epochs": "2", "baselines.random": "1", "quant.activation.bits": "logits-gumbel",
          "quant.weight.range": "mse"}
KILLS = 20


def times_apart(line):
    return {key: value for key, value in line.items()
            if key not in ("seconds", "samples_per_second")}


def metrics(folder):
    return [times_apart(json.loads(line))
            for line in (folder / "metrics.jsonl").read_text().splitlines()]


def start(arguments, threads):
    return subprocess.Popen(
        [program.PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=program.environment(OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY="passive"))


def changed(path):
    return path.stat().st_mtime_ns if path.exists() else 0


class Resume(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.whole = cls.folder / "whole"
        begin = time.monotonic()
        cls.result = run(*train(cls.whole, "--quiet", changes=RECIPE))
        cls.seconds = time.monotonic() - begin

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)

    def check_same(self, out):
        for name in ("recipe.toml", "model.fraqat", "checkpoints/float.safetensors",
                     "checkpoints/uniform-4.safetensors", "checkpoints/random-1.safetensors",
                     "checkpoints/search.safetensors", "checkpoints/rounded.safetensors",
                     "checkpoints/final.safetensors"):
            self.assertEqual((out / name).read_bytes(), (self.whole / name).read_bytes(), name)
        self.assertEqual(metrics(out), metrics(self.whole))
        mine, other = (json.loads((f / "run.json").read_text()) for f in (out, self.whole))
        for key in ("arms", "tensors", "budget", "hash", "accuracy", "mismatches"):
            self.assertEqual(mine[key], other[key], key)
        self.assertFalse((out / "progress.safetensors").exists())
        return mine

    def wait_for(self, process, condition):
        """Until `condition` holds or the process has ended."""
        deadline = time.monotonic() + 120
        while process.poll() is None and not condition():
            self.assertLess(time.monotonic(), deadline, "neither ended nor went on")
            time.sleep(0.001)

    def test_killed_twenty_times_with_changing_threads(self):
        out = self.folder / "killed"
        progress = out / "progress.safetensors"
        draw = random.Random(1)
        arguments = train(out, "--quiet", changes=RECIPE)[:-3] + ["--quiet"]  # threads from outside
        for kill in range(KILLS):
            before = changed(progress)
            process = start(arguments, 1 + kill % 3)
            if kill % 3 == 0:  # after something has been saved, so that it gets on
                self.wait_for(process, lambda: changed(progress) > before)
            time.sleep(draw.uniform(0, self.seconds / KILLS))  # half of the run in all
            self.assertIsNone(process.poll(), f"ended before kill {kill + 1}")
            process.kill()
            process.communicate()
            if progress.exists():
                arguments = ["train", "--resume", str(out), "--quiet"]
        result = run("train", "--resume", str(out), "--quiet")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.check_same(out)

    def test_interrupted_in_every_phase_it_goes_on_at_the_same_step(self):
        out = self.folder / "interrupted"
        arguments, stops = train(out, changes=RECIPE), 0
        patience = self.seconds / 10  # grows: how long a start takes depends on who else computes
        while True:
            process = start(arguments, 1)
            time.sleep(patience)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=120)
            if process.returncode == 0:
                break
            patience *= 1.1
            if process.returncode == -signal.SIGTERM:  # it had not yet begun to listen
                continue
            self.assertEqual(process.returncode, 143, errors)
            self.assertIn(f"fraqat train --resume {out}", errors)
            stops += 1
            self.assertLess(stops, 50, "gets nowhere")
            arguments = ["train", "--resume", str(out)]
        self.assertGreater(stops, 2)
        self.check_same(out)

    def test_a_finished_run_is_only_shown(self):
        before = (self.whole / "run.json").read_bytes()
        result = run("train", "--resume", str(self.whole))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("mismatches", result.stdout)
        self.assertEqual((self.whole / "run.json").read_bytes(), before)

    def unfinished(self, name):
        out = self.folder / name
        process = start(train(out, "--quiet", changes=RECIPE), 1)
        self.wait_for(process, lambda: (out / "metrics.jsonl").exists()
                      and (out / "metrics.jsonl").stat().st_size > 0
                      and changed(out / "progress.safetensors"))
        time.sleep(0.2)
        process.kill()
        process.communicate()
        return out

    def test_an_unfinished_run_is_not_overwritten(self):
        out = self.unfinished("unfinished")
        result = run(*train(out, "--quiet", changes=RECIPE))
        self.assertEqual(result.returncode, 2)
        self.assertIn("holds an unfinished run", result.stderr)
        self.assertIn(f"--resume {out}", result.stderr)

    def test_what_cannot_go_on_says_why(self):
        out = self.unfinished("damaged")
        progress = out / "progress.safetensors"
        whole = progress.read_bytes()
        progress.write_bytes(whole[:-1])
        for damage in (whole[:-1], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], b""):
            progress.write_bytes(damage)
            result = run("train", "--resume", str(out))
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertIn("progress.safetensors", result.stderr)
        progress.write_bytes(whole)
        with open(out / "recipe.toml", "a") as recipe:
            recipe.write("\nseed = 2\n")
        self.assertEqual(run("train", "--resume", str(out)).returncode, 3)
        empty = self.folder / "empty"
        empty.mkdir()
        result = run("train", "--resume", str(empty))
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("holds no run", result.stderr)
        self.assertEqual(run("train", "--resume", str(out), "--seed", "2").returncode, 2)


if __name__ == "__main__":
    program.main()
