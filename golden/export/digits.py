"""Exports scikit-learn's handwritten digits once: python digits.py  (needs scikit-learn, which nothing else here uses).

8x8 pictures with values from 0 to 16, axes n h w, and the digit that each shows; U8."""

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
