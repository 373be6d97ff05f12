"""AdamW over a method's parameter groups, and its state as tensors of a checkpoint."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from stickerforge.training.methods.base import ParameterGroup


def build_optimizer(groups: Sequence[ParameterGroup], epsilon: float) -> torch.optim.Optimizer:
    """AdamW (arXiv:1711.05101) with a learning rate and weight decay per group."""
    return torch.optim.AdamW(
        cast(list[dict[str, Any]], list(groups)), betas=(0.9, 0.999), eps=epsilon, fused=True
    )


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments and counters of an optimizer by "optimizer/<parameter>/<name>"."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer/{index}/{key}": torch.as_tensor(value)
        for index, entry in state.items()
        for key, value in entry.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave.

    Raises:
        ValueError: they are of an optimizer with more parameters.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, index, name = key.split("/")
            state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    if max(state, default=0) >= sum(len(group["params"]) for group in groups):
        raise ValueError("the optimizer has fewer parameters than its saved state")
    optimizer.load_state_dict({"state": state, "param_groups": groups})
