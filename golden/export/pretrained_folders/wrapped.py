"""State dicts under the names that PyTorch's wrappers give them.

`DataParallel` and `torch.compile` put their field into the names of the state dict. Activation checkpointing and FullyShardedDataParallel
remove theirs from it when it is taken whole; code that walks over the modules (`named_modules`) meets their names, and so do checkpoints that
are written that way."""

import torch
import torch.distributed as dist
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import apply_activation_checkpointing, checkpoint_wrapper
from torch.distributed.fsdp import FullyShardedDataParallel


def by_modules(model):
    """Parameters under the paths of their modules, each once."""
    found, seen = {}, set()
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter not in seen:
                found[f"{path}.{name}" if path else name] = parameter
                seen.add(parameter)
    return found


def checkpointed(model, layer):
    apply_activation_checkpointing(model, checkpoint_wrapper_fn=checkpoint_wrapper, check_fn=lambda module: isinstance(module, layer))
    return model


def sharded(model, layer):
    """FSDP of one process: the names are those of any number."""
    if not dist.is_initialized():
        dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    wrapped = FullyShardedDataParallel(
        model, auto_wrap_policy=lambda module, recurse, nonwrapped_numel: recurse or isinstance(module, layer), use_orig_params=True, device_id=torch.device("cpu")
    )
    return wrapped


def state_dicts(build, layer):
    """(name, tensors by name) of the same model, wrapped in each way. `build` makes it afresh, `layer` is the class of its layers."""
    yield "plain", build().state_dict()
    yield "data-parallel", torch.nn.DataParallel(build()).state_dict()
    yield "compiled", torch.compile(build()).state_dict()
    yield "compiled-data-parallel", torch.nn.DataParallel(torch.compile(build())).state_dict()
    yield "checkpointed", by_modules(checkpointed(build(), layer))
    yield "fully-sharded", by_modules(sharded(checkpointed(build(), layer), layer))
