"""What the trainings share: Muon, learning rates, clipping, an average of the weights."""

import copy
import math

import torch
from torch import Tensor, nn


def clip_and_step(loss: Tensor, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """One step down the gradient, whose norm is at most 1."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()


def ema_copy(module: nn.Module) -> nn.Module:
    """A frozen copy for `update_ema`."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update_ema(mean: nn.Module, module: nn.Module, step: int, decay: float = 0.9995) -> None:
    """Exponential moving average of the weights; the decay grows in with the first steps."""
    pull = 1 - min(decay, (step + 1) / (step + 10))
    torch._foreach_lerp_(list(mean.parameters()), [p.detach() for p in module.parameters()], pull)


def cosine_lr(step: int, steps: int, peak: float, warmup: int = 200) -> float:
    """Learning rate: a linear start, then a half cosine down to 2 % of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def trapezoid_lr(
    step: int, steps: int, peak: float, warmup: int = 200, falling: float = 0.3
) -> float:
    """Learning rate: a linear start, a plateau, and a linear end.

    Over the last share `falling` of the steps it goes down to 2 % of the peak.
    Unlike a cosine it does not depend on the length until it falls, so a run can be ended whenever
    there is time for the fall.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    left = (steps - step) / max(1.0, falling * steps)
    return peak * (0.02 + 0.98 * min(1.0, max(0.0, left)))


class Muon(torch.optim.Optimizer):
    """Orthogonalized momentum for matrices, AdamW for everything else.

    Jordan et al. 2024, kellerjordan.github.io/posts/muon.

    Every singular direction of a gradient is followed alike, so what is rare in the data, such as
    single subjects, is learned as fast as what is common. Steps of matrices are as large as AdamW's
    (arXiv:2502.16982, Equation 4), so one rate does for both.
    """

    def __init__(self, matrices: list[nn.Parameter], others: list[nn.Parameter], lr: float) -> None:
        """Args:
        matrices: weights of two dimensions or more; those of convolutions count as
            (out, in * height * width).
        others: everything else.
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
                    if group["matrix"]:
                        update = self.muon_update(parameter)
                    else:
                        update = self.adam_update(parameter)
                    parameter.add_(update, alpha=-group["lr"])

    def muon_update(self, parameter: nn.Parameter) -> Tensor:
        """Nesterov momentum 0.95 with all singular values near one, as large as a step of AdamW."""
        momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
        momentum.lerp_(parameter.grad, 0.05)
        longer = max(parameter.flatten(1).shape)
        return 0.2 * longer**0.5 * orthogonalize(parameter.grad.lerp(momentum, 0.95))

    def adam_update(self, parameter: nn.Parameter) -> Tensor:
        """A step of Adam, betas 0.9 and 0.99."""
        state = self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(parameter))
        square = state.setdefault("square", torch.zeros_like(parameter))
        count = state.setdefault("count", torch.zeros(()))
        count += 1
        mean.lerp_(parameter.grad, 0.1)
        square.lerp_(parameter.grad.square(), 0.01)
        return (mean / (1 - 0.9**count)) / ((square / (1 - 0.99**count)).sqrt() + 1e-8)


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """A matrix with its singular values brought near one, by Newton and Schulz's iteration.

    It is flattened to two dimensions. X <- (a I + b X X' + c (X X')^2) X. All these polynomials are
    of one symmetric matrix, so for long matrices they are multiplied up on the short side, and X is
    touched twice only.
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


def linear_decay_lr(step: int, steps: int, peak: float, warmup: int = 30) -> float:
    """Learning rate: a linear start, level, and down to nothing over the last two fifths."""
    return peak * min(1.0, (step + 1) / warmup, (steps - step) / (0.4 * steps))
