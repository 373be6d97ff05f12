"""From texts and seeds to pixels: micro-batches whose bytes do not depend on their company."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stickerforge.config.schema import GenerateConfig, SamplingConfig
from stickerforge.generation.active_adapters import ActiveAdapter
from stickerforge.generation.image_params import ImageJob
from stickerforge.runtime.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor

    from stickerforge.models.families.base import DiffusionModel
    from stickerforge.sampling.conditioning import Conditioning
    from stickerforge.sampling.denoise import Consistency


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
        led, empty = consistency_terms(family, sampling, padded)
        latents = denoise(
            family.predict,
            family.scheduler(sampling.scheduler, sampling.steps),
            noise.to(family.device),
            family.encode_prompt([item.text for item in padded]),
            empty,
            guidance=sampling.guidance,
            guidance_rescale=sampling.guidance_rescale,
            consistency=led,
            generators=[generator(item.seed, "steps") for item in padded],
            on_step=on_step,
        )
        pixels = family.decode(latents)
    return [(item, pixels[slot]) for slot, item in batch.items()]


def consistency_terms(
    family: "DiffusionModel", sampling: SamplingConfig, padded: Sequence[ImageJob]
) -> "tuple[Consistency | None, Conditioning]":
    """(the base's part in consistency guidance, where that is asked for; the encoded negative prompts)."""
    from stickerforge.sampling.denoise import Consistency

    if sampling.consistency is None or not padded[0].uses:  # all of a batch use the same adapters
        return None, family.encode_prompt([item.negative for item in padded])
    start, end = (
        sampling.consistency_start or 0.0,
        1.0 if sampling.consistency_end is None else sampling.consistency_end,
    )
    with family.adapters.off():
        base = family.encode_prompt([item.for_base(item.text) for item in padded])
        empty = family.encode_prompt([item.for_base(item.negative) for item in padded])
    return Consistency(base, family.adapters.off, sampling.consistency, start, end), empty
