"""From a model's card to a loaded model: the one place that knows which architecture is which."""

import diffusers
import torch
import transformers

from stickerforge.models.card import ModelCard, pipeline_class
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.families.sdxl import StableDiffusionXL
from stickerforge.models.families.stable_diffusion import StableDiffusion

FAMILIES: dict[str, type[StableDiffusion] | type[StableDiffusionXL]] = {
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
}


def load_model(card: ModelCard, device: torch.device, dtype: torch.dtype) -> DiffusionModel:
    """Read a folder's parts; safetensors only, nothing is fetched.

    Raises:
        InputError: a part cannot be read, or is of another kind.
    """
    for library in (transformers, diffusers):
        library.logging.set_verbosity_error()
        library.logging.disable_progress_bar()
    return FAMILIES[pipeline_class(card.folder)](card, device, dtype)
