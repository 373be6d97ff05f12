"""Samples of a model with adapters, by the code of `generate`.

Shapes: N pictures; C, H, W latent channels, rows, columns.
"""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.plan import sampling_settings
from stickerforge.generation.postprocess import to_premultiplied
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.seeds import generator
from stickerforge.sampling.denoise import Consistency, denoise
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
    assert sampling.steps is not None and sampling.guidance is not None
    results = []
    for start in range(0, len(items), SAMPLE_BATCH):
        part = items[start : start + SAMPLE_BATCH]
        shape = model.latent_shape(model.pixels)
        noise = torch.stack(
            [torch.randn(shape, generator=generator(seed, "latents")) for _, _, seed in part]
        )
        with model.adapters.off():
            base, empty = (
                model.encode_prompt([plain for _, plain, _ in part]),
                model.encode_prompt([""] * len(part)),
            )
        consistency = None if weight is None else Consistency(base, model.adapters.off, weight)
        text, scheduler = (
            model.encode_prompt([said for said, _, _ in part]),
            model.scheduler("model", sampling.steps),
        )
        results.append(
            denoise(
                model.predict,
                scheduler,
                noise,
                text,
                empty,
                guidance=sampling.guidance,
                consistency=consistency,
            )
        )
    return torch.cat(results)


def sample_images(
    model: DiffusionModel, items: Sequence[tuple[str, str, int]], weight: float | None = None
) -> list[Image.Image]:
    """The same as finished pictures."""
    pixels = torch.cat(
        [model.decode(part) for part in sample_latents(model, items, weight).split(SAMPLE_BATCH)]
    )
    return [Image.fromarray(unpremultiply(to_premultiplied(picture, None))) for picture in pixels]
