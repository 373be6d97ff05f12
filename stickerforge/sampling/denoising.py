"""From noise to latents with any diffusers scheduler.

Shapes: B pictures; C, H, W latent channels, rows, columns.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from stickerforge.sampling.conditioning import Conditioning, joined
from stickerforge.sampling.guidance import guided, rescaled

Predict = Callable[[Tensor, Tensor, Conditioning], Tensor]  # noisy (B, C, H, W), timestep (), text -> (B, C, H, W)


class Scheduler(Protocol):
    """What is used of a diffusers scheduler."""

    timesteps: Tensor
    init_noise_sigma: Any

    def set_timesteps(self, steps: int, *, device: Any) -> None:
        """Choose the timesteps."""

    def scale_model_input(self, sample: Tensor, timestep: Any) -> Tensor:
        """The network's input at this timestep."""

    def step(self, prediction: Tensor, timestep: Any, sample: Tensor, *, return_dict: bool) -> Any:
        """The sample one step less noisy, first in a tuple."""


def denoise(
    predict: Predict,
    scheduler: Scheduler,
    noise: Tensor,
    text: Conditioning,
    empty: Conditioning,
    *,
    guidance: float,
    guidance_rescale: float = 0.0,
    generators: Sequence[torch.Generator] = (),
    on_step: Callable[[], None] = lambda: None,
) -> Tensor:
    """Latents (B, C, H, W) for the prompts, denoised along the scheduler's timesteps.

    Args:
        noise: standard normal, (B, C, H, W).
        text: the encoded prompts, B of them.
        empty: the encoded negative prompts, B of them; not used where guidance is 1.
        generators: one per picture, for schedulers that add noise in each step.
        on_step: called after each step.
    """
    latents: Tensor = noise * scheduler.init_noise_sigma
    takes_noise = bool(generators) and "generator" in inspect.signature(scheduler.step).parameters
    step: Callable[..., Any] = partial(cast(Any, scheduler.step), generator=list(generators)) if takes_noise else scheduler.step
    for timestep in scheduler.timesteps:
        noisy = scheduler.scale_model_input(latents, timestep)
        if guidance == 1:
            prediction = predict(noisy, timestep, text)
        else:
            both = predict(torch.cat([noisy, noisy]), timestep, joined(empty, text))
            unconditional, conditional = both.chunk(2)
            prediction = guided(unconditional, conditional, guidance)
            prediction = rescaled(prediction, conditional, guidance_rescale)
        latents = step(prediction, timestep, latents, return_dict=False)[0]
        on_step()
    return latents
