"""Seconds of one training step of the README's FlamingoPaLM at depth 2: the median of three, after one to warm up."""

import statistics
import time

import torch
from released import CLASSES, Extractor, ViT

vit = ViT(image_size=256, patch_size=32, num_classes=1000, dim=1024, depth=6, heads=16, mlp_dim=2048)
encoder = Extractor(vit, return_embeddings_only=True)
model = CLASSES["FlamingoPaLM"](num_tokens=20000, dim=1024, depth=2, heads=8, dim_head=64, img_encoder=encoder)
ids = torch.randint(4, 19000, (4, 512))
ids[:, [5, 200]] = 3
images = torch.randn(4, 2, 3, 256, 256)
model(ids[:, :8], images=images)  # freezes what the Flamingo phase does not train
trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=1e-4)

seconds = []
for _ in range(4):
    since = time.perf_counter()
    optimizer.zero_grad()
    logits = model(ids, images=images)
    torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, 20000), ids[:, 1:].reshape(-1)).backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    seconds.append(time.perf_counter() - since)
print(statistics.median(seconds[1:]))
