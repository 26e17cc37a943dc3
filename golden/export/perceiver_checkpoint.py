"""Writes checkpoint.pth and checkpoint.safetensors of golden/data/perceiver-io: python golden/export/perceiver_checkpoint.py FOLDER, a checkout of
JOBR0/PerceiverIO_Pytorch at 64947cf.

Needs torch 2.13.0, numpy, einops and safetensors. The first is what torch.save writes of a small language model, as the checkpoints of the repository are: a
dictionary with the key model_state_dict. The second has its logits in float64 for a text whose last token is padding."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path[:0] = [sys.argv[1], str(Path(__file__).resolve().parent / "perceiver_io")]
import stubs  # noqa: E402

stubs.install()
from perceiver_io.language_perceiver import LanguagePerceiver  # noqa: E402

folder = Path(__file__).resolve().parents[1] / "data/perceiver-io"
torch.manual_seed(59)
model = LanguagePerceiver(vocab_size=40, max_seq_len=6, embed_dim=8, num_self_attends_per_block=1, num_latents=3, num_latent_channels=8).eval()
for parameter in model.parameters():
    if parameter.numel():
        torch.nn.init.normal_(parameter, std=1 / parameter.shape[-1] ** 0.5)
torch.save({"model_state_dict": model.state_dict()}, folder / "checkpoint.pth")
ids = torch.tensor([[3, 39, 0, 17, 17, 4]])
mask = torch.tensor([[True, True, True, True, True, False]])
with torch.no_grad():
    logits = model.double()(ids, mask)
save_file({"ids": ids, "mask": mask.to(torch.uint8), "logits": logits.contiguous()}, folder / "checkpoint.safetensors")
(folder / "checkpoint.safetensors").chmod(0o644)
