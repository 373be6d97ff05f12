"""Whether a sticker is a valid one: several figures of its cut-out as one number."""

import numpy as np

from stickerforge.evaluation.metrics.cutout import VISIBLE, measure_cutout
from stickerforge.stickers.alpha import Rgba

# What a figure may be before its part of the score is 0.
MAX_HOLES = 0.1  # share of the figure
MAX_BORDER = 0.05  # share of the border that is touched
MAX_HALO = 16.0  # of 255
FULL_MARGIN = 0.02  # of the side: a margin that is wide enough


def validity_parts(rgba: Rgba) -> dict[str, float]:
    """What makes a valid sticker, each from 0 to 1, where 1 is without fault.

    "one_part": 1 over the number of connected parts. "closed", "inside", "clean_edge": 1 without
    holes, touched border and halo, falling in a line to 0 at `MAX_HOLES`, `MAX_BORDER` and
    `MAX_HALO`; without half-transparent edge there is no halo. "margin": the least distance of the
    figure's box from the border, 1 from `FULL_MARGIN` on. "legible": `legibility` at 64 pixels.

    Args:
        rgba: uint8 (H, W, 4) with straight alpha.

    Returns:
        All 0 where nothing is visible.
    """
    figures = measure_cutout(rgba)
    if not figures["parts"] >= 1:  # nothing but dust, or nothing at all
        return dict.fromkeys(("one_part", "closed", "inside", "margin", "clean_edge", "legible"), 0)
    halo = figures["halo"]
    return {
        "one_part": 1 / figures["parts"],
        "closed": falling(figures["holes"], MAX_HOLES),
        "inside": falling(figures["border_touch"], MAX_BORDER),
        "margin": min(1.0, margin(rgba) / FULL_MARGIN),
        "clean_edge": 1.0 if np.isnan(halo) else falling(halo, MAX_HALO),
        "legible": figures["legibility"],
    }


def validity(rgba: Rgba) -> float:
    """The mean of `validity_parts`, 0 to 1."""
    return float(np.mean(list(validity_parts(rgba).values())))


def falling(value: float, limit: float) -> float:
    """1 at 0, 0 from the limit on, a line in between."""
    return max(0.0, 1.0 - value / limit)


def margin(rgba: Rgba) -> float:
    """The least distance of what is visible from the border, as a share of the longer side."""
    visible = rgba[..., 3] > VISIBLE * 255
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    below, right = visible.shape[0] - 1 - rows[-1], visible.shape[1] - 1 - columns[-1]
    return float(min(rows[0], columns[0], below, right) / max(visible.shape))
