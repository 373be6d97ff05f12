"""From the network's predictions for a step to the one that the scheduler gets.

Shapes: B images; C, H, W latent channels, rows, columns.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from stickerforge.sampling.conditioning import Conditioning, join

# noisy (B, C, H, W), timestep (), conditioning -> (B, C, H, W)
Predict = Callable[[Tensor, Tensor, Conditioning], Tensor]


class Guidance(Protocol):
    """How the predictions of a step are combined; holds the conditionings that it needs."""

    def __call__(
        self, predict: Predict, noisy: Tensor, timestep: Tensor, step: int, steps: int
    ) -> Tensor:
        """The prediction (B, C, H, W) for noisy latents (B, C, H, W).

        Args:
            timestep: (), of the scheduler.
            step, steps: number of the step, from 0, and how many there are.
        """


@dataclass(frozen=True)
class NoGuidance:
    """The prediction for the prompt alone, in one pass.

    Args:
        text: the encoded prompts, B of them.
    """

    text: Conditioning

    def predictions(
        self, predict: Predict, noisy: Tensor, timestep: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(guided, conditional) predictions, here the same tensor."""
        conditional = predict(noisy, timestep, self.text)
        return conditional, conditional

    def __call__(
        self, predict: Predict, noisy: Tensor, timestep: Tensor, step: int, steps: int
    ) -> Tensor:
        """See `Guidance`."""
        return predict(noisy, timestep, self.text)


@dataclass(frozen=True)
class ClassifierFree:
    """Classifier-free guidance; prompts and negative prompts share one pass.

    Args:
        text: the encoded prompts, B of them.
        negative: the encoded negative prompts, B of them.
        scale: of the guidance; see `classifier_free_guidance`.
        rescale: share of the correction by `rescale_guidance`, 0 to 1.
    """

    text: Conditioning
    negative: Conditioning
    scale: float
    rescale: float = 0.0

    @cached_property
    def joined(self) -> Conditioning:
        """Negative prompts, then prompts: the same tensors in every step, 2 B rows."""
        return join(self.negative, self.text)

    def predictions(
        self, predict: Predict, noisy: Tensor, timestep: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(guided, conditional) predictions, the guided one not rescaled."""
        both = predict(torch.cat([noisy, noisy]), timestep, self.joined)
        unconditional, conditional = both.chunk(2)
        return classifier_free_guidance(unconditional, conditional, self.scale), conditional

    def __call__(
        self, predict: Predict, noisy: Tensor, timestep: Tensor, step: int, steps: int
    ) -> Tensor:
        """See `Guidance`."""
        return rescale_guidance(*self.predictions(predict, noisy, timestep), self.rescale)


@dataclass(frozen=True)
class Consistency:
    """The base model's guided prediction, moved towards what an adapter learned.

    Args:
        text: the encoded prompts for the adapted model, B of them.
        base: guidance of the base model, with prompts in which no new word stands.
        base_model: a context within which the prediction is the base model's.
        weight: of the adapter; 0 gives the base model, to the bit.
        rescale: share of the correction by `rescale_guidance`, 0 to 1; that of `base` is not used.
        start, end: shares of the steps between which the weight holds; outside of them it is 0.
    """

    text: Conditioning
    base: NoGuidance | ClassifierFree
    base_model: Callable[[], AbstractContextManager[None]]
    weight: float
    rescale: float = 0.0
    start: float = 0.0
    end: float = 1.0

    def __call__(
        self, predict: Predict, noisy: Tensor, timestep: Tensor, step: int, steps: int
    ) -> Tensor:
        """See `Guidance`. Where the weight is 0 the adapted model predicts nothing."""
        with self.base_model():
            prediction, base = self.base.predictions(predict, noisy, timestep)
        if self.weight != 0 and self.start <= step / steps < self.end:
            adapted = predict(noisy, timestep, self.text)
            prediction = consistency_guidance(prediction, base, adapted, self.weight)
        if prediction is base:
            return prediction
        return rescale_guidance(prediction, base, self.rescale)


@dataclass(frozen=True)
class Windowed:
    """One guidance in a window of the steps, another one before and after it.

    Args:
        inside, outside: the two.
        start, end: shares of the steps between which the first one holds.
    """

    inside: Guidance
    outside: Guidance
    start: float
    end: float

    def __call__(
        self, predict: Predict, noisy: Tensor, timestep: Tensor, step: int, steps: int
    ) -> Tensor:
        """See `Guidance`."""
        guidance = self.inside if self.start <= step / steps < self.end else self.outside
        return guidance(predict, noisy, timestep, step, steps)


def prompt_guidance(
    text: Conditioning, negative: Conditioning, scale: float, rescale: float = 0.0
) -> NoGuidance | ClassifierFree:
    """Classifier-free guidance, or none where its scale is 1 and the prompt alone is as good."""
    return NoGuidance(text) if scale == 1 else ClassifierFree(text, negative, scale, rescale)


def classifier_free_guidance(unconditional: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (arXiv:2207.12598, Equation 6), (B, C, H, W).

    Args:
        scale: 1 gives the conditional prediction, larger values exaggerate what the prompt changes.
    """
    return unconditional + scale * (conditional - unconditional)


def consistency_guidance(base_cfg: Tensor, base: Tensor, adapted: Tensor, weight: float) -> Tensor:
    """Consistency guidance (arXiv:2402.12004, Equation 13), (B, C, H, W).

    Args:
        base_cfg: the base's prediction under classifier-free guidance, for the prompt without the
            new word.
        base: the base's prediction for that prompt, without guidance.
        adapted: the adapted model's prediction for the prompt with the new word.
        weight: 0 gives the base model, larger values follow the adapter more closely.
    """
    return base_cfg + weight * (adapted - base)


def rescale_guidance(guided: Tensor, conditional: Tensor, share: float) -> Tensor:
    """The guided prediction with the spread of the conditional one, (B, C, H, W).

    Guidance raises the contrast, this lowers it (arXiv:2305.08891, Equations 15 and 16).

    Args:
        share: how much of the correction is applied, 0 to 1.
    """
    if share == 0:
        return guided
    spread = conditional.std(dim=(1, 2, 3), keepdim=True) / guided.std(dim=(1, 2, 3), keepdim=True)
    return share * guided * spread + (1 - share) * guided
