"""Stray spots around a sticker: found by connected components of alpha, and taken away.

`premultiplied` is float32 (H, W, 4) in [0, 1].
"""

import numpy as np
from numpy.typing import NDArray

from stickerforge.stickers.alpha import Premultiplied

VISIBLE = 0.1  # alpha from which a pixel belongs to a component
SMALL = 0.003  # share of the picture below which a component is a speck: 7 x 7 pixels of 128 x 128
GRID = 128  # components are found on a grid of at most this side


def despeckle(premultiplied: Premultiplied) -> Premultiplied:
    """The picture without components that are too small to be meant; the largest one always stays."""
    height, width = premultiplied.shape[:2]
    cell = -(-max(height, width) // GRID)
    padded = np.pad(premultiplied[..., 3], [(0, -height % cell), (0, -width % cell)])
    rows, columns = padded.shape[0] // cell, padded.shape[1] // cell
    coarse = padded.reshape(rows, cell, columns, cell).max((1, 3))
    labels = components(coarse > VISIBLE)
    names, areas = np.unique(labels[labels > 0], return_counts=True)
    specks = names[(areas < SMALL * coarse.size) & (areas < areas.max(initial=0))]
    if not len(specks):
        return premultiplied
    gone = grown(np.isin(labels, specks)) & ~grown(np.isin(labels, np.setdiff1d(names, specks)))
    fine = gone.repeat(cell, 0).repeat(cell, 1)[:height, :width]
    return np.where(fine[..., None], np.float32(0), premultiplied)


def components(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A number above 0 for each pixel of the mask, the same within an eight-connected component; 0 outside."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        spread = labels.copy()
        for axis in (
            0,
            1,
        ):  # the largest number runs along rows and columns, and one step across corners
            for sign in (1, -1):
                spread = run(spread, mask, axis, sign)
        padded = np.pad(spread, 1)
        for row, column in ((0, 0), (0, 2), (2, 0), (2, 2)):
            spread = np.maximum(
                spread, padded[row : row + mask.shape[0], column : column + mask.shape[1]] * mask
            )
        if np.array_equal(spread, labels):
            return labels
        labels = spread


def run(
    labels: NDArray[np.int64], mask: NDArray[np.bool_], axis: int, sign: int
) -> NDArray[np.int64]:
    """The largest number so far in each unbroken run of the mask, going one way along an axis."""
    moved = np.moveaxis(labels, axis, 0)[::sign].copy()
    inside = np.moveaxis(mask, axis, 0)[::sign]
    for line in range(1, len(moved)):
        moved[line] = np.where(inside[line], np.maximum(moved[line], moved[line - 1]), 0)
    return np.moveaxis(moved[::sign], 0, axis)


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask and the pixels beside it, whose faint alpha belongs to it."""
    padded = np.pad(mask, 2)
    height, width = mask.shape
    result = np.zeros_like(mask)
    for row in range(5):
        for column in range(5):
            result |= padded[row : row + height, column : column + width]
    return result
