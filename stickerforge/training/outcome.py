"""How a run went: the loss on the pictures, with the adapter and without it."""

import math
from dataclasses import dataclass

import numpy as np
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
# Both losses are of the same noise, so that a small share of a fall counts; with DCO a run that
# went well may end with a loss only a few hundredths below that of the base.
FALL = 0.001
RISE = 0.05
STANDARD_ERRORS = 2.0  # within which a difference may still be chance
TRIAL = 0.25  # of the recommended steps: what fewer teach may be too little to be seen


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Args:
        loss: weighted mean squared error of denoising the pictures with the adapter.
        base_loss: the same by the base model, under the same noise.
        standard_error: of the difference of the two.
        steps: of the run.
        recommended_steps: for the model and for what is taught.
    """

    loss: float
    base_loss: float
    standard_error: float
    steps: int
    recommended_steps: int

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
        """Whether a run that is no mere trial learned nothing, and that is no chance."""
        lowest = self.loss - STANDARD_ERRORS * self.standard_error
        fell = lowest < (1 - FALL) * self.base_loss
        return not fell and self.steps >= TRIAL * self.recommended_steps

    def provenance(self) -> dict[str, float]:
        """For the adapter's description."""
        return {"loss": self.loss, "base_loss": self.base_loss, "steps": self.steps}

    def describe(self) -> str:
        """The losses for people."""
        if not math.isfinite(self.loss):
            return "the loss on the pictures is no number"
        steps = plural(self.steps, "step")
        return f"loss on the pictures {self.loss:.4g} after {steps}, {self.base_loss:.4g} before"


@torch.no_grad()
def measure_outcome(method: DenoisingMethod, *, steps: int, recommended_steps: int) -> Outcome:
    """The losses of the model in training as it is now, and of the base.

    Args:
        steps: that were done.
        recommended_steps: for the model and for what is taught.
    """
    low, high = SAMPLES
    samples = min(max(len(method.reference), low), high)
    seed = derive_seed(method.seed, "outcome")
    losses, base_losses = list[float](), list[float]()
    for number in range(math.ceil(samples / method.config.batch)):
        batch = method.sample(method.reference, seed, number, cached_noise=0)
        weights = method.loss_weights(batch)
        losses += (weights * denoising_error(method.train_state, batch)).tolist()
        base_losses += (weights * base_denoising_error(method.train_state, batch)).tolist()
    loss, base_loss = np.array(losses), np.array(base_losses)
    return Outcome(
        float(loss.mean()),
        float(base_loss.mean()),
        float((loss - base_loss).std(ddof=1)) / math.sqrt(len(losses)),
        steps,
        recommended_steps,
    )


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
