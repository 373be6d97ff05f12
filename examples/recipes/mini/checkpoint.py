"""Checkpoints that appear whole or not at all: modules, optimizer state and step."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def save_checkpoint(
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


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer | None = None
) -> int:
    """Restore modules (and the optimizer) in place; returns the step."""
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
    return checkpoint_step(path)


def checkpoint_step(path: Path) -> int:
    """The step that a checkpoint was written at."""
    with safe_open(path, "pt") as file:
        return int(file.metadata()["step"])


@dataclass
class Checkpointer:
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

    def after(self, step: int, metrics: Mapping[str, float]) -> None:
        """To be told of every step."""
        self.recent.append(metrics)
        if len(self.recent) == self.every:
            means = ", ".join(
                f"{name} {sum(each[name] for each in self.recent) / self.every:.4f}"
                for name in metrics
            )
            print(f"{time.strftime('%H:%M:%S')} step {step + 1} {means}", flush=True)
            self.recent = []
        if time.monotonic() - self.saved > 60 * self.minutes or step + 1 == self.steps:
            save_checkpoint(self.path, self.modules, self.optimizer, step + 1)
            self.saved = time.monotonic()
