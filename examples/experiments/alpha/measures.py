"""How right a cut-out is whose true alpha is known, and how sure one is without knowing it.

Pictures are uint8 (H, W, 4) with straight alpha, truths premultiplied.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from stickerforge.evaluation.metrics.cutout import measure_cutout
from stickerforge.evaluation.statistics import group_means, interval, paired_difference
from stickerforge.stickers.alpha import Rgba

OPAQUE, CLEAR = 250, 5  # true alpha beyond these is all or nothing
WHITE = 240  # of every channel: what over white looks like the ground
KEPT, GONE = 0.9, 0.1  # alpha of what is kept, and of what is not
FEW = 20  # pixels below which a share says nothing
BAND = 3  # pixels beside an edge that the fringe is measured in
GROUNDS = ((0, 0, 0), (0, 160, 60))  # over which the fringe is seen
EIGHT = np.ones((3, 3), bool)
Mask = NDArray[np.bool_]


def alpha_error(rgba: Rgba, alpha: NDArray[np.float32]) -> float:
    """Mean absolute error of alpha, 0 to 1.

    Args:
        alpha: the true one, 0 to 1, (H, W).
    """
    return float(np.abs(rgba[..., 3].astype(np.float32) / 255 - alpha).mean())


def over(premultiplied: NDArray[np.number], ground: Sequence[float]) -> NDArray[np.float32]:
    """A premultiplied picture (H, W, 4), 0 to 255, over a colour, (H, W, 3)."""
    share = 1 - premultiplied[..., 3:].astype(np.float32) / 255
    return premultiplied[..., :3] + share * np.asarray(ground, np.float32)


def as_premultiplied(rgba: Rgba) -> NDArray[np.float32]:
    """From straight alpha, 0 to 255."""
    picture = rgba.astype(np.float32)
    picture[..., :3] *= picture[..., 3:] / 255
    return picture


def white_parts(truth: Rgba) -> tuple[Mask, Mask]:
    """Opaque white of a sticker: (what its other colours enclose, what lies against the ground).

    Over white the second can be told from the ground by its shape alone. White is opaque at two
    pixels around, so that no soft edge counts.
    """
    solid = ndimage.binary_erosion(truth[..., 3] >= OPAQUE, EIGHT, iterations=2, border_value=1)
    white = (over(truth, (255, 255, 255)) >= WHITE).all(-1)
    labels, count = ndimage.label(white, EIGHT)
    clear = np.bincount(labels[truth[..., 3] <= CLEAR], minlength=count + 1) > 0
    touches = clear[labels]
    return white & solid & ~touches, white & solid & touches


def clear_holes(truth: Rgba) -> Mask:
    """What is clear though the sticker surrounds it."""
    clear = np.pad(truth[..., 3] <= CLEAR, 1, constant_values=True)
    labels, _ = ndimage.label(clear)
    return (clear & (labels != labels[0, 0]))[1:-1, 1:-1]


def edge_band(truth: Rgba) -> Mask:
    """Pixels within BAND of where the sticker ends."""
    inside = truth[..., 3] > 127
    near = ndimage.distance_transform_edt(inside) + ndimage.distance_transform_edt(~inside)
    result: Mask = near <= BAND
    return result


def share(holds: Mask, where: Mask) -> float:
    """Share of some pixels of which something holds; NaN of too few."""
    return float(holds[where].mean()) if where.sum() >= FEW else float("nan")


def psnr(picture: NDArray[np.number], truth: NDArray[np.number]) -> float:
    """Peak signal-to-noise ratio in dB of values in 0 to 255."""
    return float(-10 * np.log10(np.square((picture - truth) / 255).mean() + 1e-12))


def measure_against_truth(rgba: Rgba, truth: Rgba) -> dict[str, float]:
    """All that a known alpha tells of a cut-out, by name.

    alpha error, 0 to 1; the shares of enclosed and of open white that are kept, and of clear holes
    that are clear; halo as `evaluate` has it and fringe, the error of what is seen near the edge
    over black and green, 0 to 255; PSNR over white in dB.
    """
    alpha = rgba[..., 3].astype(np.float32) / 255
    enclosed, open_white = white_parts(truth)
    seen, band = as_premultiplied(rgba), edge_band(truth)
    fringe = [np.abs(over(seen, each) - over(truth, each))[band].mean() for each in GROUNDS]
    return {
        "alpha error": alpha_error(rgba, truth[..., 3].astype(np.float32) / 255),
        "white enclosed": share(alpha > KEPT, enclosed),
        "white open": share(alpha > KEPT, open_white),
        "holes clear": share(alpha < GONE, clear_holes(truth)),
        "halo": measure_cutout(rgba).get("halo", float("nan")),
        "fringe": float(np.mean(fringe)),
        "psnr": psnr(over(seen, (255, 255, 255)), over(truth, (255, 255, 255))),
    }


def measure_alone(rgba: Rgba) -> dict[str, float]:
    """What a cut-out shows without a truth: holes, border touch, haze, halo, coverage, stray
    parts, and the share of what is visible of which alpha is neither kept nor gone.
    """
    measured = measure_cutout(rgba)
    alpha = rgba[..., 3].astype(np.float32) / 255
    undecided, visible = (alpha > 0.05) & (alpha < 0.95), alpha > 0.05
    names = ("holes", "border_touch", "haze", "halo", "stray", "coverage")
    return {name: measured.get(name, float("nan")) for name in names} | {
        "undecided": share(undecided, visible)
    }


def summary(values: Sequence[float], groups: Sequence[str]) -> dict[str, object]:
    """{"mean", "interval", "pictures"} over those that are numbers; groups are drawn whole."""
    known = [
        (value, group) for value, group in zip(values, groups, strict=True) if np.isfinite(value)
    ]
    if not known:
        return {"mean": None, "interval": None, "pictures": 0}
    own, kinds = [value for value, _ in known], [group for _, group in known]
    return {
        "mean": float(group_means(own, kinds).mean()),
        "interval": interval(own, kinds),
        "pictures": len(own),
    }


def difference(
    first: Sequence[float], second: Sequence[float], groups: Sequence[str]
) -> Mapping[str, object]:
    """First less second of the same pictures, where both are numbers; groups are drawn whole."""
    change = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    known = np.isfinite(change)
    if not known.any():
        return {"change": None, "low": None, "high": None, "prompts": 0, "p": None}
    kinds = [group for group, keep in zip(groups, known, strict=True) if keep]
    return paired_difference(group_means(list(change[known]), kinds))
