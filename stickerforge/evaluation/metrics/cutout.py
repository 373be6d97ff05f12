"""How well a sticker is cut out, from its alpha channel; needs no model.

Lengths are in pixels of a sticker of 512, whatever the size of the file. Adding one more measure is
adding one more function of a `Cutout`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from stickerforge.evaluation.metrics.base import Better, MetricInput, metric
from stickerforge.stickers.alpha import Rgba, premultiply

REFERENCE = 512  # side that lengths refer to
VISIBLE = 0.1  # alpha from which a pixel is there at all
SOLID = 0.9  # alpha from which nothing shines through
EIGHT = np.ones((3, 3), bool)  # neighbours across corners count
SPECK = 3e-5  # share of the picture below which a part is dust: 8 pixels of 512 x 512
NONE = float("nan")
LEGIBLE = 64  # side at which chats show a sticker in a list


@dataclass(frozen=True)
class Cutout:
    """A picture of which something is visible, and what several measures need of it.

    Args:
        rgba: uint8 (H, W, 4) with straight alpha.
        alpha: 0 to 1, (H, W).
        visible: where alpha is over VISIBLE, (H, W).
        filled: the same with holes filled.
        areas: pixels of every connected part.
        scale: pixels of the file per pixel of a sticker of 512.
    """

    rgba: Rgba
    alpha: NDArray[np.float32]
    visible: NDArray[np.bool_]
    filled: NDArray[np.bool_]
    areas: NDArray[np.int64]
    scale: float


Measure = Callable[[Cutout], float]
MEASURES: dict[str, Measure] = {}
BLANK: dict[str, float] = {}  # what a picture has of which nothing is visible


def cutout_metric(
    name: str,
    *,
    better: Better,
    about: str,
    unit: str = "",
    paired: bool = False,
    axis: bool = False,
    blank: float = NONE,
) -> Callable[[Measure], Measure]:
    """Declare the metric that the decorated function computes for one picture; see `Metric`.

    Args:
        blank: its value for a picture of which nothing is visible; NaN for none, so that a blank
            picture does not look perfect.
    """

    def register(measure: Measure) -> Measure:
        MEASURES[name], BLANK[name] = measure, blank
        metric(
            name, group="cutout", better=better, about=about, unit=unit, paired=paired, axis=axis
        )(partial(cutout_values, name))
        return measure

    return register


def cutout_values(name: str, data: MetricInput) -> NDArray[np.float64]:
    """What was measured of each picture when its features were, (N,)."""
    return np.array([item.cutout[name] for item in data.pictures])


def measure_cutout(rgba: Rgba) -> dict[str, float]:
    """All measures of a picture by name, NaN for those that it cannot have.

    What shows nothing has no holes, and without an edge there is no halo.

    Args:
        rgba: uint8 (H, W, 4) with straight alpha.
    """
    alpha: NDArray[np.float32] = rgba[..., 3].astype(np.float32) / np.float32(255)
    visible = alpha > VISIBLE
    if not visible.any():
        return BLANK | {"coverage": float(alpha.mean())}
    scale = max(alpha.shape) / REFERENCE
    filled = ndimage.binary_fill_holes(visible)
    cutout = Cutout(rgba, alpha, visible, filled, part_areas(visible), scale)
    return {name: measure(cutout) for name, measure in MEASURES.items()}


@cutout_metric("coverage", better="", about="mean alpha; 1 where nothing is cut out")
def measure_coverage(cutout: Cutout) -> float:
    """Mean alpha, 0 to 1; 1 where nothing is cut out."""
    return float(cutout.alpha.mean())


@cutout_metric(
    "box", better="higher", about="share of the picture inside the figure's box", blank=0
)
def measure_box(cutout: Cutout) -> float:
    """Share of the picture inside the box around everything visible, 0 to 1."""
    rows = np.flatnonzero(cutout.visible.any(1))
    columns = np.flatnonzero(cutout.visible.any(0))
    area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    return float(area / cutout.alpha.size)


@cutout_metric(
    "border_touch",
    better="lower",
    about="share of the border that the figure touches: it is cropped there",
    blank=0,
)
def measure_border_touch(cutout: Cutout) -> float:
    """Share of the outermost pixels that are visible, 0 to 1: the foreground is cropped there."""
    visible = cutout.visible
    border = np.concatenate([visible[0], visible[-1], visible[1:-1, 0], visible[1:-1, -1]])
    return float(border.mean())


@cutout_metric(
    "holes", better="lower", about="clear share of the inside of the figure", paired=True
)
def measure_holes(cutout: Cutout) -> float:
    """Share of the filled foreground that is clear although surrounded by it, 0 to 1."""
    return hole_share(cutout.visible, cutout.filled)


@cutout_metric(
    "stray", better="lower", about="share of what is visible that hangs in the air", paired=True
)
def measure_stray(cutout: Cutout) -> float:
    """Share of what is visible that is not connected to the largest part, 0 to 1."""
    return float(1 - cutout.areas.max() / cutout.areas.sum())


@cutout_metric("parts", better="lower", about="connected parts", blank=0)
def measure_parts(cutout: Cutout) -> float:
    """Number of connected parts, dust left out."""
    return float((cutout.areas >= SPECK * cutout.alpha.size).sum())


@cutout_metric(
    "softness",
    better="",
    about="width of the edge at 512 px: 1 to 2 smooth, near 0 jagged, over 4 blurred",
    unit="px",
)
def measure_softness(cutout: Cutout) -> float:
    """Mean width of the edge in pixels: about 1 to 2 is smooth, near 0 jagged, over 4 blurred."""
    return softness(cutout.alpha, 16 * cutout.scale) / cutout.scale


@cutout_metric(
    "halo",
    better="lower",
    about="colour error of the half-transparent edge, 0 to 255",
    paired=True,
)
def measure_halo(cutout: Cutout) -> float:
    """Colour error of the half-transparent edge, 0 to 255: what another ground has left in it.

    An edge pixel of alpha a and colour c beside solid colour s looks wrong by a |c - s| over every
    ground alike.
    """
    return halo(cutout.rgba, cutout.alpha, 4 * cutout.scale)


@cutout_metric("haze", better="lower", about="transparency of the inside", paired=True)
def measure_haze(cutout: Cutout) -> float:
    """How transparent the inside is away from the edge, 0 to 1."""
    return haze(cutout.alpha, cutout.filled, cutout.scale)


@cutout_metric(
    "legibility",
    better="higher",
    about="share of light and dark that survives at 64 px",
    paired=True,
    axis=True,
)
def measure_legibility(cutout: Cutout) -> float:
    """Share of the light and dark that survives at 64 pixels, 0 to 1."""
    return legibility(cutout.rgba)


def part_areas(visible: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pixels of every connected part."""
    labels, count = ndimage.label(visible, EIGHT)
    return np.bincount(labels.ravel(), minlength=count + 1)[1:]


