"""Noise in bfloat16 and float16: what is rounded, what is measured, and which cases are not judged."""

import json
import unittest
from pathlib import Path

import numpy as np
import torch

from golden.export.common.cases import compare
from golden.export.common.cases.source import CaseSource
from golden.export.common.running import half
from golden.export.common.running.rounded import Rounded
from golden.export.common.source import Request

from .folders import change_json, copies


def bfloat16(value):
    """The nearest bfloat16 of float32 numbers, by integer arithmetic on their bits."""
    bits = np.asarray(value, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


class Rounding(unittest.TestCase):
    def test_a_product_is_summed_in_float32_and_then_rounded_once(self):
        a, b = (np.random.default_rng(seed).standard_normal((40, 40), np.float32) for seed in (0, 1))
        with Rounded(torch.bfloat16):
            found = torch.from_numpy(a) @ torch.from_numpy(b)
        np.testing.assert_array_equal(found.numpy(), bfloat16((torch.from_numpy(a) @ torch.from_numpy(b)).numpy()))

    def test_every_op_of_a_chain_is_rounded(self):
        x = np.random.default_rng(2).standard_normal(100, np.float32)
        with Rounded(torch.bfloat16):
            found = (torch.from_numpy(x) * 3 + 1) / 7
        np.testing.assert_array_equal(found.numpy(), bfloat16(bfloat16(bfloat16(x * 3) + 1) / np.float32(7)))

    def test_derivatives_are_rounded_too(self):
        x = torch.tensor([1.2345678, -0.7654321], requires_grad=True)
        with Rounded(torch.float16):
            (x * x * x).sum().backward()
        np.testing.assert_array_equal(x.grad.numpy(), x.grad.numpy().astype(np.float16).astype(np.float32))

    def test_float16_ends_at_65504_and_the_fill_value_stays_finite(self):
        with Rounded(torch.float16):
            found = torch.tensor([200.0, 300.0]) * torch.tensor([300.0, 300.0])
            filled = torch.zeros(1).masked_fill(torch.tensor([True]), -torch.finfo(torch.float32).max)
        self.assertEqual(found.tolist(), [60000, np.inf])
        self.assertEqual(filled.item(), -65504)


    def test_with_a_scale_roundings_are_as_large_and_go_another_way(self):
        x = torch.linspace(1.001, 3.999, 4000)
        with Rounded(torch.bfloat16):
            plain = x * 1
        with Rounded(torch.bfloat16, 1.5):
            found, held, large = x * 1, torch.tensor([1 + 2**-7]) * 2, torch.tensor([3e38]) * 1.00001
        self.assertLess(((found - plain) == 0).float().mean(), 0.5)
        sizes = [float(((one - x) / x).square().mean().sqrt()) for one in (found, plain)]
        self.assertLess(abs(sizes[0] / sizes[1] - 1), 0.25)
        self.assertLessEqual(float(((found - x) / x).abs().max()), 2**-8)
        self.assertEqual(held.item(), 2 + 2**-6)
        self.assertTrue(torch.isfinite(large).all())


class Product(torch.nn.Module):
    """x · weight, elementwise; times the scale of the config, and less the weights' own product with one."""

    def __init__(self, scale=1.0, cancels=False, ids=False):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(8))
        self.scale, self.cancels, self.ids = scale, cancels, ids

    def forward(self, x):
        out = x * self.weight
        if self.cancels:
            return out * (1 / 3) - out * 0.3333
        return {"out": out * self.scale, "ids": (out * 1e4 % 7).long()} if self.ids else out * self.scale


class Products(CaseSource):
    package, profile, classes = "stand-in", "stand-in@1", {"Product": Product}

    def versions(self):
        return "1", "2.13.0", {}


def tolerance(test, **config):
    folder = copies(test)
    source = Products(Path(__file__))
    source.axes = {"Product": {"x": "b d"}}
    path = folder / "product.json"
    entry = {"id": "one", "title": "A product", "seed": 3, "config": config, "inputs": {"x": [4, 8]}}
    path.write_text(json.dumps({"class": "Product", "cases": [entry]}))
    source.export(Request(out=folder / "cases", files=(path,)))
    return json.loads((folder / "cases/stand-in/product--one/case.json").read_text())["tolerance"]


class Measuring(unittest.TestCase):
    def test_the_noise_of_two_roundings_is_between_one_and_two_units(self):
        found = tolerance(self, scale=0.7)
        for precision, unit in (("bfloat16", 2**-8), ("float16", 2**-11)):
            self.assertGreaterEqual(found[precision]["outputs.out"], unit)
            self.assertLessEqual(found[precision]["outputs.out"], 2 * unit)

    def test_an_exact_result_has_the_noise_of_one_rounding(self):
        found = tolerance(self, scale=0.0)
        for precision, unit in (("bfloat16", 2**-8), ("float16", 2**-11)):
            self.assertTrue(unit <= found[precision]["outputs.out"] <= 1.006 * unit, precision)

    def test_a_case_beyond_the_range_of_float16_has_a_reason_in_place_of_noise(self):
        found = tolerance(self, scale=1e6)
        self.assertEqual(found["float16"], "outputs.out leaves the range of float16")
        self.assertIn("outputs.out", found["bfloat16"])

    def test_a_result_that_rounding_destroys_is_not_judged(self):
        found = tolerance(self, cancels=True)
        self.assertEqual(found["bfloat16"], "rounding to bfloat16 alone changes outputs.out by more than 1/16 of its size")
        self.assertLess(found["noise"]["outputs.out"], 1e-3)

    def test_integers_that_depend_on_rounding_are_not_judged(self):
        self.assertEqual(tolerance(self, ids=True)["bfloat16"], "outputs.ids is not exact in bfloat16")

    def test_only_the_tensors_within_the_limit_are_judged(self):
        measured = {"outputs.out": 0.01, "taps.attn": 0.07, "grads.inputs.x": 0.0625}
        self.assertEqual(half.limited(measured, ["outputs.out"], "bfloat16"), {"outputs.out": 0.01, "grads.inputs.x": 0.0625})


class Comparing(unittest.TestCase):
    name = "vit-pytorch/vit--gradients"

    def complaints(self, precision, change):
        folder = copies(self, f"cases/{self.name}") / "cases"
        change_json(folder / self.name / "case.json", lambda case: case["tolerance"].update({precision: {"outputs.out": 0.01, "grads.inputs.img": 0.06}}))
        other = copies(self, f"cases/{self.name}") / "cases"
        change_json(other / self.name / "case.json", lambda case: case["tolerance"].update({precision: change}))
        return compare.complaints(folder / self.name, other / self.name)[0]

    def test_noise_may_differ_by_a_factor_of_four_and_a_reason_must_be_the_same(self):
        self.assertEqual(self.complaints("float16", {"outputs.out": 0.03, "grads.inputs.img": 0.06}), [])
        self.assertEqual(len(self.complaints("float16", {"outputs.out": 0.05, "grads.inputs.img": 0.06})), 1)
        self.assertEqual(len(self.complaints("bfloat16", "outputs.out leaves the range of bfloat16")), 1)

    def test_a_tensor_near_the_limit_may_be_absent(self):
        self.assertEqual(self.complaints("float16", {"outputs.out": 0.01}), [])
        self.assertEqual(self.complaints("float16", {"grads.inputs.img": 0.06}), ["case.json: float16 names other tensors"])
