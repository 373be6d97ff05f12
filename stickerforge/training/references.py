"""Pictures that examples are prompted with, read once and changed anew in every step.

Shapes: B pictures; C, S channels and side of what the image encoder reads.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from stickerforge.config.schema import AugmentConfig
from stickerforge.data.pictures import Picture
from stickerforge.errors import InputError
from stickerforge.models.image_encoder import Fit, ImageEncoder
from stickerforge.runtime.seeds import derive_seed
from stickerforge.stickers.augmentation import other_view, random_color, shrink
from stickerforge.stickers.color import WHITE
from stickerforge.training.latent_file import LatentFile


class ReferencePixels:
    """Pictures by their content, no larger than their encoder needs, in a file."""

    def __init__(self, folder: Path, side: int, least: float) -> None:
        """Args:
        folder: where the file is made.
        side: of what the encoder reads.
        least: the smallest share of a picture's area that is seen.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        self.file = LatentFile(folder, torch.uint8)
        self.shortest = round(side / least**0.5)
        self.places: dict[str, int] = {}
        self.tensors: list[Tensor] = []

    def add(self, picture: Picture) -> None:
        """Keep a picture, once.

        Raises:
            InputError: it has gone or changed since it was read.
            EnvironmentFault: the disk is full.
        """
        if picture.sha256 in self.places:
            return
        self.file.append(torch.from_numpy(shrink(picture.rgba(), self.shortest)))
        self.places[picture.sha256] = len(self.places)

    def close(self) -> None:
        """End the writing.

        Raises:
            EnvironmentFault: the disk is full.
        """
        self.tensors = self.file.tensors()

    def rgba(self, picture: Picture) -> NDArray[np.uint8]:
        """A picture that was kept, uint8 (H, W, 4)."""
        rgba: NDArray[np.uint8] = self.tensors[self.places[picture.sha256]].numpy()
        return rgba


class References:
    """What each example is prompted with, as the image encoder reads it."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        kept: ReferencePixels,
        encoder: ImageEncoder,
        augment: AugmentConfig,
        fit: Fit,
        seed: int,
    ) -> None:
        """Args:
        pictures: one for each example.
        kept: with the pixels of all of them.
        augment: how they are changed in every step.
        """
        self.pictures, self.kept, self.encoder = pictures, kept, encoder
        self.augment, self.fit, self.seed = augment, fit, seed

    def pixels(self, indices: Sequence[int], step: int) -> Tensor:
        """Those of some examples in a step, each in another view, (B, C, S, S)."""
        views, own = [], self.augment
        for slot, index in enumerate(indices):
            rng = np.random.default_rng(derive_seed(self.seed, "view", step, slot))
            rgba = self.kept.rgba(self.pictures[index])
            view = other_view(rgba, rng, crop=own.crop, flip=own.flip, color=own.color)
            ground = random_color(rng) if own.ground else WHITE
            views.append(self.encoder.pixels(view, self.fit, ground))
        return torch.cat(views)

    def plain(self, index: int) -> Tensor:
        """One of them as it is, on white, (1, C, S, S)."""
        rgba = self.kept.rgba(self.pictures[index])
        return self.encoder.pixels(Image.fromarray(rgba), self.fit, WHITE)


def readable(pictures: Sequence[Picture], kept: ReferencePixels) -> dict[int, str]:
    """Keep pictures; returns why each one that cannot be read any more cannot, by its place.

    Raises:
        EnvironmentFault: the disk is full.
    """
    gone = {}
    for place, picture in enumerate(pictures):
        try:
            kept.add(picture)
        except InputError as error:
            gone[place] = error.message
    return gone
