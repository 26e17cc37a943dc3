"""Writes golden/data/perceiver-io: python golden/export/perceiver_data.py FOLDER, a checkout of JOBR0/PerceiverIO_Pytorch at 64947cf.

Needs torch, numpy, Pillow, scipy and safetensors. The labels are those of the checkout, one a line. expected.safetensors holds what its
functions of flow colours and its tokenizer compute, what torch resizes as its example of pictures does, and what scipy reads and writes."""

import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import scipy.io.wavfile
import torch
from safetensors.numpy import save_file

checkout = sys.argv[1]
sys.path[:0] = [checkout, str(Path(__file__).resolve().parent / "perceiver_io")]
import stubs  # noqa: E402

stubs.install()
from utils.bytes_tokenizer import BytesTokenizer  # noqa: E402
from utils.flow_utils import flow_to_image, get_error_image, make_colorwheel  # noqa: E402
from utils.imagenet_labels import IMAGENET_LABELS  # noqa: E402
from utils.kinetics_700_classes import KINETICS_CLASSES  # noqa: E402

folder = Path(__file__).resolve().parent.parent / "data" / "perceiver-io"
folder.mkdir(exist_ok=True)
for name, labels in {"imagenet-1000.txt": IMAGENET_LABELS, "kinetics-700.txt": KINETICS_CLASSES}.items():
    assert all("\n" not in label for label in labels)
    (folder / name).write_text("".join(f"{label}\n" for label in labels), "utf-8")
    print(name, len(labels), hashlib.sha256("\n".join(labels).encode()).hexdigest())

random = np.random.default_rng(59)
flow = random.normal(0, 4, (17, 13, 2))
flow[0, :4] = [[0, 0], [3, 0], [0, -3], [-2, 0.0]]  # no displacement, and displacements along the axes
truth, valid = flow + random.normal(0, 1, flow.shape), random.integers(0, 2, (17, 13))
picture = random.integers(0, 256, (23, 31, 3), dtype=np.uint8)
square = torch.from_numpy(picture)[None].permute(0, 3, 1, 2).double()[:, :, 0:23, 4:27]  # resized_crop: top int(0), left int(4)


def resized(side, antialias):
    size = (side, side)
    return torch.nn.functional.interpolate(square, size=size, mode="bilinear", align_corners=False, antialias=antialias)[0].numpy()


def sounds():
    stereo = random.integers(-(2**15), 2**15, (50, 2)).astype(np.int16)
    file = io.BytesIO()
    scipy.io.wavfile.write(file, 48000, stereo)
    mono = io.BytesIO()
    scipy.io.wavfile.write(mono, 48000, np.ascontiguousarray(stereo[:, 0]))
    first = (stereo[:, 0].astype(np.float32) / 2**15).astype(np.float64)
    return {name: np.frombuffer(file.getvalue(), np.uint8) for name, file in {"stereo": file, "mono": mono}.items()} | {"samples": first}


tokenizer, text = BytesTokenizer(), "Zürich 🦩"
tokens = tokenizer.to_int(text)
broken = np.array([1, 3, 6 + 0xE2, 6 + 0x82, 6 + 65, 5, 6 + 0xFF])
save_file(
    {
        "wheel": make_colorwheel().astype(np.uint8),
        "flow": flow,
        "colours": flow_to_image(flow),
        "colours_clipped": flow_to_image(flow, clip_flow=3.0),
        "truth": truth,
        "valid": valid.astype(np.uint8),
        "errors": np.array(get_error_image(flow, truth)),
        "errors_valid": np.array(get_error_image(flow, truth, valid)),
        "picture": picture,
        "reduced": np.ascontiguousarray(resized(9, True)),
        "reduced_plain": np.ascontiguousarray(resized(9, False)),
        "enlarged": np.ascontiguousarray(resized(40, True)),
        "text": np.frombuffer(text.encode(), np.uint8),
        "tokens": tokens,
        "broken": broken.astype(np.int32),
        "broken_text": np.frombuffer(tokenizer.to_string(broken).encode(), np.uint8),
        **sounds(),
    },
    folder / "expected.safetensors",
)
(folder / "expected.safetensors").chmod(0o644)
