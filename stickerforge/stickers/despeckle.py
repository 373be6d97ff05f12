"""Stray spots around a sticker: small connected components of its alpha, which are removed.

`premultiplied` is float32 (H, W, 4) in [0, 1].
"""

import numpy as np
from scipy import ndimage

from stickerforge.stickers.alpha import Premultiplied

VISIBLE = 0.1  # alpha above which a pixel belongs to a component
SMALL = 0.003  # share of the picture below which a component is a speck: 7 x 7 pixels of 128 x 128
GRID = 128  # components are labelled on a grid of at most this side
EIGHT_CONNECTED = np.ones((3, 3), bool)
RIM = np.ones((5, 5), bool)  # two cells in every direction: the faint alpha beside a component


def despeckle(premultiplied: Premultiplied) -> Premultiplied:
    """The picture without components that are too small to be meant; the largest always stays.

    A speck is removed with its faint rim, but for what is the rim of a component that stays.
    """
    height, width = premultiplied.shape[:2]
    cell = -(-max(height, width) // GRID)
    padded = np.pad(premultiplied[..., 3], [(0, -height % cell), (0, -width % cell)])
    rows, columns = padded.shape[0] // cell, padded.shape[1] // cell
    coarse = padded.reshape(rows, cell, columns, cell).max((1, 3))
    labels, _ = ndimage.label(coarse > VISIBLE, EIGHT_CONNECTED)
    areas = np.bincount(labels.ravel())
    areas[0] = 0  # what is clear
    is_speck = (areas > 0) & (areas < SMALL * coarse.size) & (areas < areas.max())
    if not is_speck.any():
        return premultiplied
    specks = is_speck[labels]
    others = (labels > 0) & ~specks
    removal = ndimage.binary_dilation(specks, RIM) & ~ndimage.binary_dilation(others, RIM)
    fine = removal.repeat(cell, 0).repeat(cell, 1)[:height, :width]
    return np.where(fine[..., None], np.float32(0), premultiplied)
