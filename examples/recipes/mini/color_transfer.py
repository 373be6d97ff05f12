"""The shape of one drawing in the colours of another.

Sprites are premultiplied uint8 (P, P, 4).
"""

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from examples.recipes.mini.sprites import bounding_box
from stickerforge.stickers.color import lab

PALETTE_SIZE = 16  # colours of a flat drawing at most
MIN_COLOUR_SHARE = 0.002  # share of a drawing that a colour needs, to be one of them
SAMPLED_PIXELS = 6000  # pixels of a drawing that colours are looked for in
PLACE_WEIGHT = 45.0  # what the whole width of a drawing counts, in units of CIELAB
NEIGHBOURS = 12  # pixels that give a shaded one its colour
SHADED_STYLES = ("noto", "fluent")


def unpremultiply(sprite: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(colours (P, P, 3), alpha (P, P)) in [0, 1] of a premultiplied uint8 sprite."""
    alpha = sprite[..., 3].astype(float)
    return sprite[..., :3] / np.maximum(alpha, 1)[..., None], alpha / 255


def premultiply(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """A premultiplied uint8 sprite (P, P, 4) of colours (P, P, 3) and alpha (P, P) in [0, 1]."""
    planes = np.concatenate([colours * alpha[..., None], alpha[..., None]], -1)
    return (planes * 255).round().clip(0, 255).astype(np.uint8)


def opaque_mask(alpha: np.ndarray) -> np.ndarray:
    """Where a drawing is opaque, (P, P); where it is nowhere, its pixels over half."""
    return alpha > 0.98 if (alpha > 0.98).any() else alpha > 0.5


def flat_palette(sprite: np.ndarray, count: int = PALETTE_SIZE) -> np.ndarray:
    """The colours of a flat drawing, (up to `count`, 3) in [0, 1].

    Its common ones, or as many clusters of them.
    """
    colours, alpha = unpremultiply(sprite)
    inside = colours[opaque_mask(alpha)]
    result, often = np.unique((inside * 63).round().astype(int), axis=0, return_counts=True)
    result = result[often >= max(2, MIN_COLOUR_SHARE * len(inside))]
    if 0 < len(result) <= count:
        return result / 63
    sample = np.random.default_rng(0).permutation(inside)[:SAMPLED_PIXELS]
    own = kmeans2(lab(255 * sample), count, minit="++", seed=0)[1]
    return np.stack(
        [np.median(sample[own == ink], 0) for ink in range(count) if (own == ink).any()]
    )


def recolour_flat(shape: np.ndarray, model: np.ndarray) -> np.ndarray:
    """A drawing with each of its colours exchanged for the nearest ink of another.

    Both premultiplied uint8 (P, P, 4).
    """
    colours, alpha = unpremultiply(shape)
    visible, palette = alpha > 0.02, flat_palette(model)
    colours[visible] = palette[cKDTree(lab(255 * palette)).query(lab(255 * colours[visible]))[1]]
    return premultiply(colours, alpha)


def recolour_shaded(shape: np.ndarray, model: np.ndarray) -> np.ndarray:
    """A drawing with colours from pixels of another that are near in colour and in place, which
    carries gradients over.
    """
    (colours, alpha), (given, solid) = unpremultiply(shape), unpremultiply(model)
    visible, inside = alpha > 0.02, opaque_mask(solid)
    sample = np.random.default_rng(0).permutation(int(inside.sum()))[:SAMPLED_PIXELS]
    source = np.concatenate(
        [lab(255 * given[inside]), PLACE_WEIGHT * relative_positions(model, inside)], 1
    )[sample]
    queries = np.concatenate(
        [lab(255 * colours[visible]), PLACE_WEIGHT * relative_positions(shape, visible)], 1
    )
    near = cKDTree(source).query(queries, k=min(NEIGHBOURS, len(source)))[1]
    colours[visible] = given[inside][sample][near.reshape(len(queries), -1)].mean(1)
    return premultiply(colours, alpha)


def relative_positions(sprite: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Where pixels lie in the box around what is visible, (N, 2), on a unit square."""
    left, top, right, bottom = bounding_box(sprite)
    rows, columns = np.where(pixels)
    return np.stack([(columns - left) / (right - left), (rows - top) / (bottom - top)], 1)


def transfer_style(shape: np.ndarray, model: np.ndarray, style: str) -> np.ndarray:
    """The shape of one drawing in the style of another, which `style` names."""
    return recolour_shaded(shape, model) if style in SHADED_STYLES else recolour_flat(shape, model)
