#!/usr/bin/env python3
"""A run that is cut again and again ends with the same bytes as one that is not."""

import json
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

import program
from program import run, run_json
from run_test import train

# Every kind of stretch, epochs short enough that a cut falls into any of them.
RECIPE = {"data.batch": "20", "data.train_limit": "400", "float.epochs": "2", "search.epochs": "2",
          "finetune.epochs": "2", "baselines.random": "1", "quant.activation.bits": "logits-gumbel",
          "quant.weight.range": "mse"}

# The signs that a run gives, in this order, and the phase that it is in from each on: a file that
# it has written, or a stretch of training in the journal with so many epochs saved.
SIGNS = [
    ("float", ("", 0)), ("float", ("float 0", 1)), ("float", ("float 0", 2)),
    ("uniform-4", "checkpoints/float.safetensors"), ("uniform-4", ("uniform-4 2", 1)),
    ("uniform-4", ("uniform-4 2", 2)), ("uniform-4", ("uniform-4 4", 1)),
    ("uniform-4", ("uniform-4 4", 2)),
    ("search", "checkpoints/uniform-4.safetensors"), ("search", ("search 2", 1)),
    ("search", ("search 2", 2)),
    ("round", "checkpoints/search.safetensors"),
    ("finetune", "checkpoints/rounded.safetensors"), ("finetune", ("finetune 4", 1)),
    ("finetune", ("finetune 4", 2)),
    ("random-1", "checkpoints/final.safetensors"), ("random-1", ("random-1 2", 1)),
    ("random-1", ("random-1 2", 2)), ("random-1", ("random-1 4", 1)), ("random-1", ("random-1 4", 2)),
    ("pack and verify", "checkpoints/random-1.safetensors"), ("pack and verify", "model.fraqat"),
    ("nothing: it has ended", "run.json")]
# A kill after each but the last and two of the many of the arms.
KILLS = [i for i, (_, sign) in enumerate(SIGNS[:-1])
         if sign not in (("uniform-4 4", 1), ("random-1 4", 1))]
TRIES = 50  # to hit a phase of milliseconds


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


def stamp(path):
    """Another one for each time that the file is written."""
    try:
        found = path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    except FileNotFoundError:
        return None


def position(journal):
    """The stretch that the journal has under way, and how many of its epochs are in it."""
    with open(journal, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    found = json.loads(header["__metadata__"]["fraqat.under_way"])
    return found.get("key", ""), found.get("position", {}).get("epoch", 0)


class Part:
    """What a process that is started now does in a run folder, told by the files it writes there:
    what lies there already is of those that were killed."""

    def __init__(self, out):
        self.out = out
        self.journal = out / "progress.safetensors"
        self.seen = stamp(self.journal)
        self.before = {sign: stamp(out / sign) for _, sign in SIGNS if isinstance(sign, str)}
        self.last = -1

    def reached(self):
        """The index of the last sign that this process has given; -1 for none."""
        if stamp(self.journal) not in (self.seen, None):
            self.seen = stamp(self.journal)
            try:
                here = position(self.journal)
            except FileNotFoundError:
                here = None  # removed since: the run has ended
            # On a machine that takes a minute, there are others, within an epoch.
            self.last = max([self.last] + [i for i, (_, sign) in enumerate(SIGNS) if sign == here])
        for i, (_, sign) in enumerate(SIGNS):
            if i > self.last and isinstance(sign, str):
                if stamp(self.out / sign) not in (self.before[sign], None):
                    self.last = i
        return self.last


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

    def killed_at(self, out, arguments, wanted, threads, pause):
        """The index of the sign after which a process was killed, `pause` seconds after `wanted`
        had come, or later where this process was the slower one."""
        part = Part(out)
        process = start(arguments, threads)
        self.wait_for(process, lambda: part.reached() >= wanted)
        time.sleep(pause)
        process.kill()
        _, errors = process.communicate()
        self.assertIn(process.returncode, (0, -signal.SIGKILL), errors)
        return part.reached()

    def test_killed_twenty_times_all_over_the_run_with_changing_threads(self):
        out, before = self.folder / "killed", self.folder / "before"
        draw = random.Random(1)
        arguments = train(out, "--quiet", changes=RECIPE)[:-3] + ["--quiet"]  # threads from outside
        hits, taken_back = Counter(), 0
        for kill, wanted in enumerate(KILLS):
            pause = draw.uniform(0, self.seconds / 50)  # of some 20 epochs and as many evaluations
            for _ in range(TRIES):
                hit = self.killed_at(out, arguments, wanted, 1 + kill % 3, pause)
                if SIGNS[hit][0] == SIGNS[wanted][0]:
                    break
                # It was faster than this test: all back as it was, and once more.
                shutil.rmtree(out)
                if before.exists():
                    shutil.copytree(before, out)
                taken_back, pause = taken_back + 1, pause / 4
            else:
                self.fail(f"in {TRIES} tries never in {SIGNS[wanted]}, at last in {SIGNS[hit]}")
            phase, sign = SIGNS[hit]
            print(f"kill {kill + 1:2}: in {phase}, after {sign}, {1 + kill % 3} threads", flush=True)
            hits[phase] += 1
            arguments = ["train", "--resume", str(out), "--quiet"]
            shutil.rmtree(before, ignore_errors=True)
            shutil.copytree(out, before)
        print(f"{sum(hits.values())} kills: {dict(hits)}; {taken_back} more came late", flush=True)
        self.assertEqual(sum(hits.values()), 20)
        self.assertEqual(list(hits), list(dict.fromkeys(phase for phase, _ in SIGNS[:-1])))
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
        self.assertIn(f'--resume "{out}"', result.stderr)

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
