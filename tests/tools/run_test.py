#!/usr/bin/env python3
"""A small run from end to end, and every command on what it leaves."""

import csv
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import program
from program import on_terminal, run, run_json, write_png

# A run of seconds: a small part of the synthetic bars.
SMALL = {"name": "small", "model": "lenet5-bn", "data.name": "synthetic", "data.batch": "50",
         "data.train_limit": "300", "data.test_limit": "100", "float.epochs": "1",
         "search.epochs": "1", "finetune.epochs": "1", "finetune.reestimate_batches": "5",
         "quant.calibration_batches": "2", "baselines.uniform": "[4]"}
# Shorter still, for tests of what stands around a run.
SHORTEST = {"float.epochs": "0", "search.epochs": "0", "finetune.epochs": "0",
            "baselines.uniform": "[]"}


def write_as_pytorch(checkpoint, path, flattened):
    """The tensors of a checkpoint in PyTorch's layouts; `flattened` columns are [H, W, C]."""
    data = Path(checkpoint).read_bytes()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    header, packed = {}, b""
    for name, entry in json.loads(data[8:begin]).items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        numbers, shape = data[begin + first:begin + last], entry["shape"]
        if len(shape) == 4 or name in flattened:
            rows, (height, width, channels) = shape[0], flattened.get(name, shape[1:])
            numbers = b"".join(numbers[4 * at:4 * at + 4] for at in (
                ((r * height + y) * width + x) * channels + c for r in range(rows)
                for c in range(channels) for y in range(height) for x in range(width)))
        if len(shape) == 4:
            shape = [rows, channels, height, width]
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(packed), len(packed) + len(numbers)]}
        packed += numbers
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + packed)


