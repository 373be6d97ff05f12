"""How a picture is drawn, in grey: edges, outlines and shading, in numbers.

Greys are measured from the figure's own mean in its own deviation, so that no palette decides.
Shapes: F features; grey pictures are (H, W).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from examples.recipes.mini.settings import PIXELS

Floats = NDArray[np.float64]
VISIBLE = 0.5  # alpha from which a pixel belongs to the figure
RINGS = (0.0, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0)  # distances from the outline, in pixels
STEPS = (0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2)  # changes of grey that are counted
SPANS = (1, 3)  # pixels over which a change is taken
ORIENTATIONS = 8
AREA_STEP = 0.25  # deviations that areas of one grey may span
LEVELS = 24  # greys that are told apart, from -3 to 3 deviations
MIN_DEVIATION = 0.02  # of greys, for figures of one grey


def grey_plane(picture: Image.Image) -> tuple[Floats, NDArray[np.bool_]]:
    """(greys of the figure in deviations from their mean, where the figure is), both (H, W)."""
    fitted = picture.convert("RGBA").convert("RGBa")
    if max(fitted.size) != PIXELS:
        fitted.thumbnail((PIXELS, PIXELS), Image.Resampling.LANCZOS)
    planes = np.asarray(fitted, np.float64) / 255
    alpha = planes[..., 3]
    grey = (planes[..., :3] @ (0.299, 0.587, 0.114)) / np.maximum(alpha, 1e-3)
    figure = alpha > VISIBLE
    if not figure.any():
        return np.zeros_like(grey), figure
    inside = grey[figure]
    grey = (grey - inside.mean()) / max(float(inside.std()), MIN_DEVIATION)
    # Outside lies the nearest grey of the figure, so that its border is no edge.
    _, nearest = ndimage.distance_transform_edt(~figure, return_indices=True)
    return grey[tuple(nearest)].clip(-4, 4), figure


def grey_features(picture: Image.Image) -> Floats:
    """How a picture is drawn, in grey, (F,)."""
    grey, figure = grey_plane(picture)
    if not figure.any():
        figure = np.ones_like(figure)
    depth = ndimage.distance_transform_edt(figure)
    inner = depth > RINGS[2] if (depth > RINGS[2]).any() else figure
    features = [*outline_features(grey, depth, inner), *level_features(grey, inner)]
    for span in SPANS:
        features += step_features(grey, inner, span)
    shape = ndimage.gaussian_filter(figure.astype(float), 1)
    features += [*shading_features(grey, inner), *edge_features(grey, inner)]
    features += corner_features(grey, figure, 0.25)
    features += corner_features(shape, np.ones_like(figure), 0.1)
    return np.array([*features, *area_features(grey, figure)])


def outline_features(grey: Floats, depth: Floats, inner: NDArray[np.bool_]) -> list[float]:
    """Mean and deviation of grey in rings along the outline, against those of the inside."""
    features = []
    for near, far in zip(RINGS, RINGS[1:], strict=False):
        ring = (depth > near) & (depth <= far)
        values = grey[ring] if ring.any() else grey[inner]
        features += [values.mean() - grey[inner].mean(), values.std()]
    return features


def level_features(grey: Floats, inner: NDArray[np.bool_]) -> list[float]:
    """How few greys there are: the entropy of their histogram, and the share of the commonest."""
    counts, _ = np.histogram(grey[inner], LEVELS, (-3, 3))
    shares = np.sort(counts / max(1, counts.sum()))[::-1]
    some = shares[shares > 0]
    return [-(some * np.log(some)).sum(), *np.cumsum(shares)[[0, 1, 3, 7]]]


def step_features(grey: Floats, inner: NDArray[np.bool_], span: int) -> list[float]:
    """Shares of neighbours that differ by more than each step, across and down."""
    features = []
    for axis in (0, 1):
        change = np.abs(grey - np.roll(grey, span, axis))[inner]
        features += [float((change > step).mean()) ** 0.5 for step in STEPS]
    return features


def shading_features(grey: Floats, inner: NDArray[np.bool_]) -> list[float]:
    """Where light comes from, and how smoothly it fades: slopes that are no edges."""
    smooth = ndimage.gaussian_filter(grey, 1.5)
    down, across = np.gradient(smooth)
    slope = np.hypot(down, across)
    faint = inner & (slope > 0.01) & (slope < 0.12)
    bend = np.abs(ndimage.laplace(smooth))
    rough = np.abs(grey - ndimage.median_filter(grey, 5))
    features = [faint.sum() / inner.sum(), bend[inner].mean(), rough[inner].mean()]
    for plane in (down, across, np.abs(down) - np.abs(across)):
        features.append(float(plane[faint].mean()) * 20 if faint.any() else 0.0)
    rows, columns = np.where(inner)
    for place in (rows, columns):
        spread = place.std() * grey[inner].std()
        features.append(
            float(((place - place.mean()) * grey[inner]).mean() / spread) if spread > 1e-9 else 0.0
        )
    return features


def edge_features(grey: Floats, inner: NDArray[np.bool_]) -> list[float]:
    """Directions of edges, how dark they are, and how wide."""
    down, across = ndimage.sobel(grey, 0) / 8, ndimage.sobel(grey, 1) / 8
    size = np.hypot(down, across)
    angle = np.arctan2(down, across) % np.pi
    edge = inner & (size > 0.25)
    shares, _ = np.histogram(angle[edge], ORIENTATIONS, (0, np.pi))
    total = max(1, int(edge.sum()))
    darker = grey[edge].mean() - grey[inner].mean() if edge.any() else 0.0
    # A line is dark between two lighter sides.
    line = ndimage.grey_closing(grey, 5) - grey
    light = grey - ndimage.grey_opening(grey, 5)
    return [
        *(shares / total),
        edge.sum() / inner.sum(),
        darker,
        float((line[inner] > 0.5).mean()),
        float((light[inner] > 0.5).mean()),
        float(line[inner].mean()),
        float(light[inner].mean()),
    ]


def corner_features(plane: Floats, where: NDArray[np.bool_], least: float) -> list[float]:
    """How straight edges are: the coherence of their directions nearby, at three sizes.

    Args:
        least: change per pixel that makes an edge.
    """
    features = []
    down, across = ndimage.sobel(plane, 0) / 8, ndimage.sobel(plane, 1) / 8
    edge = where & (np.hypot(down, across) > least)
    for size in (1.0, 2.0, 4.0):
        rows, columns, mixed = (
            ndimage.gaussian_filter(product, size)
            for product in (down * down, across * across, down * across)
        )
        apart = np.hypot(rows - columns, 2 * mixed)
        coherence = (apart / np.maximum(rows + columns, 1e-9))[edge]
        if not coherence.size:
            coherence = np.ones(1)
        features += [float((coherence < part).mean()) for part in (0.3, 0.5, 0.7, 0.85, 0.95)]
        features.append(float(coherence.mean()))
    return features


def area_features(grey: Floats, figure: NDArray[np.bool_]) -> list[float]:
    """How many areas of one grey there are, and how large the largest."""
    level, sizes = np.round(grey / AREA_STEP).astype(int), []
    for each in np.unique(level[figure]):
        areas, _ = ndimage.label((level == each) & figure)
        sizes.append(np.bincount(areas.ravel())[1:])
    shares = np.sort(np.concatenate(sizes))[::-1] / figure.sum()
    counts = [float(np.log1p((shares > least).sum())) for least in (0.002, 0.02)]
    return [*counts, *(float(shares[:number].sum()) for number in (1, 3, 6))]
