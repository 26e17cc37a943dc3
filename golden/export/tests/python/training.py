"""Errors planted into training cases must be seen."""

import unittest

from golden.export.common.source import GOLDEN, Request
from golden.export.training.source import SOURCE

from .folders import change_json, change_tensors, copies

CASES = GOLDEN / "cases"


class Training(unittest.TestCase):
    def failed(self, plant, complete=True):
        folder = copies(self, "cases/training") / "cases"
        plant(folder / "training")
        checks = SOURCE.compare(CASES, folder, Request(out=folder, small=not complete))
        return {check.name: check.complaints for check in checks if check.complaints}

    def test_equal_cases_have_no_complaints(self):
        self.assertEqual(self.failed(lambda folder: None), {})

    def test_a_changed_manifest_is_a_complaint(self):
        found = self.failed(lambda folder: change_json(folder / "sgd-nesterov/training.json", lambda case: case.update(seed=1)))
        self.assertEqual(found, {"training/sgd-nesterov": ["training.json differs"]})

    def test_inputs_must_be_equal_and_expected_values_close(self):
        def scaled(file, name, factor):
            def change(tensors):
                tensors[name] = tensors[name] * factor

            return self.failed(lambda folder: change_tensors(folder / "adamw-text" / file, change))

        self.assertEqual(scaled("expected.safetensors", "loss", 1 + 5e-12), {})
        self.assertEqual(scaled("expected.safetensors", "loss", 1 + 2e-11), {"training/adamw-text": ["expected.safetensors differs"]})
        self.assertEqual(scaled("expected.safetensors", "loss", float("nan")), {"training/adamw-text": ["expected.safetensors differs"]})
        self.assertEqual(scaled("inputs.safetensors", "weights.token_emb.weight", 2), {"training/adamw-text": ["inputs.safetensors differs"]})

    def test_tensors_have_the_same_names_shapes_and_types(self):
        for part, change in (
            ("expected.safetensors", lambda t: t.pop("rate")),
            ("expected.safetensors", lambda t: t.update(rate=t["rate"][:-1])),
            ("inputs.safetensors", lambda t: t.update({"inputs.text": t["inputs.text"].int()})),
        ):
            found = self.failed(lambda folder: change_tensors(folder / "sgd-dampened" / part, change))
            self.assertEqual(found, {"training/sgd-dampened": [f"{part} differs"]})

    def test_a_complete_comparison_finds_a_case_that_was_not_exported(self):
        def remove(folder):
            for path in sorted((folder / "schedules").glob("*")):
                path.unlink()
            (folder / "schedules").rmdir()

        self.assertIn("training/schedules", self.failed(remove))
        self.assertEqual(self.failed(remove, complete=False), {})
