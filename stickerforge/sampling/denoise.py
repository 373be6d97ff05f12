"""From noise to latents with any diffusers scheduler.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from stickerforge.sampling.conditioning import Conditioning, join
from stickerforge.sampling.guidance import (
    classifier_free_guidance,
    consistency_guidance,
    rescale_guidance,
)

Predict = Callable[
    [Tensor, Tensor, Conditioning], Tensor
]  # noisy (B, C, H, W), timestep (), text -> (B, C, H, W)


class Scheduler(Protocol):
    """What is used of a diffusers scheduler."""

    timesteps: Tensor

    def set_timesteps(self, steps: int, *, device: Any) -> None:
        """Choose the timesteps."""

    def step(self, prediction: Tensor, timestep: Any, sample: Tensor, *, return_dict: bool) -> Any:
        """The sample one step less noisy, first in a tuple."""


@dataclass(frozen=True)
class Consistency:
    """How a taught model is led: by the base model, and towards what was taught as far as it is asked.

    Args:
        base: the encoded prompts without new words, B of them.
        off: a context within which the prediction is the base model's.
        weight: of what was taught; 0 gives the base model, to the bit.
        start, end: shares of the steps between which it counts; outside of them the weight is 0.
    """

    base: Conditioning
    off: Callable[[], AbstractContextManager[None]]
    weight: float
    start: float = 0.0
    end: float = 1.0

    def counts(self, step: int, steps: int) -> bool:
        """Whether what was taught is asked at all in a step."""
        return self.weight != 0 and self.start <= step / steps < self.end


def denoise(
    predict: Predict,
    scheduler: Scheduler,
    noise: Tensor,
    text: Conditioning,
    empty: Conditioning,
    *,
    guidance: float,
    guidance_rescale: float = 0.0,
    consistency: Consistency | None = None,
    generators: Sequence[torch.Generator] = (),
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Latents (B, C, H, W) for the prompts, denoised along the scheduler's timesteps.

    Args:
        noise: standard normal, (B, C, H, W).
        text: the encoded prompts, B of them.
        empty: the encoded negative prompts, B of them; not used where guidance is 1.
        consistency: to lead an adapted model by its base; without, the adapted model is guided by itself.
        generators: one per picture, for schedulers that add noise in each step.
        on_step: called after each step.
    """
    latents: Tensor = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    scaled: Callable[[Tensor, Any], Tensor] = getattr(
        scheduler, "scale_model_input", lambda sample, timestep: sample
    )  # flows have neither
    takes_noise = bool(generators) and "generator" in inspect.signature(scheduler.step).parameters
    step: Callable[..., Any] = (
        partial(cast(Any, scheduler.step), generator=list(generators))
        if takes_noise
        else scheduler.step
    )
    for number, timestep in enumerate(scheduler.timesteps):
        noisy = scaled(latents, timestep)
        if consistency is None:
            prediction, conditional = by_prompt(predict, noisy, timestep, text, empty, guidance)
        else:
            with consistency.off():
                prediction, conditional = by_prompt(
                    predict, noisy, timestep, consistency.base, empty, guidance
                )
            if consistency.counts(number, len(scheduler.timesteps)):
                personal = predict(noisy, timestep, text)
                prediction = consistency_guidance(
                    prediction, conditional, personal, consistency.weight
                )
        if prediction is not conditional:
            prediction = rescale_guidance(prediction, conditional, guidance_rescale)
        latents = step(prediction, timestep, latents, return_dict=False)[0]
        on_step()
    return latents


def by_prompt(
    predict: Predict,
    noisy: Tensor,
    timestep: Tensor,
    text: Conditioning,
    empty: Conditioning,
    guidance: float,
) -> tuple[Tensor, Tensor]:
    """(the prediction under classifier-free guidance, that for the prompt alone), both in one pass; the same where guidance is 1."""
    if guidance == 1:
        conditional = predict(noisy, timestep, text)
        return conditional, conditional
    unconditional, conditional = predict(
        torch.cat([noisy, noisy]), timestep, join(empty, text)
    ).chunk(2)
    return classifier_free_guidance(unconditional, conditional, guidance), conditional
