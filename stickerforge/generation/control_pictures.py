"""The picture whose structure images follow, as a call names it: KIND:FILE[:SCALE]."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stickerforge.config.user_paths import user_path
from stickerforge.data.pictures import VISIBLE, Picture
from stickerforge.data.still_pictures import load_still
from stickerforge.errors import InputError
from stickerforge.generation.image_references import parse_reference
from stickerforge.stickers.alpha import Rgba, premultiply
from stickerforge.stickers.repaint import centre
from stickerforge.stickers.upscale import upscale

OPTION = "--control"
EDGES = "edges"  # found here; of every other kind the picture is the control picture itself
KINDS = (
    EDGES,
    "canny",
    "depth",
    "lineart",
    "mlsd",
    "normal",
    "pose",
    "scribble",
    "segmentation",
    "softedge",
    "tile",
    "other",
)
DRAWN = {"canny", "lineart", "mlsd", "pose", "scribble", "softedge"}  # bright lines on black
DARK = 0.25  # brightness below which a pixel is as good as black


@dataclass(frozen=True)
class ControlPicture:
    """A picture whose structure images follow.

    Args:
        kind: what it shows, one of `KINDS`.
        picture: its file.
        rgba: its pixels, uint8 (H, W, 4), straight alpha.
        scale: of what the ControlNet adds, 0 to 2.
    """

    kind: str
    picture: Picture
    rgba: Rgba
    scale: float

    def square(self, side_px: int) -> NDArray[np.uint8]:
        """What the ControlNet reads, uint8 (side, side, 3): as large as fits, on black.

        Raises:
            InputError: no edge is found, or all of it is black.
        """
        fitted = np.rint(upscale(premultiply(self.rgba), side_px) * 255).astype(np.uint8)
        if self.kind != EDGES:
            return self.visible(centre(fitted[..., :3], side_px))
        from stickerforge.stickers.canny import canny_edges  # scipy, which few calls need here

        # Alpha is a plane like the others, so that outlines of stickers are found on any ground;
        # and the ends of the picture within the square are no edges.
        edges = canny_edges(fitted)
        return self.visible(np.repeat(centre(edges, side_px)[..., None], 3, -1))

    def remarks(self) -> list[str]:
        """A line for each thing that a user hardly means."""
        lines = []
        if not self.scale:
            lines.append(f"{OPTION} does nothing with the scale 0")
        if self.kind in DRAWN and np.mean(premultiply(self.rgba)[..., :3].max(-1) < DARK) < 0.5:
            lines.append(
                f"{OPTION}: most of {self.picture.path} is not black, and ControlNets for"
                f" {self.kind} read bright lines on black: give {EDGES}:FILE for the edges of a"
                " picture, and turn dark lines on white round"
            )
        return lines

    def visible(self, square: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same square.

        Raises:
            InputError: nothing is on it.
        """
        if square.any():
            return square
        if self.kind == EDGES:
            raise InputError(
                f"{OPTION}: no edges are found in {self.picture.path}",
                "give a picture with clear outlines",
            )
        raise InputError(
            f"{OPTION}: {self.picture.path} is black throughout, and there is nothing to follow",
            f"give another control picture, or {EDGES}:FILE for the edges of a picture",
        )


def read_control(texts: Sequence[str]) -> ControlPicture:
    """The control picture of KIND:FILE[:SCALE].

    Raises:
        InputError: there are several, or it cannot be used.
    """
    if len(texts) > 1:
        raise InputError(
            f"{len(texts)} pictures for {OPTION}, and a call takes one", "leave the others out"
        )
    kind, file, scale = parse_control(texts[0])
    picture, rgba = load_still(file, OPTION)
    if not (rgba[..., 3] > VISIBLE).any():
        raise InputError(f"{OPTION}: every pixel of {file} is transparent", "give another picture")
    return ControlPicture(kind, picture, rgba, scale)


def parse_control(text: str) -> tuple[str, str, float]:
    """(kind, file, scale) of KIND:FILE[:SCALE]; colons within the file (C:\\a.png) are its own.

    Raises:
        InputError: there is no such kind, no file, or the scale is out of range.
    """
    kind, colon, rest = text.partition(":")
    if kind.lower() not in KINDS or not colon:
        known = f"give KIND:FILE, KIND being {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        if not colon or len(kind) < 2:  # a drive of Windows has one letter
            what = "begins with no kind" if colon or text else "is empty"
            raise InputError(f"{OPTION} {text[:60]!r} {what}", known)
        if os.path.isfile(user_path(kind)):
            raise InputError(f"{OPTION} {text[:60]!r} begins with no kind", known)
        raise InputError(f"{OPTION}: there is no kind {kind[:40]!r}", known)
    if not rest:
        raise InputError(f"{OPTION} {text} names no file", f"give {kind}:FILE")
    path, scale = parse_reference(rest, f"{OPTION} {kind}:")
    return kind.lower(), str(path), 1.0 if scale is None else scale
