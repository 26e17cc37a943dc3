"""Errors planted into case folders must be seen by the comparison, and what processors may change must not."""

import unittest

import torch

from golden.export.common import files
from golden.export.common.cases import compare
from golden.export.common.source import GOLDEN

from .folders import change_json, change_tensors, copies

SMALL, FULL, RAISING = "vit-pytorch/vit--gradients", "vit-pytorch/vit--full-readme", "flamingo-pytorch/perceiver-resampler--too-many-media"
CASES = GOLDEN / "cases"


class Comparison(unittest.TestCase):
    def complaints(self, name, plant):
        """What the comparison says of a copy of the case after `plant(folder)`."""
        folder = copies(self, f"cases/{name}") / "cases"
        plant(folder / name)
        return compare.complaints(CASES / name, folder / name)[0]

    def manifest(self, change, name=SMALL):
        return self.complaints(name, lambda folder: change_json(folder / "case.json", change))

    def tensors(self, file, change, name=SMALL):
        return self.complaints(name, lambda folder: change_tensors(folder / file, change))

    def test_equal_cases_have_no_complaints(self):
        for name in (SMALL, FULL, RAISING):
            self.assertEqual(self.complaints(name, lambda folder: None), [])

    def test_a_field_of_the_manifest_is_compared_unless_it_is_the_version_of_python(self):
        self.assertEqual(self.manifest(lambda case: case.update(seed=1)), ["case.json: seed differs"])
        self.assertEqual(self.manifest(lambda case: case["source"].update(version="9")), ["case.json: source differs"])
        self.assertEqual(self.manifest(lambda case: case["source"].update(python="3.99")), [])
        self.assertEqual(self.manifest(lambda case: case["tolerance"].update(K=9)), ["case.json: tolerance differs"])
        self.assertEqual(self.manifest(lambda case: case.update(extra=1)), ["case.json: extra differs"])

    def test_noise_may_differ_by_a_factor_of_four(self):
        def scaled(factor):
            def change(case):
                noise = case["tolerance"]["noise"]
                noise["outputs.out"] *= factor

            return self.manifest(change)

        for factor in (0.3, 3.9):
            self.assertEqual(scaled(factor), [])
        for factor in (0.2, 4.1, float("nan")):
            self.assertEqual(len(scaled(factor)), 1, factor)
        renamed = self.manifest(lambda case: case["tolerance"]["noise"].pop("outputs.out"))
        self.assertEqual(renamed, ["case.json: noise names other tensors"])

    def test_inputs_are_compared_bit_for_bit(self):
        file = "inputs.safetensors"

        def one_element(tensors):
            tensors["inputs.img"].view(-1)[5] *= 1 + 2**-7

        self.assertEqual(self.tensors(file, one_element), ["inputs.safetensors: inputs.img differs"])
        widened = self.tensors(file, lambda t: t.update({"inputs.img": t["inputs.img"].double()}))
        self.assertEqual(widened, ["inputs.safetensors: inputs.img differs"])
        self.assertEqual(self.tensors(file, lambda t: t.pop("inputs.img")), ["inputs.safetensors: other names"])

    def test_expected_values_may_differ_by_the_tolerance(self):
        def scaled(factor, name="outputs.out"):
            return self.tensors("expected.safetensors", lambda t: t.update({name: t[name] * factor}))

        self.assertEqual(scaled(1 + 5e-13), [])
        for name in ("outputs.out", "grads.inputs.img"):
            self.assertEqual(len(scaled(1 + 3e-12, name)), 1)
        self.assertEqual(len(scaled(float("nan"))), 1)

    def test_expected_tensors_have_the_same_names_and_types(self):
        file = "expected.safetensors"
        self.assertEqual(len(self.tensors(file, lambda t: t.pop("outputs.out"))), 1)
        self.assertEqual(len(self.tensors(file, lambda t: t.update(extra=torch.zeros(1)))), 1)
        self.assertEqual(len(self.tensors(file, lambda t: t.update({"probes.out.index": t["probes.out.index"].int()}), FULL)), 1)
        self.assertEqual(len(self.complaints(SMALL, lambda folder: (folder / file).unlink())), 1)
        self.assertEqual(len(self.complaints(RAISING, lambda folder: files.write_tensors(folder / file, {}))), 1)

    def test_every_part_of_the_probes_is_compared(self):
        for part in ("index", "value", "sum", "norm"):

            def change(tensors):
                name = f"probes.out.{part}"
                tensors[name] = tensors[name] + 1 if part == "index" else tensors[name] + 1e-6

            found = self.tensors("expected.safetensors", change, FULL)
            self.assertEqual(len(found), 1, part)
            self.assertIn(f"probes.out.{part}", found[0])

    def test_files_that_are_absent_or_damaged_are_complaints(self):
        self.assertIn("no case in", self.complaints(SMALL, lambda folder: (folder / "case.json").unlink())[0])
        damaged = self.complaints(SMALL, lambda folder: (folder / "inputs.safetensors").write_bytes(b"x"))
        self.assertIn("cannot be read", damaged[0])

    def test_a_recorded_exception_is_compared(self):
        found = self.manifest(lambda case: case["raises"].update(message="other"), RAISING)
        self.assertEqual(found, ["case.json: raises differs"])

    def test_a_complete_comparison_also_finds_cases_that_were_not_exported(self):
        folder = copies(self, f"cases/{SMALL}") / "cases"
        self.assertEqual([check.name for check in compare.cases(CASES, folder, "vit-pytorch", False)], [SMALL])
        failed = [check.name for check in compare.cases(CASES, folder, "vit-pytorch", True) if check.complaints]
        self.assertEqual(len(failed), len(list((CASES / "vit-pytorch").glob("*"))) - 1)
        self.assertNotIn(SMALL, failed)

    def test_nan_is_the_largest_error(self):
        self.assertEqual(compare.largest([(1.0, "a"), (float("nan"), "b"), (2.0, "c")])[1], "b")
