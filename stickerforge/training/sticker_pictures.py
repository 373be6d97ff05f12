"""Pictures with a transparent ground: which are learned from, which are held out, and as planes.

Planes are (4, H, W) in [0, 1] with premultiplied alpha.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.data.picture_folder import PictureFolder, describe_skipped, read_folder
from stickerforge.data.pictures import VISIBLE, Picture, load_picture
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.seeds import derive_seed

GIVE_CUT_OUT = "give pictures with a transparent ground, or cut them out first"
SHOWN = 8  # pictures left out, in warnings
CACHE_BYTES = 1_000_000_000  # of planes that are kept; others are read again
MAX_PHOTOS = 200  # the first ones of a folder
FAINT = 5  # alpha up to which a margin counts as clear: what a cut-out leaves of its ground


@dataclass(frozen=True)
class StickerPictures:
    """What a call learns from.

    Args:
        place: where they are, as the user gave it.
        training, held_out: no picture of one is in the other, as a copy either.
        unreadable: a line for each picture that cannot be used.
        photos: opaque pictures for grounds.
    """

    place: str
    training: list[Picture]
    held_out: list[Picture]
    unreadable: list[str] = field(default_factory=list)
    photos: list[Picture] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.training) + len(self.held_out)

    @property
    def digest(self) -> str:
        """Changes with any picture, and with what is held out."""
        parts = (self.training, self.held_out, self.photos)
        text = json.dumps([[picture.sha256 for picture in part] for part in parts])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_sticker(path: Path) -> Picture:
    """A picture that alpha can be learned from.

    Raises:
        InputError: as `load_picture`, or nothing of it is visible, or all of it is opaque.
    """
    picture, image = load_picture(path)
    if picture.opaque:
        raise InputError(f"{path.name}: it has no alpha: every pixel is opaque", GIVE_CUT_OUT)
    if not (image.rgba[..., 3] > VISIBLE).any():
        raise InputError(f"{path.name}: every pixel of it is transparent", GIVE_CUT_OUT)
    return picture


def read_stickers(
    place: str, console: Console, *, seed: int, share: float, most: int, photos: str
) -> StickerPictures:
    """The pictures of a folder, some of them held out; warns of what is left out.

    Args:
        seed: decides what is held out.
        share: that is held out; 0 for none.
        most: pictures that are held out.
        photos: a folder of photographs; "" for none.

    Raises:
        InputError: there is no folder, none of its pictures can be used, or too few.
    """
    folder = read_folder(Path(place), load_sticker, hint=None)
    warn(folder, console)
    backgrounds, unreadable = read_photos(photos, console) if photos else ([], [])
    unreadable = folder.unreadable + unreadable
    if not share:
        return StickerPictures(place, folder.pictures, [], unreadable, backgrounds)
    digests = {picture.sha256 for picture in folder.pictures}
    if len(digests) < 2:
        raise InputError(
            f"{place}: one picture that can be used is too few: one is learned from, and another"
            " held out to measure by",
            "give more, or --set validation.every=0",
        )
    count = max(1, min(most, round(share * len(digests)), len(digests) - 1))
    order = sorted(digests, key=lambda digest: derive_seed(seed, f"held out {digest}"))
    chosen = set(order[:count])
    return StickerPictures(
        place,
        [picture for picture in folder.pictures if picture.sha256 not in chosen],
        list({each.sha256: each for each in folder.pictures if each.sha256 in chosen}.values()),
        unreadable,
        backgrounds,
    )


def read_photos(place: str, console: Console) -> tuple[list[Picture], list[str]]:
    """(pictures for grounds, a line for each that cannot be used); warns of what is left out.

    Raises:
        InputError: there is no folder, or none of its pictures can be used.
    """
    folder = read_folder(Path(place), load_opaque)
    warn(folder, console)
    if len(folder.pictures) > MAX_PHOTOS:
        console.warn(
            f"grounds.photos: the first {MAX_PHOTOS} of {len(folder.pictures)} pictures are used"
        )
    name = Path(place).name
    return folder.pictures[:MAX_PHOTOS], [f"{name}/{line}" for line in folder.unreadable]


def load_opaque(path: Path) -> Picture:
    """A picture of which parts can be a ground.

    Raises:
        InputError: as `load_picture`.
    """
    return load_picture(path)[0]


def warn(folder: PictureFolder, console: Console) -> None:
    """Say which pictures are left out, and what else there is in a folder."""
    for line in folder.unreadable[:SHOWN]:
        console.warn(f"left out: {line}")
    if more := len(folder.unreadable) - SHOWN:
        if more > 0:
            console.warn(f"left out: {more} more")
    for line in describe_skipped(folder.other_files):
        console.warn(line)
    for note in [picture.note for picture in folder.pictures if picture.note][:SHOWN]:
        console.warn(note)


class Stickers:
    """The planes of pictures, trimmed to what is visible, their longer side as long as a canvas's.

    They are read again whenever they are needed once there are too many to be kept.
    """

    def __init__(self, pictures: Sequence[Picture], side: int) -> None:
        """Args:
        side: of the canvas in pixels.
        """
        self.pictures, self.side = pictures, side
        self.kept: dict[int, NDArray[np.uint8]] = {}
        self.room = CACHE_BYTES

    def planes(self, index: int) -> NDArray[np.uint8]:
        """A picture, uint8 (4, h, w).

        Raises:
            InputError: its file has gone or changed.
        """
        if index in self.kept:
            return self.kept[index]
        planes = trimmed_planes(self.pictures[index].rgba(), self.side)
        if planes.nbytes <= self.room:
            self.room -= planes.nbytes
            self.kept[index] = planes
        return planes


def trimmed_planes(rgba: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture without its clear margins, premultiplied, uint8 (4, h, w); max(h, w) is `side`.

    Args:
        rgba: uint8 (H, W, 4) with straight alpha, of which something is visible.
    """
    seen = rgba[..., 3] > FAINT
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    trimmed = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    picture = Image.fromarray(np.ascontiguousarray(trimmed)).convert("RGBa")
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    values = np.frombuffer(picture.tobytes(), np.uint8).reshape(size[1], size[0], 4)
    values = np.minimum(values, values[..., 3:])  # what the filter overshoots is no colour
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def photo_planes(picture: Picture, side: int) -> NDArray[np.uint8]:
    """A photograph on white, uint8 (3, H, W), at most twice as large as a canvas.

    Raises:
        InputError: the file has gone or changed.
    """
    photo = Image.fromarray(picture.rgba())
    white = Image.new("RGBA", photo.size, "white")
    photo = Image.alpha_composite(white, photo).convert("RGB")
    photo.thumbnail((2 * side, 2 * side), Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(photo).transpose(2, 0, 1))
