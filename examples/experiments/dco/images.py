"""Samples of a model with adapters, by the code of `generate`.

Shapes: N pictures; C, H, W latent channels, rows, columns.
"""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import to_premultiplied
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.seeds import generator
from stickerforge.sampling.denoise import denoise
from stickerforge.sampling.guidance import Consistency, Guidance, prompt_guidance
from stickerforge.stickers.alpha import unpremultiply

SAMPLE_BATCH = 11  # pictures that are denoised at once


@torch.no_grad()
def sample_latents(
    model: DiffusionModel, items: Sequence[tuple[str, str, int]], weight: float | None = None
) -> Tensor:
    """Latents (N, C, H, W) for (text, text in plain words, seed) with the settings of the model's
    card.

    Args:
        weight: of consistency guidance; None lets the adapter lead itself.
    """
    sampling = sampling_settings(SamplingConfig(), model.card)
    results = []
    for start in range(0, len(items), SAMPLE_BATCH):
        part = items[start : start + SAMPLE_BATCH]
        shape = model.latent_shape(model.pixels)
        noise = torch.stack(
            [torch.randn(shape, generator=generator(seed, "latents")) for _, _, seed in part]
        )
        adapters = AdapterSet(model)
        text = model.encode_prompt([prompt for prompt, _, _ in part])
        with adapters.disabled():
            plain = model.encode_prompt([words for _, words, _ in part])
            negative = model.encode_prompt([""] * len(part))
        guidance: Guidance = prompt_guidance(text, negative, sampling.guidance)
        if weight is not None:
            base = prompt_guidance(plain, negative, sampling.guidance)
            guidance = Consistency(text, base, adapters.disabled, weight)
        scheduler = model.noise_process.scheduler("model", sampling.steps, shape)
        results.append(denoise(model.predict, scheduler, noise, guidance))
    return torch.cat(results)


def sample_images(
    model: DiffusionModel, items: Sequence[tuple[str, str, int]], weight: float | None = None
) -> list[Image.Image]:
    """The same as finished pictures."""
    pixels = torch.cat(
        [model.decode(part) for part in sample_latents(model, items, weight).split(SAMPLE_BATCH)]
    )
    return [Image.fromarray(unpremultiply(to_premultiplied(picture, None))) for picture in pixels]
