"""Errors of an exchange of state dicts must be seen; the TypeScript side is replaced by a function."""

import json
import unittest
from unittest import mock

import torch
from safetensors.torch import load_file, save_file

from golden.export.common import exchange
from golden.export.common.cases.source import CaseSource

from .folders import copies

CONFIG = {"in_features": 3, "out_features": 2}


class StandIn(CaseSource):
    classes = {"Linear": torch.nn.Linear}


class Exchange(unittest.TestCase):
    def exchanged(self, write=lambda state: state, read=lambda state: state, fails=()):
        """check -> complaints, where `write` changes the file sent to PyTorch and `read` the one that comes back."""
        folder = copies(self)
        source = StandIn(folder / "source.py")
        (folder / "exchange.json").write_text(json.dumps({"models": [{"class": "Linear", "config": CONFIG}]}))

        def typescript(task, folder, name):
            if task == "write":
                save_file(write({"weight": torch.ones(2, 3), "bias": torch.zeros(2)}), folder / "Linear.safetensors")
            else:
                save_file(read(load_file(folder / "torch-Linear.safetensors")), folder / "torch-Linear.again.safetensors")
            return task not in fails

        with mock.patch.object(exchange, "typescript", typescript):
            return {check.name: check.complaints for check in exchange.checks(source, folder)}

    def test_equal_state_dicts_pass_in_both_directions(self):
        self.assertEqual(self.exchanged(), {"Linear to PyTorch": [], "Linear from PyTorch": []})

    def test_other_keys_or_shapes_do_not_load(self):
        renamed = self.exchanged(write=lambda state: {"weights": state["weight"], "bias": state["bias"]})
        self.assertEqual(renamed, {"Linear to PyTorch": ["other keys"]})
        found = self.exchanged(write=lambda state: state | {"bias": torch.zeros(3)})
        self.assertIn("size mismatch for bias", found["Linear to PyTorch"][0])

    def test_a_tensor_that_comes_back_different_or_not_at_all_fails(self):
        changed = self.exchanged(read=lambda state: state | {"weight": state["weight"].nextafter(torch.tensor(9.0))})
        self.assertEqual(changed["Linear from PyTorch"], ["weight came back different"])
        missing = self.exchanged(read=lambda state: {"bias": state["bias"]})
        self.assertEqual(missing["Linear from PyTorch"], ["other keys came back"])

    def test_a_failure_of_the_typescript_side_fails(self):
        self.assertEqual(list(self.exchanged(fails=("write",)).values()), [["exchange.mjs write fails"]])
        self.assertEqual(list(self.exchanged(fails=("read",)).values())[-1], ["exchange.mjs read fails"])
