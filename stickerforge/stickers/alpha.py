"""Straight and premultiplied alpha.

Files hold straight alpha; whatever is resized or filtered is premultiplied, so that no colour
leaks in from where nothing is visible. Under transparent pixels the nearest visible colour is
laid, so that viewers which filter straight alpha show no halo.

`rgba` is uint8 (H, W, 4) with straight alpha; `premultiplied` is float32 (H, W, 4) in [0, 1].
"""

import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
Premultiplied = NDArray[np.float32]
OPAQUE, CLEAR = 0.96, 0.04  # alpha beyond these is what a network means by 1 and by 0


def premultiply(rgba: Rgba) -> Premultiplied:
    """Straight to premultiplied alpha."""
    scaled: Premultiplied = rgba.astype(np.float32) / np.float32(255)
    scaled[..., :3] *= scaled[..., 3:]
    return scaled


def unpremultiply(premultiplied: Premultiplied) -> Rgba:
    """Premultiplied to straight alpha, colours bled under transparent pixels.

    Values are clipped to [0, 1].
    """
    alpha = premultiplied[..., 3:].clip(0, 1)
    color = premultiplied[..., :3].clip(0, 1) / np.maximum(alpha, 1 / 512)
    rgba = np.concatenate([color.clip(0, 1), alpha], -1)
    return bleed_colors((rgba * 255).round().astype(np.uint8))


def snap_alpha(premultiplied: Premultiplied) -> Premultiplied:
    """A decoded picture with alpha pulled to 0 and 1 where the network nearly says so.

    Colour is scaled along with alpha, so edges stay soft and keep their hue.
    """
    alpha = premultiplied[..., 3:]
    target = ((alpha - CLEAR) / (OPAQUE - CLEAR)).clip(0, 1)
    ratio = target / np.maximum(alpha, 1 / 512)
    color = np.where(target > 0, premultiplied[..., :3] * ratio, 0)
    return np.concatenate([np.clip(color, 0, target), target], -1).astype(np.float32)


def bleed_colors(rgba: Rgba, rounds: int = 8) -> Rgba:
    """The picture with visible colours spread under the transparent pixels around them.

    Args:
        rounds: how many pixels far; farther away the mean visible colour is laid.
    """
    visible = rgba[..., 3] > 0
    if visible.all() or not visible.any():
        return rgba
    color = np.where(visible[..., None], rgba[..., :3], 0).astype(np.float32)
    weight = visible.astype(np.float32)
    mean = color[visible].mean(0)
    for _ in range(rounds):
        neighbors, count = neighbor_sum(color * weight[..., None]), neighbor_sum(weight)
        ring = (weight == 0) & (count > 0)
        color[ring] = neighbors[ring] / count[ring][:, None]
        weight = np.maximum(weight, ring)
    color[weight == 0] = mean
    return np.concatenate([color.round().astype(np.uint8), rgba[..., 3:]], -1)


def neighbor_sum(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum over each pixel and its eight neighbours, (H, W, ...) -> (H, W, ...)."""
    padded = np.pad(values, [(1, 1), (1, 1)] + [(0, 0)] * (values.ndim - 2))
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    total: NDArray[np.float32] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return total
