"""Filters that turn a picture black and clear: no threshold is to pass for the house style."""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image
from scipy import ndimage

from examples.experiments.style_tailoring.line_features import INK, Mask, luma_over_white

BLACK = (33, 33, 33)  # of the house style
LEVELS = 64
REACH, STEP = 6, 0.04  # of the local threshold: pixels, and darker by so much than around


def paint(ink: Mask) -> Image.Image:
    """Black where there is ink, clear elsewhere."""
    planes = np.zeros((*ink.shape, 4), np.uint8)
    planes[ink] = (*BLACK, 255)
    return Image.fromarray(planes)


def fixed(picture: Image.Image) -> Image.Image:
    """What is darker than middle grey becomes black."""
    return paint(luma_over_white(picture) < INK)


def otsu(picture: Image.Image) -> Image.Image:
    """The darker of the two groups of greys of the figure becomes black (Otsu 1979)."""
    grey = luma_over_white(picture)
    figure = np.asarray(picture.convert("RGBA"))[..., 3] > 127
    return paint(figure & (grey < otsu_level(grey[figure])))


def otsu_level(greys: np.ndarray) -> float:
    """The level that parts greys into two groups that are furthest apart."""
    if not len(greys):
        return INK
    counts, edges = np.histogram(greys, LEVELS, (0, 1))
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    sums = np.cumsum(counts * middles)
    above, total = len(greys) - below, sums[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums[:-1] / below - (total - sums[:-1]) / above) ** 2
    return float(edges[1:-1][np.nan_to_num(apart).argmax()])


def local(picture: Image.Image) -> Image.Image:
    """What is darker than its surroundings becomes black, and an outline of the figure: lines."""
    grey = luma_over_white(picture)
    figure = np.asarray(picture.convert("RGBA"))[..., 3] > 127
    dark = grey < ndimage.gaussian_filter(grey, REACH) - STEP
    outline = figure & ~ndimage.binary_erosion(figure, iterations=4)
    return paint(
        figure & ((dark & (ndimage.gaussian_filter(dark.astype(float), 1) > 0.5)) | outline)
    )


FILTERS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "fixed": fixed,
    "otsu": otsu,
    "local": local,
}
