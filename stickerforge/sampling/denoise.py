"""From noise to latents with any diffusers scheduler.

Shapes: B images; C, H, W latent channels, rows, columns.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from stickerforge.sampling.guidance import Guidance, Predict


class Scheduler(Protocol):
    """What is used of a diffusers scheduler."""

    timesteps: Tensor

    def set_timesteps(self, steps: int, *, device: Any) -> None:
        """Choose the timesteps."""

    def step(self, prediction: Tensor, timestep: Any, sample: Tensor, *, return_dict: bool) -> Any:
        """The sample one step less noisy, first in a tuple."""


@dataclass(frozen=True)
class Start:
    """A picture that denoising starts from instead of noise alone.

    Args:
        latents: of the picture, (1, C, H, W).
        skipped: steps that are left out at the beginning; without any it starts from noise.
        mask: (1, 1, H, W) in [0, 1]: 1 is painted anew, 0 stays the picture; None for all of it.
    """

    latents: Tensor
    skipped: int
    mask: Tensor | None = None


def denoise(
    predict: Predict,
    scheduler: Scheduler,
    noise: Tensor,
    guidance: Guidance,
    *,
    start: Start | None = None,
    generators: Sequence[torch.Generator] = (),
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Latents (B, C, H, W), denoised along the scheduler's timesteps.

    Args:
        noise: standard normal, (B, C, H, W).
        guidance: turns predictions into that of a step; holds the encoded prompts, B of them.
        start: of all images; None starts from noise alone.
        generators: one per image, for schedulers that add noise in each step.
        on_step: called after each step.
    """
    first = 0 if start is None else begin(scheduler, start)
    latents: Tensor = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    if start is not None and first:
        latents = add_noise(scheduler, start.latents, noise, first)
    scale_input: Callable[[Tensor, Any], Tensor] = getattr(
        scheduler, "scale_model_input", lambda sample, timestep: sample
    )  # flows have neither
    takes_noise = bool(generators) and "generator" in inspect.signature(scheduler.step).parameters
    scheduler_step: Callable[..., Any] = (
        partial(cast(Any, scheduler.step), generator=list(generators))
        if takes_noise
        else scheduler.step
    )
    steps = len(scheduler.timesteps)
    for step, timestep in enumerate(scheduler.timesteps[first:], first):
        noisy = scale_input(latents, timestep)
        prediction = guidance(predict, noisy, timestep, step, steps)
        latents = scheduler_step(prediction, timestep, latents, return_dict=False)[0]
        if start is not None and start.mask is not None:
            kept = add_noise(scheduler, start.latents, noise, step + 1)
            latents = (1 - start.mask) * kept + start.mask * latents
        on_step()
    return latents


def begin(scheduler: Scheduler, start: Start) -> int:
    """Number of the first timestep that is taken; tells it to schedulers that count their steps."""
    first = start.skipped * int(getattr(scheduler, "order", 1))
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return first


def add_noise(scheduler: Scheduler, latents: Tensor, noise: Tensor, number: int) -> Tensor:
    """Latents with the noise of a timestep, (B, C, H, W); as they are after the last one.

    Args:
        latents: (1, C, H, W).
        noise: standard normal, (B, C, H, W).
        number: of the timestep; the scheduler is about to take it.
    """
    latents = latents.to(noise).expand_as(noise)
    if number >= len(scheduler.timesteps):
        return latents
    timestep, noisier = scheduler.timesteps[number : number + 1], cast(Any, scheduler)
    if hasattr(scheduler, "add_noise"):
        return cast(Tensor, noisier.add_noise(latents, noise, timestep))
    return cast(Tensor, noisier.scale_noise(latents, timestep, noise))  # flows


def can_start(scheduler: Scheduler) -> bool:
    """Whether a scheduler can add noise to latents, so that denoising can start from them."""
    return hasattr(scheduler, "add_noise") or hasattr(scheduler, "scale_noise")
