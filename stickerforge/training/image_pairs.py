"""Captioned pictures and what each is to be drawn like: which are learned from, which held out."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stickerforge.data.captioned_pictures import CaptionedPictures, read_captioned_pictures
from stickerforge.data.picture_losses import warn_of_losses
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.seeds import derive_seed


@dataclass(frozen=True)
class ImagePairs:
    """What a call learns from.

    Args:
        place: where it is, as the user gave it.
        training, held_out: with conditions. No picture that is to be drawn is in both, as a copy
            either; what they are to be drawn like may be.
        unreadable: a line for each picture that cannot be used; both have the same list.
    """

    place: str
    training: CaptionedPictures
    held_out: CaptionedPictures
    unreadable: list[str]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.training.pictures) + len(self.held_out.pictures)

    @property
    def digest(self) -> str:
        """Changes with any picture, caption or condition, and with what is held out."""
        text = json.dumps(
            [
                [
                    [picture.sha256, caption, condition.sha256]
                    for (picture, caption), condition in zip(
                        part.pictures, part.conditions, strict=True
                    )
                ]
                for part in (self.training, self.held_out)
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_image_pairs(
    place: str, console: Console, *, seed: int, share: float, most: int
) -> ImagePairs:
    """The pictures of a folder or table, some of them held out; warns of what is left out.

    Args:
        seed: decides what is held out.
        share: that is held out; 0 for none.
        most: pictures that are held out.

    Raises:
        InputError: there is no such place, a caption or row is broken, or too few can be used.
    """
    found = read_captioned_pictures(Path(place), conditions=True)
    warn_of_losses(found, console)
    if not share:
        return ImagePairs(place, found, CaptionedPictures(), found.unreadable)
    rows = Counter(picture.sha256 for picture, _ in found.pictures)
    if len(rows) < 2:
        raise InputError(
            f"{place}: one picture that can be used is too few: one is learned from, and another"
            " held out to measure by",
            "give more, or --set validation.every=0",
        )
    chosen = held_out_pictures(rows, seed, min(most, round(share * len(found.pictures))))
    return ImagePairs(
        place,
        part_of(found, lambda digest: digest not in chosen),
        part_of(found, lambda digest: digest in chosen),
        found.unreadable,
    )


def held_out_pictures(rows: Mapping[str, int], seed: int, most: int) -> set[str]:
    """The sha256 of pictures that are held out, which are in so many rows at most; at least one.

    Args:
        rows: {sha256: in how many rows it is}.
        seed: decides which.
    """
    order = sorted(rows, key=lambda digest: derive_seed(seed, f"held out {digest}"))
    chosen, count = {order[0]}, rows[order[0]]
    for digest in order[1:-1]:
        if count + rows[digest] <= most:
            chosen.add(digest)
            count += rows[digest]
    return chosen


def part_of(pictures: CaptionedPictures, takes: Callable[[str], bool]) -> CaptionedPictures:
    """Those pictures with their conditions whose sha256 is taken."""
    part = CaptionedPictures(unreadable=pictures.unreadable)
    for pair, condition in zip(pictures.pictures, pictures.conditions, strict=True):
        if takes(pair[0].sha256):
            part.pictures.append(pair)
            part.conditions.append(condition)
    return part
