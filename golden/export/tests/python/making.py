"""Cases are made from a source that stands in for a package: several outputs, integers, requests, failures of the export."""

import importlib
import json
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from golden.export.common import command, files
from golden.export.common.cases.source import CaseSource
from golden.export.common.running import noise
from golden.export.common.source import Check, Request, Source

from .folders import copies

HERE = Path(__file__)


class Scores(torch.nn.Module):
    """Two outputs: logits, and the ids of the largest."""

    def __init__(self, dim):
        super().__init__()
        self.linear = torch.nn.Linear(dim, 5)

    def forward(self, x):
        logits = self.linear(x)
        return {"logits": logits, "ids": logits.argmax(-1)}


class StandIn(CaseSource):
    package, profile = "stand-in", "stand-in@1"
    classes = {"Scores": Scores}
    levels = {"Scores": "op"}

    def versions(self):
        return "1", "2.13.0", {}


def make(test, entries, **options):
    folder = copies(test)
    source = StandIn(HERE)
    source.axes = {"Scores": {"x": "b d"}}
    path = folder / "scores.json"
    path.write_text(json.dumps({"class": "Scores", "cases": entries}))
    source.export(Request(out=folder / "cases", files=(path,), **options))
    return folder / "cases" / "stand-in"


BASIC = {"id": "basic", "title": "Two outputs", "seed": 5, "config": {"dim": 4}, "inputs": {"x": [3, 4]}}


class Making(unittest.TestCase):
    def test_outputs_have_their_names_and_integers_their_type(self):
        folder = make(self, [BASIC]) / "scores--basic"
        case = json.loads((folder / "case.json").read_text())
        expected = files.read_tensors(folder / "expected.safetensors")
        self.assertEqual(case["outputs"], ["logits", "ids"])
        self.assertEqual(expected["outputs.logits"].dtype, torch.float64)
        self.assertEqual(expected["outputs.ids"].dtype, torch.int64)
        self.assertTrue(torch.equal(expected["outputs.ids"], expected["outputs.logits"].argmax(-1)))
        self.assertEqual(case["tolerance"]["noise"]["outputs.ids"], 0)
        self.assertGreater(case["tolerance"]["noise"]["outputs.logits"], 0)

    def test_a_case_with_more_noise_than_check_reads_is_refused(self):
        noise.check_bound("a case", {"outputs.out": noise.LARGEST})
        for value in (1.001e-3, 1.65, float("nan")):
            with self.assertRaisesRegex(ValueError, "a case: the noise of taps.x is .* and 0.001 at most"):
                noise.check_bound("a case", {"taps.x": value})
        with mock.patch.object(noise, "LARGEST", noise.FLOOR / 2):
            with self.assertRaisesRegex(ValueError, "stand-in/scores--basic: the noise of outputs.logits"):
                make(self, [BASIC])

    def test_a_case_may_name_its_level(self):
        folder = make(self, [BASIC | {"level": "decode"}, BASIC | {"id": "other"}])
        levels = {path.parent.name: json.loads(path.read_text())["level"] for path in folder.glob("*/case.json")}
        self.assertEqual(levels, {"scores--basic": "decode", "scores--other": "op"})

    def test_the_modules_of_a_checkout_can_be_imported(self):
        folder = copies(self)
        (folder / "released_in_a_checkout.py").write_text("SOURCE = 5\n")
        self.addCleanup(sys.path.remove, str(folder.resolve()))
        with mock.patch.object(command, "load", importlib.import_module):
            self.assertEqual(command.loaded("released_in_a_checkout", folder).SOURCE, 5)

    def test_the_loss_of_a_gradient_case_is_the_first_output_times_the_cotangent(self):
        folder = make(self, [BASIC | {"grads": True}]) / "scores--basic"
        given, expected = (files.read_tensors(folder / f"{name}.safetensors") for name in ("inputs", "expected"))
        self.assertEqual(list(given["inputs.cotangent"].shape), [3, 5])
        gradient = given["inputs.cotangent"].double() @ given["weights.linear.weight"].double()
        np.testing.assert_allclose(expected["grads.inputs.x"], gradient, rtol=1e-14)

    def test_patterns_and_small_limit_what_is_made(self):
        entries = [BASIC, BASIC | {"id": "other"}]
        made = lambda **options: sorted(path.name for path in make(self, entries, **options).glob("*"))
        self.assertEqual(made(), ["scores--basic", "scores--other"])
        self.assertEqual(made(only=("scores--o*",)), ["scores--other"])
        self.assertEqual(made(only=("stand-in/*basic",)), ["scores--basic"])
        request = Request(out=HERE, small=True)
        self.assertFalse(request.wants("a/b", full=True))
        self.assertTrue(request.wants("a/b"))

    def test_a_request_is_complete_only_without_limits(self):
        self.assertTrue(Request(out=HERE).complete)
        for limit in ({"only": ("a",)}, {"small": True}, {"files": (HERE,)}):
            self.assertFalse(Request(out=HERE, **limit).complete)

    def test_a_verification_counts_failures_of_the_export_and_of_the_comparison(self):
        class Failing(Source):
            def export(self, request):
                return problems

            def compare(self, committed, fresh, request):
                return [Check("one", []), Check("two", complaints)]

        request = Request(out=HERE, small=True)
        for problems, complaints, counts in (([], [], (2, 0)), ([], ["differs"], (1, 1)), (["crash"], ["differs"], (1, 2)), (["crash"], [], (2, 1))):
            self.assertEqual(command.verify(Failing(HERE), request, HERE), counts)
