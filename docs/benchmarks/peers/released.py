"""The released classes, as golden/export runs them: vit_pytorch's __init__ would ask for torchvision."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3]))
from golden.export.flamingo_pytorch.source import SOURCE  # noqa: E402
from golden.export.vit_pytorch.classes import Extractor, ViT  # noqa: E402, F401

CLASSES = SOURCE.classes
