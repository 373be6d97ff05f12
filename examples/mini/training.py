"""What both trainings share: a checkpoint that appears whole or not at all, a moving average, a rate.

Shapes: whatever the modules have.
"""

import copy
import math
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def save(path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, step: int) -> None:
    """Everything a resumed run needs in one safetensors file, renamed into place when complete."""
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, partial, {"step": str(step)})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(path)


def load(path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer | None = None) -> int:
    """Restore modules (and the optimizer) in place; returns the step."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    tensors = load_file(path)
    for name, module in modules.items():
        part = {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}
        module.load_state_dict(part)
    if optimizer is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                _, index, field = key.split("/")
                state.setdefault(int(index), {})[field] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def averaged(module: nn.Module) -> nn.Module:
    """A frozen copy that `average` pulls along."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def average(mean: nn.Module, module: nn.Module, step: int, decay: float = 0.9995) -> None:
    """Exponential moving average of the weights; the decay grows in with the first steps."""
    pull = 1 - min(decay, (step + 1) / (step + 10))
    torch._foreach_lerp_(list(mean.parameters()), [p.detach() for p in module.parameters()], pull)


def rate(step: int, steps: int, peak: float, warmup: int = 200) -> float:
    """Learning rate: a linear start, then a half cosine down to 2 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
