"""Flags: what a case exercises, computed from its tensors. The expected flags are worked out by hand."""

import unittest

import numpy as np

from golden.export.common.cases import flags as common
from golden.export.flamingo_pytorch import flags
from golden.export.vit_pytorch import flags as vit

TWELVE = np.zeros((1, 1, 12))


def with_value(value):
    x = TWELVE.copy()
    x[0, 0, 3] = value
    return x


class Released:
    def __init__(self, dim, heads=8, encoder=None):
        pass


class Common(unittest.TestCase):
    def test_a_deviation_is_beyond_half_precision_if_its_square_is(self):
        # (v - v/12)² for one v among eleven zeros: 279² · (11/12)² = 65,408 and 280² · (11/12)² = 65,877; float16 ends at 65,504
        self.assertEqual(common.row_flags(with_value(279)), set())
        self.assertEqual(common.row_flags(with_value(-280)), {"HalfRangeVariance"})

    def test_offset_rows_are_those_whose_mean_is_ten_deviations_away(self):
        one = np.array([[1.0, -1.0]])
        self.assertEqual(common.row_flags(one + 10), set())
        self.assertEqual(common.row_flags(one + 10.1), {"OffsetRows"})
        self.assertEqual(common.row_flags(np.full((1, 2), 7.0)), set())  # no variance at all

    def test_defaults_means_that_no_argument_with_a_default_is_given(self):
        self.assertEqual(common.option_flags(Released, {"dim": 4}), {"Defaults"})
        self.assertEqual(common.option_flags(Released, {"dim": 4, "heads": 8}), set())
        self.assertEqual(common.option_flags(Released, {"dim": 4, "encoder": {}}), set())
        self.assertEqual(common.option_flags(Released, {"dim": 4, "encoder": {}}, ("encoder",)), {"Defaults"})

    def test_sizes_count_from_one_beyond_a_block(self):
        self.assertEqual(common.size_flags(48, 128, 1024), set())
        self.assertEqual(common.size_flags(49, 129, 1025), {"ManyQueries", "ManyKeys", "LongSums"})


class Masks(unittest.TestCase):
    def stretch(self, places, tokens=25, images=2, per_image=100, mode="Immediate"):
        locations = np.zeros((1, tokens), bool)
        locations[0, places] = True
        return flags.masked_stretch(locations, images, per_image, mode)

    def test_a_stretch_is_a_block_of_keys_that_no_query_of_a_block_may_attend(self):
        self.assertTrue(self.stretch([24]))  # tokens 0 to 23 see no image
        self.assertTrue(self.stretch([0]))  # no token sees the second image, which alone has keys 128 to 199
        self.assertFalse(self.stretch([0, 20]))  # queries 0 to 23 see both images; token 24 sees keys 100 to 199
        self.assertFalse(self.stretch([24], tokens=25, images=1))  # one block of keys
        self.assertFalse(self.stretch([23], tokens=24))  # one block of queries

    def test_all_previous_images_leave_out_less(self):
        self.assertTrue(self.stretch([0, 20], tokens=25, images=3, per_image=128))  # nobody sees the third block
        self.assertFalse(self.stretch([0, 20], tokens=25, images=2, per_image=128, mode="AllPrevious"))
        self.assertTrue(self.stretch([0, 20], tokens=25, images=2, per_image=128))  # token 24 sees the second block alone


class Encoders(unittest.TestCase):
    def test_a_grid_is_square_or_not_whatever_the_image(self):
        self.assertEqual(vit.image_flags({"image_size": [8, 12], "patch_size": [4, 6]}, 8, 12), set())
        self.assertEqual(vit.image_flags({"image_size": 8, "patch_size": [4, 2]}, 8, 8), {"NotSquareGrid"})

    def test_an_image_may_be_smaller_on_either_side(self):
        model = {"image_size": 8, "patch_size": 4}
        self.assertEqual(vit.image_flags(model, 8, 8), set())
        self.assertEqual(vit.image_flags(model, 4, 8), {"SmallerImage"})
        self.assertEqual(vit.image_flags(model, 8, 4), {"SmallerImage"})
