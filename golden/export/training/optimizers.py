"""PyTorch's own optimisers and schedulers, from the options of a training case."""

import torch

SCHEDULE_STEPS = 15


def scheduler(optimizer, kind="constant", warmup=0, steps=None, floor=0.0):
    """torch's own schedulers for the schedules of the training cases."""
    after = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1, total_iters=0),
        "linear": lambda: torch.optim.lr_scheduler.LinearLR(optimizer, 1, max(floor, 0.0), steps - warmup),
        "cosine": lambda: ClampedCosine(optimizer, steps - warmup, floor),
    }
    if warmup == 0:
        return after[kind]()
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / (warmup + 1), 1, warmup)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, after[kind]()], [warmup])


class ClampedCosine(torch.optim.lr_scheduler.CosineAnnealingLR):
    """torch's cosine rises again after its last step; here the rate stays at the floor. `eta_min` is a rate, not a factor."""

    def __init__(self, optimizer, steps, floor):
        first = optimizer.param_groups[0]
        super().__init__(optimizer, steps, eta_min=floor * first["initial_lr" if "initial_lr" in first else "lr"])

    def get_lr(self):
        return [group["lr"] for group in self.optimizer.param_groups] if self.last_epoch > self.T_max else super().get_lr()


def factors(options):
    """The factor of the learning rate at each step."""
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule, found = scheduler(optimizer, **options), []
    for _ in range(SCHEDULE_STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(found, dtype=torch.float64)


def optimizer_of(case, named):
    options = dict(case["optimizer"])
    kind, rate = options.pop("kind"), options.pop("learningRate")
    decay = options.pop("weightDecay", 0)
    plain = [key for key in named if case.get("undecayed") and named[key].dim() < 2]
    groups = [{"params": [named[key] for key in named if key not in plain], "weight_decay": decay}]
    groups += [{"params": [named[key] for key in plain], "weight_decay": 0}] if plain else []
    spelt = {"betas": "betas", "epsilon": "eps", "momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov"}
    known = {spelt[name]: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    classes = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    return classes[kind](groups, lr=rate, foreach=False, **known)
