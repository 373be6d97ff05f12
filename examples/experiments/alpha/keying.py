"""Cutting a picture out of white by its colour: what people do without a model.

White that is connected to the border is clear. Along it alpha is unmixed: an edge pixel lies
between white and the colour of the figure beside it, and its own colour is what remains without
the white. Tolerance, width of the edge and the rest are tuned on pictures with known alpha.

Shapes: H, W rows and columns.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stickerforge.stickers.alpha import Rgba

Foreground = Literal["nearest", "strongest"]
Plane = NDArray[np.float32]
WHITE = 255.0
FAINT = 24.0  # of a figure's colour: nearer to white than this it cannot be unmixed


@dataclass(frozen=True)
class Keying:
    """Settings of a colour key.

    Args:
        tolerance: how far a channel of white may be from 255.
        reach: width of the soft edge in pixels.
        foreground: what the figure's colour beside an edge pixel is: that of the nearest pixel
            farther from the ground than `reach`, or the one farthest from white within reach.
        specks: pixels of a part up to which it is an error of the decoder and no figure.
    """

    tolerance: float = 16
    reach: int = 2
    foreground: Foreground = "strongest"
    specks: int = 8


def ground_keyings() -> Iterator[Keying]:
    """All that tuning tries first: what counts as ground."""
    for tolerance, specks in product((3, 5, 8, 12, 16, 24, 32, 48), (0, 8, 24)):
        yield Keying(tolerance=tolerance, specks=specks)


def edge_keyings(ground: Keying) -> Iterator[Keying]:
    """All that it tries then: how the edge of that ground is unmixed."""
    foregrounds: tuple[Foreground, ...] = ("nearest", "strongest")
    for reach, foreground in product((1, 2, 3), foregrounds):
        yield replace(ground, reach=reach, foreground=foreground)


def key_white(rgb: NDArray[np.uint8], keying: Keying) -> Rgba:
    """An opaque picture (H, W, 3) cut out of its white ground, straight alpha (H, W, 4)."""
    picture = rgb.astype(np.float32)
    ground = white_ground(picture, keying)
    distance = ndimage.distance_transform_edt(~ground)
    edge = (distance > 0) & (distance <= keying.reach)
    figure = foreground_color(picture, distance, keying)
    alpha = (~ground).astype(np.float32)
    alpha[edge] = unmixed_alpha(picture[edge], figure[edge])
    share = np.maximum(alpha, 1 / 255)[..., None]
    color = np.where(edge[..., None], (picture - (1 - share) * WHITE) / share, picture)
    rgba = np.concatenate([color, WHITE * alpha[..., None]], -1)
    return np.rint(rgba.clip(0, 255)).astype(np.uint8)


def white_ground(picture: Plane, keying: Keying) -> NDArray[np.bool_]:
    """Where white is connected to the border, and specks in it, (H, W)."""
    white = np.pad((WHITE - picture).max(-1) <= keying.tolerance, 1, constant_values=True)
    labels, _ = ndimage.label(white)
    ground = (labels == labels[0, 0])[1:-1, 1:-1]
    parts, count = ndimage.label(~ground, np.ones((3, 3), bool))
    small = np.bincount(parts.ravel(), minlength=count + 1) <= keying.specks
    small[0] = False
    result: NDArray[np.bool_] = ground | small[parts]
    return result


def foreground_color(picture: Plane, distance: Plane, keying: Keying) -> Plane:
    """The figure's colour beside every pixel, (H, W, 3); its own where there is none."""
    if keying.foreground == "strongest":
        return strongest_color(picture, keying.reach)
    solid = distance > keying.reach
    if not solid.any():
        return picture
    _, (rows, columns) = ndimage.distance_transform_edt(~solid, return_indices=True)
    return picture[rows, columns]


def strongest_color(picture: Plane, reach: int) -> Plane:
    """The colour farthest from white among all pixels within `reach` rows and columns."""
    padded = np.pad(picture, [(reach, reach), (reach, reach), (0, 0)], constant_values=WHITE)
    result = picture.copy()
    height, width = picture.shape[:2]
    for row, column in product(range(2 * reach + 1), repeat=2):
        other = padded[row : row + height, column : column + width]
        stronger = (WHITE - other).sum(-1) > (WHITE - result).sum(-1)
        result[stronger] = other[stronger]
    return result


def unmixed_alpha(mixed: Plane, figure: Plane) -> Plane:
    """How much of a figure's colour a mixture with white holds, (N,) of (N, 3); 1 if too faint."""
    strength = WHITE - figure
    size = np.square(strength).sum(-1)
    share = ((WHITE - mixed) * strength).sum(-1) / np.maximum(size, 1)
    result: Plane = np.where(size < FAINT**2, 1, share.clip(0, 1))
    return result


def tune_keying(
    pictures: Iterable[tuple[NDArray[np.uint8], Plane]],
    error: Callable[[Rgba, Plane], float],
) -> tuple[Keying, float]:
    """The settings of least mean error, and that error.

    Args:
        pictures: (opaque picture, true alpha).
    """
    known = list(pictures)

    def best(keyings: Iterable[Keying]) -> tuple[Keying, float]:
        scores = [
            (np.mean([error(key_white(rgb, keying), alpha) for rgb, alpha in known]), keying)
            for keying in keyings
        ]
        score, keying = min(scores, key=lambda each: each[0])
        return keying, float(score)

    ground, _ = best(ground_keyings())
    return best(edge_keyings(ground))
