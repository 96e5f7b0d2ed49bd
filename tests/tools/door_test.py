#!/usr/bin/env python3
"""The door of the program: exit codes, error texts, --json, terminals, doctor, data."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import program
from program import on_terminal, run, run_json

COMMANDS = ["doctor", "data", "train", "report", "inspect", "eval", "verify", "predict", "export",
            "bench", "gradcheck"]
MNIST = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
         "t10k-labels-idx1-ubyte"]


class Door(unittest.TestCase):
    def refused(self, *arguments, text, code=2, **options):
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn(text, result.stderr)

    def test_help_lists_the_commands(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", result.stdout)
            self.assertEqual(run(command, "--help").returncode, 0)

    def test_version(self):
        self.assertRegex(run("--version").stdout, r"^fraqat \d+\.\d+\.\d+\n$")

    def test_nothing_said(self):
        result = run()
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("Usage", result.stderr)

    def test_unknown_command(self):
        self.refused("trian", text='unknown command: got "trian"; expected one of doctor, data, ')
        self.refused("trian", text="gradcheck; try fraqat train")
        self.refused("zzzzzz", text="try fraqat --help")
        self.refused("--json", text="expected a command first")
        self.refused("", text="unknown command")
        self.refused("tr\nain", text='"tr\\x0aain"')

    def test_bad_options(self):
        self.refused("doctor", "--jsno", text='got "--jsno"; expected one of --help, --json, ')
        self.refused("doctor", "--jsno", text="try --json or fraqat doctor --help")
        self.refused("doctor", "surplus",
                     text='unknown argument: got "surplus"; expected no more; try fraqat')
        for wrong in ("0", "2x", "2.5", "-1", ""):
            self.refused("doctor", "--threads", wrong, text=f'--threads: got "{wrong}"; expected a '
                         "whole number from 1 to 1024; try fraqat doctor --help")
        self.refused("doctor", "--seed", "9223372036854775808", text="from 0 to 2^63 - 1")
        self.refused("train", "--recipe", "lenet5-fashion", "--from", "",
                     text='--from: got ""; expected some text; try fraqat train --help')
        self.refused("quantize", "x", "--bits", "1", text="a whole number from 2 to 8")
        self.refused("data", "list", "nope", text="no such data set")
        self.refused("doctor", "--seed", "-1", text='--seed: got "-1"; expected a whole number')
        self.refused("bench", "train", "--range", "foo",
                     text='got "foo"; expected one of minmax, mse, learned; try')
        self.refused("bench", "trian", "--threads", "1",
                     text='got "trian"; expected one of train, eval, conv; try train or')
        self.refused("train", "--resume", "x", "--seed", "1", text="got both; expected one of them")
        self.refused("export", "x", "--to", "fraqat", text="--out is required: got none")
        self.refused("data", text="ACTION")
        self.refused("train", text="--recipe")
        self.refused("eval", text="MODEL")
        self.refused("export", "x", "--to", "tflite", "--out", "y", text="tflite")

    def test_bad_recipe_and_settings(self):
        known = ["train", "--recipe", "lenet5-fashion"]
        self.refused("train", "--recipe", "lenet5-fashoin", text="lenet5-fashion")
        self.refused(*known, "--set", "float.rtae=1", text="try float.rate")
        self.refused(*known, "--set", "float.rate=-1", text="expected a number above 0")
        self.refused("train", "--recipe", "/nonexistent.toml", text="/nonexistent.toml", code=3)
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as recipe:
            recipe.write("\n[float]\nrate = nan\n")
            recipe.flush()
            self.refused("train", "--recipe", recipe.name, text=":3: float.rate: got nan", code=3)

    def test_missing_and_broken_models(self):
        with tempfile.TemporaryDirectory() as folder:
            broken = os.path.join(folder, "broken.fraqat")
            Path(broken).write_bytes(b"\0" * 100)
            for command in ("eval", "inspect", "verify", "predict"):
                images = ["x.png"] if command == "predict" else []
                self.refused(command, broken, *images, text="broken.fraqat", code=3)
                self.refused(command, broken + "x", *images, text="broken.fraqatx", code=3)

    def test_full_disk_and_closed_pipe(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([program.PROGRAM, "doctor"], stdout=full, text=True,
                                    stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cannot write to standard output", result.stderr)
        read, write = os.pipe()
        os.close(read)
        result = subprocess.run([program.PROGRAM, "doctor"], stdout=write, stderr=subprocess.PIPE)
        os.close(write)
        self.assertEqual((result.returncode, result.stderr), (1, b""))

    def test_colour_only_on_a_terminal_without_no_color(self):
        self.assertNotIn("\033", run("eval", "/nonexistent").stderr)
        self.assertNotIn("\033", run("doctor", cwd="/proc").stdout)
        self.assertIn("\033", on_terminal("data", "list")[1])
        self.assertNotIn("\033", on_terminal("data", "list", NO_COLOR="1")[1])
        self.assertNotIn("\033", on_terminal("data", "list", TERM="dumb")[1])

    def test_doctor(self):
        found = run_json(self, "doctor", "--threads", "1")
        self.assertEqual(found["threads"], 1)
        self.assertEqual(found["troubles"], [])
        self.assertIn("libgomp", found["openmp"])
        self.assertIn("OpenBLAS", found["blas"])
        self.assertIn("everything is in order", run("doctor").stdout)

    def test_doctor_finds_a_folder_it_may_not_write(self):
        result = run("doctor", "--json", cwd="/proc")  # where even root may not
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(json.loads(result.stdout)["troubles"]), 1)

    def test_pinned_instruction_set_starts_again(self):
        pinned = run("doctor", "--json", FRAQAT_ISA="avx2")
        if pinned.returncode != 0:
            self.skipTest("this processor has no AVX2")
        found = json.loads(pinned.stdout)
        self.assertEqual(found["isa"], "avx2")
        self.assertTrue(found["blas"].endswith("core Haswell"), found["blas"])
        kept = run_json(self, "doctor", FRAQAT_ISA="avx2", OPENBLAS_CORETYPE="Nehalem")
        self.assertTrue(kept["blas"].endswith("core Nehalem"), kept["blas"])
        self.refused("doctor", text="FRAQAT_ISA", FRAQAT_ISA="sse9")

    def test_data(self):
        found = {s["name"]: s for s in run_json(self, "data", "list")["sets"]}
        self.assertTrue(found["synthetic"]["found"])
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "mnist").mkdir()
            for stem in MNIST:
                (Path(folder) / "mnist" / stem).write_bytes(b"no IDX file")
            for flag, variables in (([], {"FRAQAT_DATA": folder}), (["--data-dir", folder], {})):
                sets = run_json(self, "data", "list", *flag, **variables)["sets"]
                found = {s["name"]: s for s in sets}
                self.assertEqual(found["mnist"]["directory"], folder + "/mnist")
            result = run("data", "verify", "mnist", "--data-dir", folder)
            self.assertEqual(result.returncode, 3)
            self.assertIn("damaged", result.stdout)
        self.refused("data", "fetch", "mnist", text="FRAQAT_DATA", code=1)
        with tempfile.TemporaryDirectory() as empty:
            out = Path(empty) / "run"
            self.refused("train", "--recipe", "lenet5-mnist", "--out", out, text="is not found",
                         code=3, FRAQAT_DATA=empty, XDG_CACHE_HOME=empty)
            self.assertFalse(out.exists())
        self.refused("data", "verify", "mnits", text="expected one of")

    def test_an_installed_program_finds_its_recipes(self):
        with tempfile.TemporaryDirectory() as prefix:
            (Path(prefix) / "bin").mkdir()
            recipes = Path(prefix) / "share/fraqat/recipes"
            recipes.mkdir(parents=True)
            (recipes / "here.toml").write_text("seed = -1\n")
            installed = shutil.copy(program.PROGRAM, Path(prefix) / "bin")
            for recipe, code, text in (("here", 3, "here.toml:1: seed: got -1"),
                                       ("there", 2, "expected a file (*.toml) or here")):
                result = subprocess.run([installed, "train", "--recipe", recipe], cwd=prefix,
                                        capture_output=True, text=True)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(text, result.stderr)

    def test_bench(self):
        small = ("--model", "mlp", "--batch", "16", "--rounds", "3", "--threads", "1")
        step = run_json(self, "bench", "train", *small, "--quantize", "all", "--profile")
        mixed = run_json(self, "bench", "train", *small, "--quantize", "all", "--policy", "logits-mixture")
        self.assertEqual((step["policy"], mixed["policy"]), ("stochastic", "logits-mixture"))
        self.assertGreater(mixed["parameters"], step["parameters"])  # a logit for each width
        alone = run_json(self, "bench", "train", *small, "--quantize", "weights-alone", "--profile")
        self.assertEqual(alone["profile"]["fake_quant"]["calls"], 3)
        evaluation = run_json(self, "bench", "eval", *small)
        for result in (step, evaluation):
            self.assertEqual((result["model"], result["batch"], result["threads"]), ("mlp", 16, 1))
            self.assertEqual(result["parameters"] > 235146, result is step)  # widths and ranges
            self.assertGreaterEqual(result["ms"], result["ms_min"])
            self.assertAlmostEqual(result["samples_per_second"] * result["ms"], 16e3, places=3)
            self.assertGreater(result["peak_bytes"], 4 * 235146)
        self.assertLess(evaluation["ms"], step["ms"])
        self.assertEqual(step["profile"]["linear"]["calls"], 3)
        self.assertIn("ms a batch", run("bench", "eval", *small).stdout)
        self.refused("bench", "eval", "--batch", "0", text="--batch")
        self.refused("bench", "eval", "--model", "mlp9", text="--model")

    def test_gradcheck_that_is_not_built(self):
        with tempfile.TemporaryDirectory() as folder:
            alone = shutil.copy(program.PROGRAM, folder)
            result = subprocess.run([alone, "gradcheck"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("ninja -C build tools/fraqat-gradcheck", result.stderr)


if __name__ == "__main__":
    program.main()
