"""open_clip, imported beside a torchvision of which only the Python code runs: its compiled operators are not needed."""

import torch

LIBRARY = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from open_clip.transform import image_transform  # noqa: E402, F401
from open_clip.transformer import QuickGELU, VisionTransformer  # noqa: E402

ACTIVATIONS = {"gelu": torch.nn.GELU, "quick_gelu": QuickGELU}
torch.backends.mha.set_fastpath_enabled(False)  # one fused op, which would leave out the roundings of scores and attention


def tower(config):
    """The tower of a case. `tokens` raw is the package's `final_ln_after_pool`, which normalises the class token alone."""
    own = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items() if name not in ("class", "act", "tokens")}
    activation = ACTIVATIONS[config.get("act", "gelu")]
    raw = config.get("tokens", "ln_post") == "raw"
    return VisionTransformer(**own, act_layer=activation, output_tokens=True, final_ln_after_pool=raw).eval()
