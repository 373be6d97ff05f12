"""From noise to latents with any diffusers scheduler.

Shapes: B images; C, H, W latent channels, rows, columns.
"""

import inspect
from collections.abc import Callable, Sequence
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


def denoise(
    predict: Predict,
    scheduler: Scheduler,
    noise: Tensor,
    guidance: Guidance,
    *,
    generators: Sequence[torch.Generator] = (),
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Latents (B, C, H, W), denoised along the scheduler's timesteps.

    Args:
        noise: standard normal, (B, C, H, W).
        guidance: turns predictions into that of a step; holds the encoded prompts, B of them.
        generators: one per image, for schedulers that add noise in each step.
        on_step: called after each step.
    """
    latents: Tensor = noise * getattr(scheduler, "init_noise_sigma", 1.0)
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
    for step, timestep in enumerate(scheduler.timesteps):
        noisy = scale_input(latents, timestep)
        prediction = guidance(predict, noisy, timestep, step, steps)
        latents = scheduler_step(prediction, timestep, latents, return_dict=False)[0]
        on_step()
    return latents
