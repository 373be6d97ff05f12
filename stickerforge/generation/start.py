"""Where denoising starts when it starts from a picture: its latents, and what stays of them."""

import numpy as np
import torch
from torch.nn import functional as F

from stickerforge.data.buckets import on_white
from stickerforge.data.init_pictures import InitPicture
from stickerforge.errors import InputError
from stickerforge.models.families.base import DiffusionModel
from stickerforge.sampling.denoise import Scheduler, Start, can_start
from stickerforge.stickers.alpha import premultiply


def encode_start(
    model: DiffusionModel, scheduler: Scheduler, init: InitPicture, *, pixels: int, steps: int
) -> Start | None:
    """A picture as the model's latents, alone in its batch; None where noise alone is the start.

    Args:
        pixels: side of the square that is sampled.
        steps: of the whole schedule.

    Raises:
        InputError: the scheduler cannot start from a picture.
    """
    skipped = init.skipped_steps(steps)
    if not skipped and init.mask is None:
        return None
    if not can_start(scheduler):
        raise InputError(
            f"the scheduler of the model, {type(scheduler).__name__}, cannot start from a picture",
            "add --set sampling.scheduler=ddim",
        )
    planes = np.ascontiguousarray(np.moveaxis(premultiply(init.square(pixels)), -1, 0))
    with torch.inference_mode():
        latents, _ = model.encode(
            torch.from_numpy(planes if model.takes_alpha else on_white(planes))[None]
        )
    mask = None
    if (square := init.square_mask(pixels)) is not None:
        # Whatever of a latent is to be painted anew at all can be: pixels outside are put back
        # afterwards, and greys mix there, once.
        full = torch.from_numpy((square > 0).astype(np.float32))[None, None]
        mask = F.adaptive_max_pool2d(full, latents.shape[2:]).to(latents)
    return Start(latents, skipped, mask)
