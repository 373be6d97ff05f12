"""Colours as eyes compare them. Pure functions of arrays."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WHITE = (255, 255, 255)


def lab(rgb: NDArray[np.number]) -> Floats:
    """CIELAB of sRGB in 0 to 255 under D65, (…, 3) (CIE 15:2004)."""
    value = np.asarray(rgb, np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    ratio = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    curve = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness = 116 * curve[..., 1] - 16
    green_red = 500 * (curve[..., 0] - curve[..., 1])
    blue_yellow = 200 * (curve[..., 1] - curve[..., 2])
    result: Floats = np.stack([lightness, green_red, blue_yellow], -1)
    return result
