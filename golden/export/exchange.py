"""State dicts go both ways: a file written here loads strictly there, and comes back bit for bit."""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file
from sources import build

HERE = pathlib.Path(__file__).parent


def ours(task, folder):
    subprocess.run(["node", str(HERE / "exchange.mjs"), task, folder], check=True)


def main():
    models = json.loads((HERE / "exchange.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        ours("write", folder)
        for entry in models:
            name = entry["class"]
            model = build(name, entry["config"])
            state = load_file(f"{folder}/{name}.safetensors")
            assert list(sorted(state)) == sorted(model.state_dict()), f"{name}: other keys"
            model.load_state_dict(state, strict=True)
            torch.manual_seed(1)
            fresh = build(name, entry["config"]).state_dict()
            # safetensors refuses tensors that share memory, as tied weights do
            save_file({key: tensor.clone() for key, tensor in fresh.items()}, f"{folder}/torch-{name}.safetensors")
        ours("read", folder)
        for entry in models:
            name = entry["class"]
            sent, back = (load_file(f"{folder}/torch-{name}{end}.safetensors") for end in ("", ".again"))
            assert sent.keys() == back.keys(), f"{name}: other keys came back"
            for key, tensor in sent.items():
                assert torch.equal(tensor, back[key]), f"{name}: {key} came back different"
    print(f"state dicts of {len(models)} models load strictly in both directions, bit for bit")


if __name__ == "__main__":
    sys.exit(main())
