"""The released MPTForCausalLM, without the packages that llm-foundry needs for training.

Its package files import data sets, evaluation and the training library composer; they are not run, and composer has a stand-in, which a
forward pass does not use. transformers 4.50 took `generate` from models that do not inherit it; the class gets it back as transformers gives
it to models with code of their own. Generation keeps the cache that the model returns, because the model takes no other."""

import contextlib
import importlib.metadata
import sys
import types

import torch
import transformers
from transformers.models.auto.auto_factory import add_generation_mixin_to_remote_model


def without_code(name, folder=None):
    """A package of which only its modules are run, or, without a folder, one that is empty."""
    sys.modules[name] = module = types.ModuleType(name)
    module.__path__ = [str(folder)] if folder else []
    return module


ROOT = importlib.metadata.distribution("llm-foundry").locate_file("llmfoundry")
for inner in ("", "models", "models/layers", "models/mpt", "models/utils", "utils"):
    without_code("/".join(["llmfoundry", inner]).strip("/").replace("/", "."), ROOT / inner)
without_code("composer")
without_code("composer.models").HuggingFaceModel = object
without_code("composer.utils").dist = None
from llmfoundry.models.mpt.configuration_mpt import MPTConfig  # noqa: E402
from llmfoundry.models.mpt.modeling_mpt import MPTForCausalLM  # noqa: E402

transformers.logging.set_verbosity_error()  # prompts with the padding id among their tokens are meant


class Generating(add_generation_mixin_to_remote_model(MPTForCausalLM)):
    """The class with `generate`."""

    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False


def spread(a, b):
    """matmul of operands with equal batch axes."""
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return product(a.expand(*batch, *a.shape[-2:]), b.expand(*batch, *b.shape[-2:]))


product = torch.Tensor.matmul


@contextlib.contextmanager
def spread_products():
    """Heads that share keys and values get views of them before they are multiplied: sums in sequence, which are a part of the noise that is
    measured, are made for products of equally many matrices."""
    torch.Tensor.matmul = spread
    try:
        yield
    finally:
        torch.Tensor.matmul = product
