"""The pictures that are prompted with, as a call names them, FILE[:SCALE], and their masks."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stickerforge.config.user_paths import user_path
from stickerforge.data.pictures import Picture, load_reference
from stickerforge.data.still_pictures import MaskUse, fades, load_mask
from stickerforge.errors import InputError
from stickerforge.runtime.text import plural
from stickerforge.stickers.repaint import Mask, scale_mask

OPTION = "--image-prompt"
MASKS = "image_prompt.masks"
MAX_PICTURES = 8  # each is an attention of its own in every layer
MAX_SCALE = 2.0
ALONE, BESIDE_TEXT = 1.0, 0.5  # what pictures without a scale share (README of IP-Adapter)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.ASCII)
MASK = MaskUse(
    MASKS,
    "what is drawn",
    "give a square mask",
    "its picture would act nowhere",
    "paint white where it is to act, or leave the picture out",
)


@dataclass(frozen=True)
class ReferenceMask:
    """Where a picture that is prompted with acts.

    Args:
        picture: its file.
        values: uint8 (S, S) in the size that is sampled, 255 where it acts fully.
    """

    picture: Picture
    values: Mask = field(compare=False, repr=False)


@dataclass(frozen=True)
class Reference:
    """One picture that is prompted with.

    Args:
        scale: of what it adds to each cross-attention.
        mask: where; None for everywhere.
    """

    picture: Picture
    scale: float
    mask: ReferenceMask | None = None

    def params(self) -> dict[str, Any]:
        """What decides pixels: contents, and no names."""
        mask = {} if self.mask is None else {"mask": self.mask.picture.sha256[:16]}
        return {"sha256": self.picture.sha256[:16], "scale": self.scale, **mask}


def read_references(texts: Sequence[str], *, alone: bool) -> tuple[Reference, ...]:
    """The pictures of FILE[:SCALE] each, in order; those without a scale share the usual one.

    Raises:
        InputError: one cannot be read, shows nothing, or there are too many.
    """
    if len(texts) > MAX_PICTURES:
        raise InputError(
            f"{len(texts)} pictures for {OPTION}, and a call takes at most {MAX_PICTURES}",
            "leave some out",
        )
    usual = round((ALONE if alone else BESIDE_TEXT) / len(texts), 4)
    references = []
    for text in texts:
        path, scale = parse_reference(text)
        references.append(Reference(load_picture(path), usual if scale is None else scale))
    return tuple(references)


def with_masks(
    references: Sequence[Reference], files: Sequence[str], pixels: int, positions: int
) -> tuple[Reference, ...]:
    """References with a mask for each; as they are where there are no masks.

    Args:
        pixels: side of the square that is sampled.
        positions: side of the largest layer that reads pictures.

    Raises:
        InputError: there are not as many masks as references, or one cannot be used.
    """
    if not files:
        return tuple(references)
    if len(files) != len(references):
        listed = ", ".join(['"FILE"'] * len(references))
        raise InputError(
            f"{MASKS} has {plural(len(files), 'mask')}, {OPTION}"
            f" {plural(len(references), 'picture')}",
            f"give one for each: --set '{MASKS}=[{listed}]'",
        )
    masks = [read_mask(file, pixels, positions) for file in files]
    pairs = zip(references, masks, strict=True)
    return tuple(replace(reference, mask=mask) for reference, mask in pairs)


def read_mask(file: str, pixels: int, positions: int) -> ReferenceMask:
    """The mask of a reference; see `with_masks`."""
    if not file:
        raise InputError(f"{MASKS} names no file", "give a picture's file for each mask")
    picture, values = load_mask(file, (pixels, pixels), MASK)
    if fades(values, scale_mask(values, (positions, positions))):
        raise InputError(
            f"the white of the mask {file} fades in the {positions} x {positions} positions of the"
            " model: it is too fine",
            "paint a larger part white",
        )
    return ReferenceMask(picture, values)


def parse_reference(text: str, before: str = f"{OPTION} ") -> tuple[Path, float | None]:
    """FILE[:SCALE]; a colon that no number follows belongs to the file (C:\\a.png).

    Args:
        before: what stands before it in the call, for errors.

    Raises:
        InputError: the scale is out of range, or there is no file's name.
    """
    if not text:
        raise InputError(f"{before}is empty", "give a picture's file")
    path, colon, number = text.rpartition(":")
    if not colon or os.path.exists(text) or not (path and NUMBER.fullmatch(number)):
        if colon and os.path.isfile(user_path(path)):
            kind = before.rpartition(" ")[2]
            raise InputError(f"{before}{text}: {number!r} is no scale", f"give {kind}{path}:0.6")
        return Path(user_path(text)), None
    scale = float(number)
    if not 0 <= scale <= MAX_SCALE:  # also refuses what is not a number
        raise InputError(f"{before}{text}: the scale is out of range", f"give 0 to {MAX_SCALE:g}")
    return Path(user_path(path)), scale


def load_picture(path: Path) -> Picture:
    """A picture that can be prompted with.

    Raises:
        InputError: it cannot be read, or nothing of it can be seen.
    """
    if not os.path.exists(path):  # also where a folder may not be entered
        raise InputError(f"{OPTION}: there is no picture {str(path)!r}", "check the path")
    try:
        return load_reference(path)
    except InputError as error:
        raise InputError(f"{OPTION}: {error.message}", error.hint) from None