def hole_share(visible: NDArray[np.bool_], filled: NDArray[np.bool_]) -> float:
    """Clear pixels that the foreground surrounds, dust left out, as a share of it when filled."""
    labels, count = ndimage.label(filled & ~visible)
    if not count:
        return 0.0
    areas = np.bincount(labels.ravel())[1:]
    return float(areas[areas >= SPECK * visible.size].sum() / filled.sum())


def softness(alpha: NDArray[np.float32], reach: float) -> float:
    """Mean width of the edge in pixels of the file; NaN without an edge.

    It is the integral of 4 a (1 - a) over the length of the contour at one half. A straight edge
    whose alpha rises in a line over w pixels has 2 w / 3 of it; hence the factor. Alpha counts as a
    share of what the inside has, and only near the contour, so that a hazy inside is no soft edge.

    Args:
        alpha: 0 to 1, (H, W).
        reach: distance from the contour in pixels of the file up to which an edge is looked for.
    """
    inside = alpha > 0.5
    vertical = np.count_nonzero(inside[1:] != inside[:-1])
    steps = vertical + np.count_nonzero(inside[:, 1:] != inside[:, :-1])
    if not steps:
        return NONE
    # A contour of every direction crosses 4 / pi pixel borders per pixel of its length.
    length = steps * np.pi / 4
    share = np.minimum(alpha / np.median(alpha[inside]), 1)
    distance = ndimage.distance_transform_edt(inside) + ndimage.distance_transform_edt(~inside)
    near = distance <= max(2.0, reach)
    return float(1.5 * (4 * share * (1 - share))[near].sum(dtype=np.float64) / length)


def halo(rgba: Rgba, alpha: NDArray[np.float32], reach: float) -> float:
    """Mean of a |c - s| over the half-transparent edge, s being the nearest solid colour.

    Args:
        rgba: uint8 (H, W, 4) with straight alpha.
        alpha: the same alpha, 0 to 1, (H, W).
        reach: distance in pixels of the file up to which a solid colour is looked for.

    Returns:
        0 to 255; NaN without such an edge.
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
    """1 - (what the luminance over middle grey loses by going to 64 px and back) / its variance."""
    premultiplied = premultiply(rgba)
    luminance = premultiplied[..., :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    grey = luminance + 0.5 * (1 - premultiplied[..., 3])
    if max(grey.shape) <= LEGIBLE or grey.std() < 1e-3:
        return 1.0
    picture = Image.fromarray(grey.astype(np.float32))
    small = picture.copy()
    small.thumbnail((LEGIBLE, LEGIBLE), Image.Resampling.BOX)
    back = np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC))
    return float(np.clip(1 - np.square(back - grey).mean() / grey.var(), 0, 1))
