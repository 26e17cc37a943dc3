"""The released classes, entered as golden/export enters them: vit_pytorch's __init__ would ask for torchvision."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "golden" / "export"))
from sources import CLASSES, Extractor, ViT  # noqa: E402, F401
