"""How well a sticker is cut out: figures of its alpha channel that need no model.

`rgba` is uint8 (H, W, 4) with straight alpha. Lengths are in pixels of a sticker of 512, whatever the size of the file.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from stickerforge.stickers.alpha import Rgba, premultiply

REFERENCE = 512  # side that lengths refer to
VISIBLE, SOLID = (
    0.1,
    0.9,
)  # alpha from which a pixel is there at all, and from which nothing shines through
EIGHT = np.ones((3, 3), bool)  # neighbours across corners count
SPECK = (
    3e-5  # share of the picture below which a part is dust that nobody sees: 8 pixels of 512 x 512
)
NONE = float("nan")
LEGIBLE = 64  # side at which chats show a sticker in a list


@dataclass(frozen=True)
class Cutout:
    """The figures of one picture.

    Args:
        coverage: mean alpha, 0 to 1; 1 where nothing is cut out.
        box: share of the picture inside the box around everything visible, 0 to 1.
        border_touch: share of the outermost pixels that are visible, 0 to 1: the figure is cropped there.
        holes: share of the filled figure that is clear although surrounded by it, 0 to 1.
        stray: share of what is visible that is not connected to the largest part, 0 to 1.
        parts: connected parts, dust left out.
        softness: mean width of the edge in pixels: about 1 to 2 is smooth, near 0 jagged, over 4 blurred.
        halo: colour error of the half-transparent edge, 0 to 255: what another ground has left in it. An edge pixel of
            alpha a and colour c beside solid colour s looks wrong by a |c - s| over every ground alike.
        haze: how transparent the inside is, 0 to 1, away from the edge.
        legibility: share of the light and dark that survives at 64 pixels, 0 to 1.
    """

    coverage: float
    box: float
    border_touch: float
    holes: float
    stray: float
    parts: float
    softness: float
    halo: float
    haze: float
    legibility: float


NAMES = tuple(field.name for field in fields(Cutout))


def measure_cutout(rgba: Rgba) -> Cutout:
    """All figures of a picture, NaN for those that it cannot have: what shows nothing has no holes, and without an edge is no halo."""
    alpha: NDArray[np.float32] = rgba[..., 3].astype(np.float32) / np.float32(255)
    visible = alpha > VISIBLE
    if not visible.any():
        return Cutout(float(alpha.mean()), 0, 0, NONE, NONE, 0, NONE, NONE, NONE, NONE)
    scale = max(alpha.shape) / REFERENCE  # pixels of the file per pixel of a sticker
    border = np.concatenate([visible[0], visible[-1], visible[1:-1, 0], visible[1:-1, -1]])
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    box = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1) / alpha.size
    filled = ndimage.binary_fill_holes(visible)
    areas = part_areas(visible)
    return Cutout(
        coverage=float(alpha.mean()),
        box=float(box),
        border_touch=float(border.mean()),
        holes=hole_share(visible, filled),
        stray=float(1 - areas.max() / areas.sum()),
        parts=float((areas >= SPECK * alpha.size).sum()),
        softness=softness(alpha, 16 * scale) / scale,
        halo=halo(rgba, alpha, 4 * scale),
        haze=haze(alpha, filled, scale),
        legibility=legibility(rgba),
    )


def part_areas(visible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pixels of every connected part."""
    labels, count = ndimage.label(visible, EIGHT)
    return np.bincount(labels.ravel(), minlength=count + 1)[1:]


def hole_share(visible: NDArray[np.bool_], filled: NDArray[np.bool_]) -> float:
    """Clear pixels that the figure surrounds, dust left out, as a share of the filled figure."""
    labels, count = ndimage.label(filled & ~visible)
    if not count:
        return 0.0
    areas = np.bincount(labels.ravel())[1:]
    return float(areas[areas >= SPECK * visible.size].sum() / filled.sum())


def softness(alpha: NDArray[np.float32], reach: float) -> float:
    """Mean width of the edge in pixels of the file: the integral of 4 a (1 - a) over the length of the contour at one half.

    A straight edge whose alpha rises in a line over w pixels has 2 w / 3 of it; hence the factor. Alpha counts as a share of what
    the inside has, and only near the contour, so that a hazy inside is no soft edge.

    Args:
        reach: distance from the contour in pixels of the file up to which an edge is looked for.
    """
    inside = alpha > 0.5
    steps = np.count_nonzero(inside[1:] != inside[:-1]) + np.count_nonzero(
        inside[:, 1:] != inside[:, :-1]
    )
    if not steps:
        return NONE
    length = (
        steps * np.pi / 4
    )  # a contour of every direction crosses 4 / pi pixel borders per pixel of its length
    share = np.minimum(alpha / np.median(alpha[inside]), 1)
    near = ndimage.distance_transform_edt(inside) + ndimage.distance_transform_edt(~inside) <= max(
        2.0, reach
    )
    return float(1.5 * (4 * share * (1 - share))[near].sum(dtype=np.float64) / length)


def halo(rgba: Rgba, alpha: NDArray[np.float32], reach: float) -> float:
    """Mean of a |c - s| over the half-transparent edge, s being the nearest solid colour; NaN without such an edge.

    Args:
        reach: distance in pixels of the file up to which a solid colour is looked for.
    """
    edge = (alpha > VISIBLE) & (alpha < SOLID)
    solid = alpha >= SOLID
    if not edge.any() or not solid.any():
        return NONE
    distance, (rows, columns) = ndimage.distance_transform_edt(~solid, return_indices=True)
    edge &= distance <= max(1.5, reach)
    if not edge.any():
        return NONE
    nearest = rgba[rows[edge], columns[edge], :3].astype(np.float32)
    error = np.abs(rgba[edge][:, :3] - nearest).mean(1)
    return float((alpha[edge] * error).mean())


def haze(alpha: NDArray[np.float32], filled: NDArray[np.bool_], scale: float) -> float:
    """Mean transparency of what is visible, at least six pixels (of 512) away from the outline."""
    deep = ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1] > max(1.5, 6 * scale)
    deep &= alpha > VISIBLE
    return float((1 - alpha[deep]).mean()) if deep.any() else NONE


def legibility(rgba: Rgba) -> float:
    """1 - (what is lost of the luminance over middle grey by going to 64 pixels and back) / its variance."""
    premultiplied = premultiply(rgba)
    grey = premultiplied[..., :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32) + 0.5 * (
        1 - premultiplied[..., 3]
    )
    if max(grey.shape) <= LEGIBLE or grey.std() < 1e-3:
        return 1.0
    picture = Image.fromarray(grey.astype(np.float32))
    small = picture.copy()
    small.thumbnail((LEGIBLE, LEGIBLE), Image.Resampling.BOX)
    back = np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC))
    return float(np.clip(1 - np.square(back - grey).mean() / grey.var(), 0, 1))
