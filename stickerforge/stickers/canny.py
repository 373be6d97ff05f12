"""Edges of a picture, as ControlNets for edges were trained on them: Canny's, as in OpenCV.

John Canny, "A computational approach to edge detection" (1986), with the choices of
`cv2.Canny(picture, 100, 200)`, so that a ControlNet gets what it knows. H, W rows and columns.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Edges = NDArray[np.uint8]
Gradient = NDArray[np.int64]
LOW, HIGH = 100, 200  # gradients above which an edge goes on, and above which it begins
TANGENT = 13573  # of 22.5 degrees, times 2^15
EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
SMOOTH, DIFFERENCE = (1, 2, 1), (1, 0, -1)  # Sobel's; the filter turns the second one round


def canny_edges(planes: NDArray[np.uint8]) -> Edges:
    """Thin edges, uint8 (H, W), 255 on an edge and 0 beside it.

    Args:
        planes: of the picture, uint8 (H, W, C); at each pixel the plane counts that changes most.
    """
    across, down = strongest_gradient(planes)
    strength = np.abs(across) + np.abs(down)
    ridges = (strength > LOW) & is_ridge(across, down, strength)
    parts, count = ndimage.label(ridges, EIGHT_NEIGHBOURS)
    kept = np.zeros(count + 1, bool)
    kept[parts[ridges & (strength > HIGH)]] = True
    edges: Edges = np.where(kept[parts], 255, 0).astype(np.uint8)
    return edges


def strongest_gradient(planes: NDArray[np.uint8]) -> tuple[Gradient, Gradient]:
    """(across, down) gradient of the plane that changes most, (H, W) each."""
    values = planes.astype(np.int64)
    # Beside the picture its outermost pixels go on.
    across, down = (
        ndimage.convolve1d(
            ndimage.convolve1d(values, DIFFERENCE, axis, mode="nearest"),
            SMOOTH,
            1 - axis,
            mode="nearest",
        )
        for axis in (1, 0)
    )
    strongest = (np.abs(across) + np.abs(down)).argmax(-1)[..., None]
    return (
        np.take_along_axis(across, strongest, -1)[..., 0],
        np.take_along_axis(down, strongest, -1)[..., 0],
    )


def is_ridge(across: Gradient, down: Gradient, strength: Gradient) -> NDArray[np.bool_]:
    """Where the gradient is at its strongest along its direction, one of four, (H, W)."""
    around = np.pad(strength, 1)  # no gradient beside the picture
    height, width = strength.shape

    def beside(row: int, column: int) -> Gradient:
        return around[1 + row : 1 + row + height, 1 + column : 1 + column + width]

    steep = np.abs(down) << 15
    flat = np.abs(across) * TANGENT
    along_row = (strength > beside(0, -1)) & (strength >= beside(0, 1))
    along_column = (strength > beside(-1, 0)) & (strength >= beside(1, 0))
    falling = (strength > beside(-1, -1)) & (strength > beside(1, 1))
    rising = (strength > beside(-1, 1)) & (strength > beside(1, -1))
    slanting = np.where((across < 0) != (down < 0), rising, falling)
    is_vertical = steep > flat + (np.abs(across) << 16)
    ridge: NDArray[np.bool_] = np.where(
        steep < flat, along_row, np.where(is_vertical, along_column, slanting)
    )
    return ridge
