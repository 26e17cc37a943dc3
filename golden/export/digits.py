"""Writes golden/data/digits.safetensors from scikit-learn's handwritten digits: python golden/export/digits.py

Needs scikit-learn, which no source requires. The pictures are 8x8 with values from 0 to 16 and axes n h w; the labels are
the digits they show. Both are U8."""

from pathlib import Path

import numpy as np
import sklearn.datasets
from safetensors.numpy import save_file

path = Path(__file__).resolve().parent.parent / "data" / "digits.safetensors"
digits = sklearn.datasets.load_digits()
images = digits.images.astype(np.uint8)
assert (images == digits.images).all() and images.max() == 16 and images.shape == (1797, 8, 8)
save_file({"images": images, "labels": digits.target.astype(np.uint8)}, path)
path.chmod(0o644)
