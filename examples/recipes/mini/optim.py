"""What the trainings share: Muon, learning rates, clipping, an average of the weights."""

import copy
import math
from collections.abc import Iterable

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
    (arXiv:2502.16982, Equation 4), so one rate does for both. A step waits for nothing from the
    device, so that a CUDA graph can hold it.
    """

    def __init__(
        self, matrices: list[nn.Parameter], others: list[nn.Parameter], lr: float | Tensor
    ) -> None:
        """Args:
        matrices: weights of two dimensions or more; those of convolutions count as
            (out, in * height * width).
        others: everything else.
        lr: a tensor of no dimensions on the device for a CUDA graph.
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
            held = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not held:
                continue
            torch._foreach_mul_(held, 1 - group["lr"] * group["weight_decay"])
            updates = self.muon_updates(held) if group["matrix"] else self.adam_updates(held)
            torch._foreach_mul_(updates, group["lr"])
            torch._foreach_sub_(held, updates)

    def states(self, parameters: list[nn.Parameter], name: str) -> list[Tensor]:
        """What is remembered of each, zeros at first."""
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter)
        return [self.state[parameter][name] for parameter in parameters]

    def muon_updates(self, parameters: list[nn.Parameter]) -> list[Tensor]:
        """Nesterov momentum 0.95 with all singular values near one, as large as a step of AdamW."""
        gradients = [p.grad for p in parameters]
        momenta = self.states(parameters, "momentum")
        torch._foreach_lerp_(momenta, gradients, 0.05)
        updates = orthogonalize_all(torch._foreach_lerp(gradients, momenta, 0.95))
        torch._foreach_mul_(updates, [0.2 * max(p.flatten(1).shape) ** 0.5 for p in parameters])
        return updates

    def adam_updates(self, parameters: list[nn.Parameter]) -> list[Tensor]:
        """A step of Adam, betas 0.9 and 0.99."""
        gradients = [p.grad for p in parameters]
        means, squares = self.states(parameters, "mean"), self.states(parameters, "square")
        count = self.count(parameters)
        torch._foreach_lerp_(means, gradients, 0.1)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 0.01)
        updates = torch._foreach_div(means, 1 - 0.9**count)
        roots = torch._foreach_div(squares, 1 - 0.99**count)
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, 1e-8)
        torch._foreach_div_(updates, roots)
        return list(updates)

    def count(self, parameters: list[nn.Parameter]) -> Tensor:
        """How many steps these have taken, all of them together."""
        counts = []
        for parameter in parameters:
            if "count" not in self.state[parameter]:
                self.state[parameter]["count"] = torch.zeros((), device=parameter.device)
            counts.append(self.state[parameter]["count"])
        torch._foreach_add_(counts, 1)
        return counts[0]


def orthogonalize_all(matrices: Iterable[Tensor]) -> list[Tensor]:
    """`orthogonalize` of each, those of one shape at once: a GPU waits for calls otherwise."""
    matrices = list(matrices)
    shapes: dict[tuple[int, int], list[int]] = {}
    for index, matrix in enumerate(matrices):
        shapes.setdefault(tuple(matrix.flatten(1).shape), []).append(index)
    results = [*matrices]
    for indices in shapes.values():
        together = orthogonalize(torch.stack([matrices[i].flatten(1) for i in indices]))
        for index, result in zip(indices, together, strict=True):
            results[index] = result.reshape(matrices[index].shape)
    return results


def orthogonalize(matrices: Tensor, steps: int = 5) -> Tensor:
    """Matrices with their singular values brought near one, by Newton and Schulz's iteration.

    X <- (a I + b X X' + c (X X')^2) X. All these polynomials are of one symmetric matrix, so for
    long matrices they are multiplied up on the short side, and X is touched twice only.

    Args:
        matrices: (N, rows, columns).
    """
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    wide = wide / (torch.linalg.matrix_norm(wide)[:, None, None] + 1e-7)
    long = wide.shape[2] >= 2 * wide.shape[1]
    square = wide @ wide.mT
    product = torch.eye(wide.shape[1], dtype=wide.dtype, device=wide.device)
    for _ in range(steps):
        factor = torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315)
        factor.diagonal(dim1=1, dim2=2).add_(3.4445)
        if long:
            square, product = square @ factor @ factor, factor @ product
        else:
            wide = factor @ wide
            square = wide @ wide.mT
    result = product @ wide if long else wide
    return result.mT if tall else result


def linear_decay_lr(step: int, steps: int, peak: float, warmup: int = 30) -> float:
    """Learning rate: a linear start, level, and down to nothing over the last two fifths."""
    return peak * min(1.0, (step + 1) / warmup, (steps - step) / (0.4 * steps))
