"""From texts and seeds to pixels: micro-batches whose bytes do not depend on their company."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stickerforge.config.schema import GenerateConfig, Sampling
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.image_params import ImageJob
from stickerforge.runtime.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.families.base import DiffusionModel
    from stickerforge.sampling.guidance import Guidance


def micro_batches(
    open_items: Sequence[ImageJob], size: int
) -> Iterator[tuple[tuple[ActiveAdapter, ...], dict[int, ImageJob]]]:
    """The items in runs of at most `size` under the same adapters, each in its slot, which its seed alone decides.

    Matrix products round differently from row to row, so a picture must always have the same slot.
    """
    for uses in dict.fromkeys(item.uses for item in open_items):
        batch: dict[int, ImageJob] = {}
        for item in open_items:
            if item.uses != uses:
                continue
            if item.seed % size in batch:
                yield uses, batch
                batch = {}
            batch[item.seed % size] = item
        yield uses, batch


def sample_batch(
    family: "DiffusionModel", config: GenerateConfig, batch: dict[int, ImageJob], on_step: Any
) -> list[tuple[ImageJob, "Tensor"]]:
    """Each item with its pixels (3 or 4, H, W).

    The batch is padded to its full size, so that shapes and slots, and with them the bytes, are the same in any company.
    """
    import torch

    from stickerforge.sampling.denoise import denoise

    sampling = config.sampling
    assert (
        sampling.steps is not None
        and sampling.guidance is not None
        and sampling.guidance_rescale is not None
    )
    filler = next(iter(batch.values()))
    padded = [batch.get(slot, filler) for slot in range(sampling.batch)]
    shape = family.latent_shape(sampling.pixels or family.pixels)
    noise = torch.stack(
        [torch.randn(shape, generator=generator(item.seed, "latents")) for item in padded]
    )
    with torch.inference_mode():
        latents = denoise(
            family.predict,
            family.noise_process.scheduler(sampling.scheduler, sampling.steps, shape),
            noise.to(family.device),
            encode_guidance(family, sampling, padded),
            generators=[generator(item.seed, "steps") for item in padded],
            on_step=on_step,
        )
        pixels = family.decode(latents)
    return [(item, pixels[slot]) for slot, item in batch.items()]


def encode_guidance(
    family: "DiffusionModel", sampling: Sampling, padded: Sequence[ImageJob]
) -> "Guidance":
    """The guidance that the settings ask for, with its encoded prompts."""
    from stickerforge.adapters.lora_layers import AdapterSet
    from stickerforge.sampling.guidance import Consistency, prompt_guidance

    assert sampling.guidance is not None and sampling.guidance_rescale is not None
    scale, rescale = sampling.guidance, sampling.guidance_rescale
    text = family.encode_prompt([item.text for item in padded])
    if sampling.consistency is None or not padded[0].uses:  # all of a batch use the same adapters
        negative = family.encode_prompt([item.negative for item in padded])
        return prompt_guidance(text, negative, scale, rescale)
    base_model = AdapterSet(family).disabled
    with base_model():
        base = family.encode_prompt([item.for_base(item.text) for item in padded])
        negative = family.encode_prompt([item.for_base(item.negative) for item in padded])
    return Consistency(
        text,
        prompt_guidance(base, negative, scale),
        base_model,
        sampling.consistency,
        rescale,
        start=sampling.consistency_start or 0.0,
        end=1.0 if sampling.consistency_end is None else sampling.consistency_end,
    )
