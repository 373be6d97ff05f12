"""How a run went: the loss on the pictures, with the adapter and without it."""

import math
from dataclasses import dataclass

import torch

from stickerforge.errors import InputError
from stickerforge.runtime.seeds import derive_seed
from stickerforge.runtime.text import plural
from stickerforge.training.methods.denoising import (
    DenoisingMethod,
    base_denoising_error,
    denoising_error,
)
from stickerforge.training.run_folder import RunFolder

SAMPLES = (8, 32)  # at least and at most; between them one of each picture
# Both losses are of the same noise, so that even a small share of a fall is no chance; with DCO a
# run that went well may end with a loss only a few hundredths below that of the base.
FALL = 0.001
RISE = 0.05
TRIAL_STEPS = 20  # what fewer steps teach may be too little to be seen


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Args:
        loss: mean squared error of denoising the pictures with the adapter.
        base_loss: the same by the base model, under the same noise.
        steps: of the run.
    """

    loss: float
    base_loss: float
    steps: int

    @property
    def learned(self) -> bool:
        """Whether the adapter fits the pictures better than the base does."""
        return self.loss < (1 - FALL) * self.base_loss

    @property
    def diverged(self) -> bool:
        """Whether the adapter fits the pictures worse than the base does."""
        return not self.loss <= (1 + RISE) * self.base_loss  # also where it is no number

    @property
    def failed(self) -> bool:
        """Whether a run that is no mere trial learned nothing."""
        return not self.learned and self.steps >= TRIAL_STEPS

    def describe(self) -> str:
        """The losses for people."""
        if not math.isfinite(self.loss):
            return "the loss on the pictures is no number"
        steps = plural(self.steps, "step")
        return f"loss on the pictures {self.loss:.4g} after {steps}, {self.base_loss:.4g} before"


@torch.no_grad()
def measure_outcome(method: DenoisingMethod, *, steps: int) -> Outcome:
    """The losses of the model in training as it is now, and of the base.

    Args:
        steps: that were done.
    """
    low, high = SAMPLES
    samples = min(max(len(method.reference), low), high)
    seed = derive_seed(method.seed, "outcome")
    loss = base_loss = 0.0
    batches = math.ceil(samples / method.config.batch)
    for number in range(batches):
        batch = method.sample(method.reference, seed, number, cached_noise=0)
        loss += float(denoising_error(method.train_state, batch).mean()) / batches
        base_loss += float(base_denoising_error(method.train_state, batch).mean()) / batches
    return Outcome(loss, base_loss, steps)


def check_outcome(outcome: Outcome, run: RunFolder, lr: float) -> None:
    """Make sure that training did not make the model worse.

    Args:
        lr: the learning rate.

    Raises:
        InputError: it did; an adapter that was there before still is.
    """
    if outcome.diverged:
        raise InputError(
            f"training diverged: {outcome.describe()} (see {run.loss_plot})",
            f"start over with --force --lr {max(lr / 10, 1e-8):.1g}",
        )
