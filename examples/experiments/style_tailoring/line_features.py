"""How lines are drawn, of a picture in black and clear: widths, outlines, holes, directions.

Every picture is first brought to black and clear (`ink_map`), so no palette can decide, and turning
a picture black and white changes nothing. Shapes: F features; ink maps are (H, W).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from examples.experiments.bench.grey_features import Floats, corner_features

Mask = NDArray[np.bool_]
LUMA = (0.299, 0.587, 0.114)
INK = 0.5  # luma over white below which a pixel is ink
RINGS = (0.0, 2.0, 4.0, 6.0, 9.0, 13.0)  # distances from the outline, in pixels
WIDTHS = (1.5, 2.5, 3.5, 4.5, 6.0, 8.0, 12.0)  # half of a line's, in pixels
SMALL = 12  # pixels of a blot
SPOTS = (0.002, 0.01, 0.05)  # shares of the silhouette


def luma_over_white(picture: Image.Image) -> Floats:
    """Greys (H, W) in [0, 1] of a picture that lies on white."""
    planes = np.asarray(picture.convert("RGBA"), np.float64) / 255
    alpha = planes[..., 3]
    grey: Floats = (planes[..., :3] @ LUMA) * alpha + (1 - alpha)
    return grey


def ink_map(picture: Image.Image) -> Mask:
    """Where a picture on white is dark."""
    return np.asarray(luma_over_white(picture) < INK)


def line_features(picture: Image.Image) -> Floats:
    """How the lines of a picture are drawn, (F,)."""
    ink = ink_map(picture)
    if ink.sum() < SMALL:
        ink = np.zeros_like(ink)
        ink[::2, ::2] = True  # nothing that anybody drew
    closed = ndimage.binary_closing(np.pad(ink, 4), iterations=3)[4:-4, 4:-4]
    silhouette = ndimage.binary_fill_holes(closed | ink)
    return np.array(
        [
            *outline_features(ink, silhouette),
            *width_features(ink),
            *part_features(ink, silhouette),
            *edge_features(ink, silhouette),
        ]
    )


def outline_features(ink: Mask, silhouette: Mask) -> list[float]:
    """Share of ink in the silhouette, and in rings along its outline."""
    depth = ndimage.distance_transform_edt(silhouette)
    features = [ink.sum() / silhouette.sum()]
    for near, far in zip(RINGS, RINGS[1:], strict=False):
        ring = (depth > near) & (depth <= far)
        features.append(float(ink[ring].mean()) if ring.any() else 1.0)
    return features


def width_features(ink: Mask) -> list[float]:
    """Shares of the middle of lines that are so wide, of black lines and of what lies between."""
    features: list[float] = []
    for plane in (ink, ~ink & ndimage.binary_fill_holes(ink)):
        depth = ndimage.distance_transform_edt(np.pad(plane, 1))
        ridge = depth[(depth > 0.9) & (depth >= ndimage.maximum_filter(depth, 3))]
        counts, _ = np.histogram(ridge, (0.0, *WIDTHS, 1e9))
        features += [*(counts / max(1, counts.sum())), float(np.log1p(counts.sum()))]
    return features


def part_features(ink: Mask, silhouette: Mask) -> list[float]:
    """How many blots and holes there are, of which sizes; shares of the largest."""
    features: list[float] = []
    for plane in (ink, silhouette & ~ink):
        labels, count = ndimage.label(plane)
        sizes = np.sort(np.bincount(labels.ravel())[1:])[::-1] / silhouette.sum()
        features += [float(np.log1p((sizes > share).sum())) for share in SPOTS]
        features += [float(np.log1p(count)), float(sizes[:1].sum()), float(sizes[:4].sum())]
    return features


def edge_features(ink: Mask, silhouette: Mask) -> list[float]:
    """How long edges are, how ragged, and how straight."""
    inner = ndimage.binary_erosion(ink)
    ragged = ink ^ ndimage.median_filter(ink, 5)
    smooth = ndimage.gaussian_filter(ink.astype(float), 1)
    return [
        float((ink & ~inner).sum() / ink.sum()),
        float((ink & ~inner).sum() / np.sqrt(silhouette.sum())),
        float(ragged.sum() / ink.sum()),
        *corner_features(smooth, np.ones_like(ink), 0.1),
    ]
