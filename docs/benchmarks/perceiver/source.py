"""Runs a task of JOBR0/PerceiverIO_Pytorch in float32 with two threads: python source.py CHECKOUT TASK WEIGHTS

For each line on stdin a line {"seconds", "cpuSeconds", "peakBytes", "outputs"}, with the same numbers of each output as flamboyance.mjs, or
{"error"}. The task "autoencode" is 8 of 128 chunks, each of which encodes the video, as the source does. Needs torch, numpy and einops."""

import json
import resource
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import torch

checkout, task, weights = sys.argv[1:]
sys.path[:0] = [checkout, str(Path(__file__).resolve().parents[3] / "golden/export/perceiver_io")]
import stubs  # noqa: E402

stubs.install()
from perceiver_io.classification_perceiver import ClassificationPerceiver, PrepType  # noqa: E402
from perceiver_io.flow_perceiver import FlowPerceiver  # noqa: E402
from perceiver_io.language_perceiver import LanguagePerceiver  # noqa: E402
from perceiver_io.multimodal_perceiver import MultiModalPerceiver  # noqa: E402

torch.set_num_threads(2)
CHUNKS, MEASURED = 128, 8
ALIASES = ("_embedding.weight", "num_batches_tracked")


def waves(*shape):
    return torch.from_numpy((0.5 * np.sin(0.7 * np.arange(np.prod(shape)))).astype(np.float32).reshape(shape))


def load(model):
    """Reads a safetensors file tensor by tensor, so that it is not in memory beside the model."""
    with open(weights, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(length))
        for name, tensor in model.state_dict().items():
            if name not in entries:
                assert name.endswith(ALIASES), f"{name} is not in {weights}"
                continue
            assert entries[name]["dtype"] == "F32" and entries[name]["shape"] == list(tensor.shape), name
            file.seek(8 + length + entries[name]["data_offsets"][0])
            tensor.copy_(torch.from_numpy(np.fromfile(file, np.float32, tensor.numel())).reshape(tensor.shape))


def classifier(kind):
    model, picture = ClassificationPerceiver(prep_type=PrepType[kind]), waves(1, 3, 224, 224)
    return model, lambda: {"out": model(picture)}


def language():
    model, ids = LanguagePerceiver(), (7 * torch.arange(2048) % 262)[None]
    return model, lambda: {"out": model(ids, None)}


def flow():
    model, image = FlowPerceiver(), waves(1, 3, 368, 496)
    return model, lambda: {"out": model(image, image)}


def chunks(count):
    model, images, audio = MultiModalPerceiver(), waves(1, 16, 3, 224, 224), waves(1, 30720, 1)
    pixels, patches = 16 * 224 * 224 // CHUNKS, 30720 // 16 // CHUNKS

    def chunk(i):
        points = {"image": torch.arange(pixels * i, pixels * (i + 1)), "audio": torch.arange(patches * i, patches * (i + 1))}
        inputs = {"image": images, "audio": audio, "label": torch.zeros((1, 700))}
        return model.perceiver(inputs, subsampled_output_points=points | {"label": None})

    return model, lambda: [chunk(i) for i in range(count)][0]


def sample(tensor):
    values = tensor.flatten().double()
    numbers = [values[i * len(values) // 64].item() for i in range(64)]
    return {"rms": values.square().mean().sqrt().item(), "numbers": numbers}


TASKS = {
    "language": language,
    "conv1x1": lambda: classifier("LEARNED_POS_1X1CONV"),
    "pixels": lambda: classifier("FOURIER_POS_PIXEL"),
    "conv": lambda: classifier("FOURIER_POS_CONVNET"),
    "flow": flow,
    "chunk": lambda: chunks(1),
    "autoencode": lambda: chunks(MEASURED),
}


def measured(run):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before, since = usage.ru_utime + usage.ru_stime, time.perf_counter()
    outputs = run()
    seconds, usage = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_SELF)
    cpu, peak = usage.ru_utime + usage.ru_stime - before, 1024 * usage.ru_maxrss
    return {"seconds": seconds, "cpuSeconds": cpu, "peakBytes": peak, "outputs": {name: sample(t) for name, t in outputs.items()}}


with torch.no_grad():
    try:
        model, run = TASKS[task]()
        load(model.eval())
        first = {}
    except Exception:
        first = {"error": traceback.format_exc()}
    for _ in sys.stdin:
        try:
            print(json.dumps(first or measured(run)), flush=True)
        except Exception:
            print(json.dumps({"error": traceback.format_exc()}), flush=True)
