"""What both trainings share: a checkpoint that appears whole or not at all, a moving average, a rate.

Shapes: whatever the modules have.
"""

import copy
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def save(
    path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, step: int
) -> None:
    """Everything a resumed run needs in one safetensors file, renamed into place when complete."""
    tensors = {
        f"{name}/{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer/{index}/{key}": torch.as_tensor(value) for key, value in state.items()
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(
        {key: value.detach().contiguous().clone() for key, value in tensors.items()},
        partial,
        {"step": str(step)},
    )
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.rename(path)


def load(
    path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer | None = None
) -> int:
    """Restore modules (and the optimizer) in place; returns the step."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    tensors = load_file(path)
    for name, module in modules.items():
        part = {
            key.removeprefix(f"{name}/"): value
            for key, value in tensors.items()
            if key.startswith(f"{name}/")
        }
        module.load_state_dict(part)
    if optimizer is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                _, index, field = key.split("/")
                state.setdefault(int(index), {})[field] = value
        optimizer.load_state_dict(
            {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
        )
    return step


def descend(loss: Tensor, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """One step down the gradient, whose norm is at most 1."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()


@dataclass
class Keeper:
    """Prints means of what a training sees, and saves its state now and then and at its end.

    Args:
        steps: of the whole training.
        minutes: between checkpoints.
        every: steps between lines.
    """

    path: Path
    modules: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    steps: int
    minutes: float
    every: int = 100
    recent: list[Mapping[str, float]] = field(default_factory=list)
    saved: float = field(default_factory=time.monotonic)

    def after(self, step: int, seen: Mapping[str, float]) -> None:
        """To be told of every step."""
        self.recent.append(seen)
        if len(self.recent) == self.every:
            means = ", ".join(
                f"{name} {sum(each[name] for each in self.recent) / self.every:.4f}"
                for name in seen
            )
            print(f"{time.strftime('%H:%M:%S')} step {step + 1} {means}", flush=True)
            self.recent = []
        if time.monotonic() - self.saved > 60 * self.minutes or step + 1 == self.steps:
            save(self.path, self.modules, self.optimizer, step + 1)
            self.saved = time.monotonic()


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


def plateau(step: int, steps: int, peak: float, warmup: int = 200, falling: float = 0.3) -> float:
    """Learning rate: a linear start, then level, then straight down to 2 % of the peak over the last share `falling` of the steps.

    Unlike a cosine it does not depend on the length until it falls, so a run can be ended whenever there is time for the fall.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    left = (steps - step) / max(1.0, falling * steps)
    return peak * (0.02 + 0.98 * min(1.0, max(0.0, left)))


class Muon(torch.optim.Optimizer):
    """Matrices by orthogonalized momentum (Jordan et al. 2024, kellerjordan.github.io/posts/muon), everything else by AdamW.

    Every singular direction of a gradient is followed alike, so what is rare in the data, such as single subjects, is learned as
    fast as what is common. Steps of matrices are as large as AdamW's (arXiv:2502.16982, Equation 4), so one rate does for both.
    """

    def __init__(self, matrices: list[nn.Parameter], others: list[nn.Parameter], lr: float) -> None:
        """Args:
        matrices: weights of two dimensions or more; those of convolutions count as (out, in * height * width).
        """
        groups = [
            {"params": matrices, "matrix": True, "weight_decay": 0.05},
            {"params": others, "matrix": False, "weight_decay": 0.01},
        ]
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update = self.turned(parameter) if group["matrix"] else self.scaled(parameter)
                    parameter.add_(update, alpha=-group["lr"])

    def turned(self, parameter: nn.Parameter) -> Tensor:
        """The momentum (Nesterov, 0.95) with all singular values near one, as large as a step of AdamW."""
        momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        momentum.lerp_(parameter.grad, 0.05)
        longer = max(parameter.flatten(1).shape)
        return 0.2 * longer**0.5 * orthogonalized(parameter.grad.lerp(momentum, 0.95))

    def scaled(self, parameter: nn.Parameter) -> Tensor:
        """A step of Adam, betas 0.9 and 0.99."""
        state = self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(parameter))
        square = state.setdefault("square", torch.zeros_like(parameter))
        count = state.setdefault("count", torch.zeros(()))
        count += 1
        mean.lerp_(parameter.grad, 0.1)
        square.lerp_(parameter.grad.square(), 0.01)
        return (mean / (1 - 0.9**count)) / ((square / (1 - 0.99**count)).sqrt() + 1e-8)


def orthogonalized(matrix: Tensor, steps: int = 5) -> Tensor:
    """A matrix (flattened to two dimensions) with its singular values brought near one, by Newton and Schulz's iteration.

    X <- (a I + b X X' + c (X X')^2) X. All these polynomials are of one symmetric matrix, so for long matrices they are multiplied
    up on the short side, and X is touched twice only.
    """
    flat = matrix.flatten(1)
    tall = flat.shape[0] > flat.shape[1]
    wide = flat.T if tall else flat
    wide = wide / (wide.norm() + 1e-7)
    long = wide.shape[1] >= 2 * wide.shape[0]
    square, product = wide @ wide.T, torch.eye(wide.shape[0], dtype=wide.dtype, device=wide.device)
    for _ in range(steps):
        factor = torch.addmm(square, square, square, beta=-4.7750, alpha=2.0315)
        factor.diagonal().add_(3.4445)
        if long:
            square, product = square @ factor @ factor, factor @ product
        else:
            wide = factor @ wide
            square = wide @ wide.T
    result = product @ wide if long else wide
    return (result.T if tall else result).reshape(matrix.shape)
