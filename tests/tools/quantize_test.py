#!/usr/bin/env python3
"""A float network, quantized without training: the command from outside."""

import json
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import program
from program import run, run_json

FLOAT = {"name": "float", "model": "lenet5-bn", "data.name": "synthetic", "data.batch": "50",
         "data.train_limit": "300", "data.test_limit": "100", "float.epochs": "1",
         "search.epochs": "0", "finetune.epochs": "0", "baselines.uniform": "[]",
         "quant.enabled": "false"}
ALONE = ["--threads", "1"]  # suites run side by side
QUICK = ["--batches", "2", "--set", "finetune.reestimate_batches=2", *ALONE]


class Quantize(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.float = cls.folder / "float"
        settings = [word for key, value in FLOAT.items() for word in ("--set", f"{key}={value}")]
        cls.trained = run("train", "--recipe", "lenet5-fashion", *settings, "--out",
                          str(cls.float), *ALONE)
        cls.checkpoint = str(cls.float / "checkpoints/float.safetensors")
        cls.out = cls.folder / "budget"
        cls.result = run("quantize", cls.checkpoint, *QUICK, "--activation-bits", "6", "--set",
                         "quant.budget.bytes=20000", "--out", str(cls.out))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
        self.assertEqual(self.result.returncode, 0, self.result.stderr)

    def refused(self, *arguments, text, code=2):
        result = run("quantize", *arguments)
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        self.assertIn(text, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_what_is_printed(self):
        for word in ("float", "quantized", "bytes", "loss at 2", "loss at 8", "conv2.weight_q",
                     "in the end", "mismatches:", "report.html"):
            self.assertIn(word, self.result.stdout)
        self.assertNotIn("learned", self.result.stdout)
        self.assertNotIn("\033", self.result.stdout + self.result.stderr)

    def test_a_mode_that_looks_at_no_budget_says_when_it_ends_above_one(self):
        self.assertNotIn("over budget", self.result.stdout)
        result = run("quantize", self.checkpoint, *QUICK, "--set", "quant.budget.bytes=20000",
                     "--set", "round.mode=ceil", "--set", "quant.weight.start=8", "--out",
                     str(self.folder / "over"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('over budget: only round.mode = "budget" keeps to one', result.stdout)

    def test_the_folder_is_that_of_any_run(self):
        for name in ("recipe.toml", "run.json", "metrics.jsonl", "metrics.csv", "model.fraqat",
                     "report.html", "checkpoints/float.safetensors",
                     "checkpoints/final.safetensors"):
            self.assertTrue((self.out / name).is_file(), name)
        found = json.loads((self.out / "run.json").read_text())
        self.assertLessEqual(found["data_bytes"], 20000)
        self.assertEqual(found["avg_activation_bits"], 6)
        self.assertEqual(found["arguments"][1], "quantize")
        verified = run_json(self, "verify", str(self.out), "--limit", "100", *ALONE)
        self.assertTrue(verified["passed"])
        self.assertEqual(run_json(self, "inspect", str(self.out))["data_bytes"],
                         found["data_bytes"])
        self.assertEqual(run_json(self, "eval", str(self.out), "--limit", "100", *ALONE)["accuracy"],
                         found["accuracy"])
        report = run_json(self, "report", str(self.out), "--out", str(self.folder / "page.html"))
        self.assertGreater(report["bytes"], 1000)

    def test_training_goes_on_from_it(self):
        found = run_json(self, "train", "--recipe", str(self.out / "recipe.toml"), "--from",
                         str(self.out / "checkpoints/float.safetensors"), "--set",
                         "finetune.epochs=1", "--out", str(self.folder / "tuned"), *ALONE)
        start = json.loads((self.out / "run.json").read_text())
        self.assertEqual([tensor["bits"] for tensor in found["tensors"]],
                         [tensor["bits"] for tensor in start["tensors"]])
        self.assertNotEqual(found["hash"], start["hash"])

    def test_json_is_one_object_with_the_documented_keys(self):
        out = self.folder / "json"
        result = run("quantize", str(self.float), *QUICK, "--bits", "4", "--range", "minmax",
                     "--activation-range", "percentile", "--seed", "3", "--sensitivity",
                     "--out", str(out), "--json", "--quiet")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        found = json.loads(result.stdout)
        self.assertEqual(found, json.loads((out / "run.json").read_text()))
        for key in ("accuracy", "loss", "avg_weight_bits", "avg_activation_bits", "model_bytes",
                    "data_bytes", "mismatches", "verified", "arms", "tensors", "sensitivity",
                    "gap", "budget", "hash", "from"):
            self.assertIn(key, found)
        self.assertEqual(found["seed"], 3)
        self.assertEqual({tensor["bits"] for tensor in found["tensors"]
                          if tensor["role"] != "input"}, {4})
        self.assertEqual(len(found["sensitivity"]), 9)
        self.assertEqual(found["sensitivity"][0]["bits"], [2, 3, 4, 5, 6, 7, 8])
        recipe = (out / "recipe.toml").read_text()
        self.assertIn('range = "minmax"', recipe)
        self.assertIn('range = "percentile"', recipe)

    def test_losses_at_numbers_of_levels_have_columns_of_their_own(self):
        result = run("quantize", str(self.float), *QUICK, "--sensitivity", "--quiet",
                     "--set", "round.allowed=[2,3,4]", "--set", "round.allowed_levels_weight=[5,7]",
                     "--set", "quant.weight.average_bits=3", "--out", str(self.folder / "levels"))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for column in ("loss at 2 ", "loss at 2.37", "loss at 2.91", "loss at 4"):
            self.assertIn(column, result.stdout)

    def test_a_finished_folder_is_left_alone(self):
        before = (self.out / "run.json").read_bytes()
        self.refused(self.checkpoint, "--quiet", "--out", str(self.out),
                     text="holds a finished run: got run.json; expected a new folder")
        self.assertEqual((self.out / "run.json").read_bytes(), before)

    def test_mistakes_on_the_command_line(self):
        out = ["--out", str(self.folder / "none")]
        self.refused(text="MODEL")
        self.refused(self.checkpoint, "--bit", "4", text="try --bits or fraqat quantize --help")
        self.refused(self.checkpoint, "--bits", "9", text="--bits")
        self.refused(self.checkpoint, "--range", "mes", text="--range")
        self.refused(self.checkpoint, *out, "--set", "quant.budget.byte=1",
                     text="try quant.budget.bytes")
        self.refused(self.checkpoint, *out, "--set", "quant.budget.weight_bits=9", text="got 9")
        self.refused("resnet20", *out, text="or --weights FILE and --data NAME")
        self.refused("lenet5-bn", "--weights", self.checkpoint, *out, text="--data")
        self.refused(self.checkpoint, "--data", "mnist", *out, text="expected synthetic")
        for quantized in (self.out / "checkpoints/final.safetensors", self.out / "model.fraqat"):
            self.refused(str(quantized), *out, text="is quantized already")
        self.assertFalse((self.folder / "none").exists())

    def test_budgets_that_cannot_be_met(self):
        self.refused(self.checkpoint, *QUICK, "--quiet", "--set", "quant.budget.bytes=5000",
                     "--out", str(self.folder / "small"), text="got 5000 bytes; expected at least")
        given = [word for layer in ("conv1", "conv2", "fc1", "fc2", "fc3")
                 for word in ("--set", f"quant.weight_bits.{layer}=8")]
        self.refused(self.checkpoint, *QUICK, "--quiet", *given, "--set", "quant.budget.bytes=20000",
                     "--out", str(self.folder / "small"), text="where every width is given")
        self.assertFalse((self.folder / "small").exists())

    def test_broken_files(self):
        broken = self.folder / "broken.safetensors"
        broken.write_bytes(Path(self.checkpoint).read_bytes()[:1000])
        out = ["--out", str(self.folder / "none")]
        self.refused(str(broken), *out, text="broken.safetensors", code=3)
        self.refused(str(broken) + "x", *out, text="broken.safetensorsx", code=3)
        self.refused("lenet5-bn", "--data", "synthetic", "--weights", str(broken), *out,
                     text="broken.safetensors", code=3)
        self.assertFalse((self.folder / "none").exists())

    def test_a_signal_stops_it_and_train_goes_on(self):
        out = self.folder / "stopped"
        child = subprocess.Popen(
            [program.PROGRAM, "quantize", self.checkpoint, *QUICK, "--set",
             "finetune.reestimate_batches=100", "--out", str(out)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=program.environment())
        sign = out / "checkpoints/float.safetensors"
        while child.poll() is None and not sign.exists():
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=60)
        self.assertEqual((child.returncode, stdout), (130, ""), stderr)
        self.assertIn("to go on: fraqat train --resume " + str(out), stderr)
        self.assertTrue(run_json(self, "train", "--resume", str(out), *ALONE)["verified"])


if __name__ == "__main__":
    program.main()
