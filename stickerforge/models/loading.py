"""From a model's card to a loaded model: the one place that knows which architecture is which."""

import diffusers
import torch
import transformers

from stickerforge.models.catalog import Card, pipeline_of
from stickerforge.models.family import Family
from stickerforge.models.sd import StableDiffusion
from stickerforge.models.sdxl import StableDiffusionXL

FAMILIES: dict[str, type[StableDiffusion] | type[StableDiffusionXL]] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
}


def load(card: Card, device: torch.device, dtype: torch.dtype) -> Family:
    """Read a folder's parts; safetensors only, nothing is fetched.

    Raises:
        InputError: a part cannot be read, or is of another kind.
    """
    for library in (transformers, diffusers):
        library.logging.set_verbosity_error()
        library.logging.disable_progress_bar()
    return FAMILIES[pipeline_of(card.folder)](card, device, dtype)
