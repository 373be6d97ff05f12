"""By what pictures that are nearly the same are found: a hash of their shapes, and their colours.

`rgba` is uint8 (H, W, 4) with straight alpha.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

SIDE, LOW = 32, 8  # pixels that are transformed, frequencies that are kept
CELLS = 8  # of the grid of colours, on a side
WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)  # of luminance (BT.601)
GREY = 0.5  # what shines through


def perceptual_hash(rgba: NDArray[np.uint8]) -> np.uint64:
    """64 bits of a picture over grey, of which scaling and compression change few.

    Bit k says whether the k-th of the 8 x 8 lowest frequencies of a cosine transform of the
    luminance is above their median (Zauner, "Implementation and benchmarking of perceptual image
    hash functions", 2010).
    """
    cells = reduce(rgba, SIDE)
    luminance = cells[..., :3] @ WEIGHTS + GREY * (1 - cells[..., 3])
    low = dctn(luminance, norm="ortho")[:LOW, :LOW].ravel()
    bits = np.packbits(low > np.median(low))
    return np.uint64(int.from_bytes(bits.tobytes(), "big"))


def color_grid(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean colour over grey, and mean alpha, of 8 x 8 cells, (256,)."""
    cells = reduce(rgba, CELLS)
    cells[..., :3] += GREY * (1 - cells[..., 3:])
    return np.asarray(np.rint(cells * 255), np.uint8).ravel()


def hash_distances(one: np.uint64, others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """In how many bits a hash differs from each of others, (N,)."""
    return np.asarray(np.bitwise_count(one ^ others), np.uint8)


def grid_distances(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean absolute difference of a grid of colours from each of others, (N,), 0 to 1."""
    return np.asarray(np.abs(others.astype(np.int16) - one).mean(1) / 255, np.float64)


def reduce(rgba: NDArray[np.uint8], side: int) -> Any:
    """The picture as a square of so many cells, premultiplied float32 in [0, 1]."""
    small = Image.fromarray(rgba).convert("RGBa").resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255
