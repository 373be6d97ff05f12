"""What several tests look at."""

import numpy as np


def disc(side=64, colour=(200, 40, 90)):
    """A soft-edged disc, straight alpha."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    alpha = np.clip(side / 3 - np.hypot(rows - side / 2, columns - side / 2) + 0.5, 0, 1)
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = colour, (alpha * 255).round()
    return rgba
