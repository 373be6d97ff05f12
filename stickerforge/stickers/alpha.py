"""Straight and premultiplied alpha.

Files hold straight alpha; whatever is resized or filtered is premultiplied, so that no colour
leaks in from where nothing is visible. Under transparent pixels the nearest visible colour is
laid, so that viewers which filter straight alpha show no halo.

`rgba` is uint8 (H, W, 4) with straight alpha; `premultiplied` is float32 (H, W, 4) in [0, 1]. What
is computed here lies in memory channel by channel, where whole planes are several times as quick.
"""

import numpy as np
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
Premultiplied = NDArray[np.float32]
Plane = NDArray[np.float32]
OPAQUE, CLEAR = 0.96, 0.04  # alpha beyond these is what a network means by 1 and by 0


def merge_channels(color: NDArray[np.floating], alpha: Plane) -> Premultiplied:
    """Colour (H, W, 3) and alpha (H, W) as one picture (H, W, 4), channel by channel in memory."""
    planes = np.empty((4, *alpha.shape), np.float32)
    planes[:3], planes[3] = np.moveaxis(color, -1, 0), alpha
    return np.moveaxis(planes, 0, -1)


def premultiply(rgba: Rgba) -> Premultiplied:
    """Straight to premultiplied alpha."""
    planes = np.moveaxis(rgba, -1, 0).astype(np.float32, order="C")
    planes /= np.float32(255)
    planes[:3] *= planes[3]
    return np.moveaxis(planes, 0, -1)


def unpremultiply(premultiplied: Premultiplied) -> Rgba:
    """Premultiplied to straight alpha, colours bled under transparent pixels.

    Values are clipped to [0, 1].
    """
    planes = np.moveaxis(premultiplied, -1, 0).clip(0, 1)
    planes[:3] /= np.maximum(planes[3], 1 / 512)
    np.clip(planes, 0, 1, out=planes)
    planes *= 255
    rgba = np.rint(planes, out=planes).astype(np.uint8)
    return bleed_colors(np.ascontiguousarray(np.moveaxis(rgba, 0, -1)))


def snap_alpha(premultiplied: Premultiplied) -> Premultiplied:
    """A decoded picture with alpha pulled to 0 and 1 where the network nearly says so.

    Colour is scaled along with alpha, so edges stay soft and keep their hue.
    """
    alpha = premultiplied[..., 3:]
    target = ((alpha - CLEAR) / (OPAQUE - CLEAR)).clip(0, 1)
    ratio = target / np.maximum(alpha, 1 / 512)
    color = np.where(target > 0, premultiplied[..., :3] * ratio, 0)
    return merge_channels(np.clip(color, 0, target), target[..., 0])


def bleed_colors(rgba: Rgba, rounds: int = 8) -> Rgba:
    """The picture with visible colours spread under the transparent pixels around them.

    Args:
        rounds: how many pixels far; farther away the mean visible colour is laid.
    """
    rgba = np.ascontiguousarray(rgba)
    visible = rgba[..., 3] > 0
    if visible.all() or not visible.any():
        return rgba
    pixels = np.pad(rgba, [(1, 1), (1, 1), (0, 0)])  # a margin, so that every pixel has neighbours
    known, inside = np.pad(visible, 1), np.pad(np.ones_like(visible), 1)
    # Masks take and set a pixel as one whole number several times as quickly as four.
    flat, numbers = pixels.reshape(-1, 4), pixels.view(np.uint32)[..., 0]
    own = np.ascontiguousarray(numbers[known].view(np.uint8).reshape(-1, 4)[:, :3], np.float32)
    mean = np.append(np.rint(own.mean(0)), 0).astype(np.uint8)
    border = np.flatnonzero(known & dilate(~known))
    color = np.zeros((known.size, 3), np.float32)  # of the border and the rings, all else is 0
    color[border] = flat[border, :3]
    for _ in range(rounds):
        ring = np.flatnonzero(dilate(known) & ~known & inside)
        color[ring] = mean_of_known(color, known, ring)
        flat[ring, :3] = np.rint(color[ring])
        known.reshape(-1)[ring] = True
    np.copyto(numbers, mean.view(np.uint32)[0], where=~known)
    return np.ascontiguousarray(pixels[1:-1, 1:-1])


def dilate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask (H, W) and the eight neighbours of all of its pixels."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    wide = rows.copy()
    wide[:, 1:] |= rows[:, :-1]
    wide[:, :-1] |= rows[:, 1:]
    return wide


def mean_of_known(
    color: NDArray[np.float32], known: NDArray[np.bool_], pixels: NDArray[np.intp]
) -> NDArray[np.float32]:
    """The mean colour of the known ones among the eight neighbours of each pixel, (N, 3).

    Args:
        color: (H * W, 3), 0 where it is not known.
        known: (H, W); a row or column at the edge holds none.
        pixels: N of them by their number, none of them at the edge.
    """
    row, flat = known.shape[1], known.reshape(-1)
    colors, counts = zip(
        *(
            (
                color.take(column - row, 0) + color.take(column, 0) + color.take(column + row, 0),
                flat[column - row] + np.float32(flat[column]) + flat[column + row],
            )
            for column in (pixels - 1, pixels, pixels + 1)
        ),
        strict=True,
    )
    mean: NDArray[np.float32] = sum(colors[1:], colors[0]) / sum(counts[1:], counts[0])[:, None]
    return mean