def train(out, *more, changes=()):
    keys = {**SMALL, **dict(changes)}
    settings = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    return ["train", "--recipe", "lenet5-fashion", *settings, "--out", str(out), "--threads", "1", *more]


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.out = cls.folder / "run"
        cls.result = run(*train(cls.out))
        cls.model = str(cls.out / "model.fraqat")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)

    def checkpoint(self, phase):
        return str(self.out / "checkpoints" / f"{phase}.safetensors")

    def test_train_prints_a_table_and_a_line_an_epoch(self):
        for word in ("network", "float", "uniform 4", "learned", "mismatches", "average bits",
                     "% with fractional widths, ", "% with the nearest whole ones, ", "% rounded, ", "% in the end", "report.html"):
            self.assertIn(word, self.result.stdout)
        epochs = [line for line in self.result.stderr.splitlines() if " epoch " in line]
        self.assertEqual(len(epochs), 5, self.result.stderr)  # float, 2 uniform, search, finetune
        self.assertNotIn("\033", self.result.stderr)

    def test_a_byte_budget_and_a_data_set_are_enough(self):
        budget = 20000
        found = run_json(self, *train(self.folder / "bytes", changes={
            "quant.budget.bytes": str(budget), "baselines.uniform": "[]"}))
        self.assertLessEqual(found["data_bytes"], budget)
        self.assertGreaterEqual(found["data_bytes"], 0.99 * budget)
        self.assertTrue(found["verified"])

    def test_run_folder(self):
        for name in ("recipe.toml", "run.json", "metrics.jsonl", "metrics.csv", "model.fraqat",
                     "report.html"):
            self.assertTrue((self.out / name).is_file(), name)
        found = json.loads((self.out / "run.json").read_text())
        self.assertEqual(found["mismatches"], 0)
        self.assertEqual(found["recipe"], "small")
        self.assertEqual([arm["name"] for arm in found["arms"]], ["float", "uniform-4", "learned"])
        self.assertEqual(found["model_bytes"], os.path.getsize(self.model))

    def test_the_written_recipe_runs_alike_on_three_threads(self):
        again = run_json(self, "train", "--recipe", str(self.out / "recipe.toml"), "--out",
                         str(self.folder / "again"), "--threads", "3")
        first = json.loads((self.out / "run.json").read_text())
        self.assertEqual(again["hash"], first["hash"])
        self.assertEqual((self.folder / "again/model.fraqat").read_bytes(),
                         Path(self.model).read_bytes())

    def test_json_is_all_there_is(self):
        result = run(*train(self.folder / "json", "--json", "--quiet", changes=SHORTEST))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("accuracy", json.loads(result.stdout))

    def test_from_skips_the_float_phase(self):
        result = run(*train(self.folder / "from", "--from", self.checkpoint("float"),
                            changes={**SHORTEST, "float.epochs": "1"}))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("float ", result.stderr)

    def test_names_that_are_not_utf8(self):
        out = self.folder / os.fsdecode(b"nu\xff")
        start = out / "start.safetensors"
        out.mkdir()
        shutil.copy(self.out / "checkpoints/float.safetensors", start)
        result = run(*train(out / "run", "--from", str(start), changes=SHORTEST))
        self.assertEqual(result.returncode, 0, result.stderr)
        result = run("train", "--resume", str(out / "none"))
        self.assertEqual(result.returncode, 2)
        self.assertIn('nu\\xff/none" holds no run', result.stderr)

    def test_eval_and_verify_refuse_images_of_another_shape(self):
        for command in ("eval", "verify"):
            result = run(command, self.model, "--data", "cifar10")
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("--data cifar10 is not for this network: got samples of [32, 32, 3]; "
                          "expected [28, 28, 1], as those of synthetic", result.stderr)

    def test_a_float_recipe_ends_with_the_float_network(self):
        changes = {**SHORTEST, "float.epochs": "1", "quant.enabled": "false",
                   "data.augment": "crop-flip"}
        out = self.folder / "only-float"
        result = run(*train(out, changes=changes))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("nothing to pack or verify", result.stderr)
        self.assertIn("nothing was packed or verified", result.stdout)
        self.assertFalse((out / "model.fraqat").exists())
        found = json.loads((out / "run.json").read_text())
        self.assertEqual([arm["name"] for arm in found["arms"]], ["float"])
        self.assertEqual(found["accuracy"], found["arms"][0]["accuracy"])
        self.assertNotIn("mismatches", found)
        self.assertNotIn("not verified", (out / "report.html").read_text())
        again = run_json(self, "train", "--recipe", str(out / "recipe.toml"), "--out",
                         str(self.folder / "only-float-again"), "--threads", "3")
        self.assertEqual(again["hash"], found["hash"])
        plain = run_json(self, *train(self.folder / "not-augmented",
                                      changes={**changes, "data.augment": "none"}))
        self.assertNotEqual(plain["hash"], found["hash"])
        result = run(*train(self.folder / "no", changes={**changes, "search.epochs": "1"}))
        self.assertEqual(result.returncode, 2)
        self.assertIn("quant.enabled", result.stderr)

    def test_weights_of_pytorch(self):
        weights = str(self.folder / "pytorch.safetensors")
        write_as_pytorch(self.checkpoint("float"), weights, {"fc1.weight": (5, 5, 16)})
        own = run_json(self, "eval", self.checkpoint("float"))
        found = run_json(self, "eval", "lenet5-bn", "--data", "synthetic", "--weights", weights)
        self.assertEqual(found["accuracy"], own["accuracy"])
        self.assertAlmostEqual(found["loss"], own["loss"], 5)  # other batches, other rounding
        started = run_json(self, *train(self.folder / "weights", "--weights", weights, changes={
            **SHORTEST, "float.epochs": "5", "quant.enabled": "false", "data.test_limit": "0"}))
        self.assertEqual(started["accuracy"], own["accuracy"])
        self.assertEqual(run("eval", "lenet5-bn", "--weights", weights).returncode, 2)
        result = run("eval", "mlp", "--data", "synthetic", "--weights", weights)
        self.assertEqual(result.returncode, 3)
        for word in ("missing: ", "extra: ", "reshaped: ", "bn1.running_mean"):
            self.assertIn(word, result.stderr)

    def test_eval_of_every_kind(self):
        found = json.loads((self.out / "run.json").read_text())
        accuracy = {arm["name"]: arm["accuracy"] for arm in found["arms"]}
        packed = run_json(self, "eval", str(self.out), "--limit", "100")
        self.assertEqual(packed["samples"], 100)
        self.assertEqual(packed["accuracy"], accuracy["learned"])
        floats = run_json(self, "eval", self.checkpoint("float"), "--data", "synthetic", "--limit",
                          "100")
        self.assertEqual(floats["accuracy"], accuracy["float"])
        self.assertIn("accuracy", run("eval", self.model).stdout)

    def test_verify(self):
        found = run_json(self, "verify", self.model, "--limit", "100")
        self.assertEqual(found["mismatches"], 0)
        self.assertGreater(found["compared"], 0)
        self.assertIn("0 different", run("verify", self.model, "--limit", "100").stdout)
        damaged = self.folder / "damaged.fraqat"
        data = bytearray(Path(self.model).read_bytes())
        data[-1] ^= 1
        damaged.write_bytes(data)
        self.assertEqual(run("verify", str(damaged)).returncode, 3)
        # The network before fine-tuning shares widths and shapes, not integers.
        result = run("verify", self.model, "--limit", "100", "--against", self.checkpoint("rounded"))
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)

    def test_trace_tells_of_every_layer_in_the_first_step_of_an_epoch(self):
        out = self.folder / "traced"
        result = run(*train(out, "--trace", changes={**SHORTEST, "float.epochs": "2"}))
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(out / "trace.csv", newline="") as file:
            lines = list(csv.DictReader(file))
        self.assertEqual({(line["epoch"], line["step"]) for line in lines}, {("1", "1"), ("2", "1")})
        self.assertEqual({line["phase"] for line in lines}, {"float"})
        whats = {(line["layer"], line["what"]) for line in lines}
        for layer in ("conv1", "bn1", "fc3"):
            self.assertIn((layer, "output"), whats)
            self.assertIn((layer, f"gradient of {layer}.weight" if layer != "bn1" else "gradient"),
                          whats)
        for line in lines:
            self.assertEqual(line["bad"], "0")
            self.assertLessEqual(float(line["low"]), float(line["mean"]))
            self.assertLessEqual(float(line["mean"]), float(line["high"]))

    def test_one_batch_is_learned_by_heart_or_not(self):
        good = run_json(self, *train(self.folder / "none", "--overfit-one-batch"))
        self.assertTrue(good["learned"])
        self.assertEqual(good["accuracy"], 100)
        self.assertLess(good["loss"], 0.1 * good["first_loss"])
        self.assertFalse((self.folder / "none").exists())
        result = run(*train(self.folder / "none", "--overfit-one-batch",
                            changes={"float.rate": "1e-9"}))
        self.assertEqual(result.returncode, 1)
        self.assertIn("NOT learned", result.stdout)
        result = run(*train(self.folder / "none", "--overfit-one-batch",
                            changes={"float.rate": "1e38"}))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"step 2: .* is no number: the output of \w+ in layer ")

    def test_the_graph_is_drawn(self):
        result = run("inspect", self.checkpoint("final"), "--dot")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.startswith("digraph"))
        for word in ("conv1", "conv2d", "fc3.weight", "stride 1", "N x 28 x 28 x 1"):
            self.assertIn(word, result.stdout)
        self.assertEqual(result.stdout.count("{"), result.stdout.count("}"))
        self.assertEqual(run("inspect", self.model, "--dot").returncode, 2)

    def test_export_gives_the_same_file(self):
        out = self.folder / "exported.fraqat"
        found = run_json(self, "export", self.checkpoint("final"), "--to", "fraqat", "--out",
                         str(out))
        self.assertEqual(out.read_bytes(), Path(self.model).read_bytes())
        self.assertEqual(found["model_bytes"], found["data_bytes"] + found["header_bytes"])
        none = self.folder / "none.fraqat"
        result = run("export", self.checkpoint("search"), "--to", "fraqat", "--out", str(none))
        self.assertEqual(result.returncode, 3)
        self.assertIn("no integer widths", result.stderr)
        self.assertFalse(none.exists())

    def test_inspect(self):
        found = run_json(self, "inspect", self.model)
        weights = [row for row in found["layers"] if row["kind"] == "weight"]
        self.assertEqual(len(weights), 5)
        for row in weights:
            self.assertEqual(row["levels"], 2 ** row["bits"] - 1)
            self.assertTrue(2 <= row["learned_bits"] <= 8)
        self.assertEqual(sum(row["bytes"] for row in found["layers"]), found["data_bytes"])
        bounds = [row["accumulator_bound"] for row in found["layers"]
                  if row["kind"] in ("conv2d", "linear")]
        self.assertEqual(len(bounds), 5)
        self.assertTrue(all(0 < bound < 2 ** 31 for bound in bounds))
        self.assertIn("##", run("inspect", self.model).stdout)
        self.assertIn("█", run("inspect", self.model, LC_ALL="C.UTF-8").stdout)
        self.assertEqual(run_json(self, "inspect", self.checkpoint("final"))["layers"],
                         found["layers"])
        self.assertGreater(run_json(self, "inspect", self.checkpoint("float"))["parameters"], 40000)
        self.assertTrue(run_json(self, "inspect", self.checkpoint("search"))["quantizers"])

    def test_learned_widths_stand_at_their_tensors_where_shortcuts_have_some(self):
        out = self.folder / "shortcuts"
        result = run_json(self, *train(out, changes={
            "model": "resnet20-b", "data.batch": "8", "data.train_limit": "16",
            "data.test_limit": "4", "finetune.epochs": "0", "quant.calibration_batches": "1",
            "baselines.uniform": "[]", "finetune.reestimate_batches": "1",
            "quant.weight.average_bits": "0", "quant.weight.random_start": "true",
            "quant.activation.average_bits": "0", "quant.activation.random_start": "true",
            "quant.activation.lowest": "4", "quant.activation.start": "4"}))
        self.assertGreater(result["samples_per_second"], 0)  # of the search, tuned it was not
        learned = sorted(t["learned_bits"] for t in result["tensors"] if t["role"] != "input")
        found = [row for row in run_json(self, "inspect", str(out / "model.fraqat"))["layers"]
                 if "learned_bits" in row]
        self.assertEqual(sorted(row["learned_bits"] for row in found), learned)
        for row in found:  # each is the nearest to its own
            self.assertLessEqual(abs(row["bits"] - row["learned_bits"]), 0.5, row)

    def test_predict(self):
        good, bad = str(self.folder / "good.png"), str(self.folder / "bad.png")
        write_png(good, 40, 30, [(x * 6) % 256 for _ in range(30) for x in range(40)])
        for model in (self.model, self.checkpoint("float")):
            plain = run_json(self, "predict", model, good, good)["predictions"]
            self.assertEqual(plain[0], plain[1])
            confidences = [one["confidence"] for one in plain[0]["top"]]
            self.assertEqual(len(confidences), 3)
            self.assertEqual(confidences, sorted(confidences, reverse=True))
            inverted = run_json(self, "predict", model, good, "--invert")["predictions"]
            self.assertNotEqual(plain[0]["top"], inverted[0]["top"])
        self.assertIn("%", run("predict", self.model, good).stdout)
        Path(bad).write_bytes(Path(good).read_bytes()[:60])
        result = run("predict", self.model, good, bad)
        self.assertEqual((result.returncode, result.stdout), (3, ""))
        self.assertIn("bad.png", result.stderr)

    def test_progress_on_a_terminal(self):
        code, text = on_terminal(*train(self.folder / "terminal",
                                        changes={**SHORTEST, "float.epochs": "1"}))
        self.assertEqual(code, 0, text)
        for word in ("samples/s", "ETA", "\r\033[K"):
            self.assertIn(word, text)
        code, text = on_terminal(*train(self.folder / "quiet", "--quiet",
                                        changes={**SHORTEST, "float.epochs": "1"}))
        self.assertEqual(code, 0, text)
        self.assertNotIn("ETA", text)

    def start(self, out, sign, changes):
        """A run under way, once the file `sign` in its folder has something in it."""
        child = subprocess.Popen([program.PROGRAM, *train(out, changes=changes)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env=program.environment())
        sign = out / sign
        while child.poll() is None and not (sign.exists() and sign.stat().st_size):
            time.sleep(0.02)
        return child

    def test_signals_stop_after_saving(self):
        training = ("metrics.jsonl", {"float.epochs": "100000"})
        reestimation = ("checkpoints/rounded.safetensors",
                        {**SHORTEST, "finetune.reestimate_batches": "1000000"})
        for number, code, (sign, changes) in ((signal.SIGINT, 130, training),
                                              (signal.SIGTERM, 143, training),
                                              (signal.SIGINT, 130, reestimation)):
            out = self.folder / f"stopped-{code}-{len(changes)}"
            child = self.start(out, sign, changes)
            child.send_signal(number)
            stdout, stderr = child.communicate(timeout=60)
            self.assertEqual((child.returncode, stdout), (code, ""), stderr)
            self.assertIn("saved", stderr)
            self.assertTrue((out / "checkpoints/interrupted.safetensors").exists())

    def test_one_run_for_a_folder_at_a_time(self):
        out = self.folder / "shared"
        first = self.start(out, "metrics.jsonl", {"float.epochs": "100000"})
        recipe = (out / "recipe.toml").read_bytes()
        second = run(*train(out, changes=SHORTEST))
        self.assertEqual((second.returncode, second.stdout), (1, ""))
        self.assertIn("shared\" is in use: got the lock of another run", second.stderr)
        self.assertEqual((out / "recipe.toml").read_bytes(), recipe)
        self.assertIsNone(first.poll())
        first.kill()
        first.communicate()
        # The lock went with its owner: what is left is a run to go on with.
        free = run(*train(out, changes=SHORTEST))
        self.assertEqual(free.returncode, 2)
        self.assertIn("holds an unfinished run", free.stderr)
        shutil.rmtree(out)
        self.assertEqual(run(*train(out, changes=SHORTEST)).returncode, 0)


if __name__ == "__main__":
    program.main()
