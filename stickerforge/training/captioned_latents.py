"""Captioned pictures as training examples, encoded one at a time into a file."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stickerforge.data.buckets import crop_to_bucket
from stickerforge.data.captioned_pictures import CaptionedPictures
from stickerforge.data.captions import Caption
from stickerforge.errors import InputError
from stickerforge.models.families.base import DiffusionModel
from stickerforge.runtime.console import Console
from stickerforge.training.batches import TrainingExample
from stickerforge.training.dataset import encode_example
from stickerforge.training.latent_file import LatentFile

NOTHING = torch.empty(0)  # a part of a tensor would keep all of it


@dataclass(frozen=True)
class CaptionedLatents:
    """Pictures as the model takes them.

    Args:
        examples: in the order of the pictures; one that is gone by now is left out.
        described: [sha256, caption] of each.
        kept: the place of each among the pictures.
    """

    examples: list[TrainingExample]
    described: list[list[str]]
    kept: list[int]

    @property
    def digest(self) -> str:
        """Changes with the pictures and their captions."""
        return hashlib.sha256(json.dumps(self.described).encode()).hexdigest()[:16]


def encode_captioned(
    model: DiffusionModel,
    data: CaptionedPictures,
    resolution: int,
    folder: Path,
    console: Console,
    what: str = "pictures",
) -> CaptionedLatents:
    """Encode every picture once; one that has gone or changed since it was read is left out.

    Args:
        resolution: side in pixels that pictures are brought to.
        folder: where the file of latents is made.
        what: the pictures are, for messages.

    Raises:
        InputError: none can be read any more.
        EnvironmentFault: the disk is full.
    """
    file, examples = LatentFile(folder), list[TrainingExample]()
    described, kept = list[list[str]](), list[int]()
    with console.progress(f"encoding {what}", len(data.pictures)) as advance:
        for place, (picture, caption) in enumerate(data.pictures):
            try:
                cropped = crop_to_bucket(picture.rgba(), resolution, model.multiple)
                example = encode_example(
                    model, picture.path.name, Caption(caption, caption), cropped
                )
            except InputError as error:
                data.unreadable.append(error.message)
                console.warn(f"left out: {error.message}")
                if not kept and place == len(data.pictures) - 1:
                    raise
            else:
                file.append(example.mean)
                file.append(example.deviation)
                examples.append(replace(example, mean=NOTHING, deviation=NOTHING))
                described.append([picture.sha256, caption])
                kept.append(place)
            advance(1)
    return CaptionedLatents(in_file(examples, file), described, kept)


def in_file(examples: Sequence[TrainingExample], file: LatentFile) -> list[TrainingExample]:
    """Examples whose latents lie in a file, mean and deviation of each in turn."""
    tensors = iter(file.tensors())
    return [replace(example, mean=next(tensors), deviation=next(tensors)) for example in examples]
