"""From the size that was sampled to the size of the file.

`premultiplied` is float32 (H, W, 4) in [0, 1]; `rgba` is uint8 (H, W, 4) with straight alpha.
"""

from functools import reduce

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from stickerforge.stickers.alpha import Premultiplied, Rgba, premultiply, unpremultiply

LARGE = 1.5  # factor above which blur can be seen and edges are sharpened
FLAT, EDGE = 8, 48  # differences in a neighbourhood, of 255, that are no edge and surely one


def upscale(premultiplied: Premultiplied, side_px: int) -> Premultiplied:
    """The picture with its longer side at `side_px`, its edges sharpened where it grows much.

    Sharpening happens at twice the size, where an edge has pixels to move to; the result is
    resampled once more.
    """
    side = max(premultiplied.shape[:2])
    if side_px <= LARGE * side:
        return resize(premultiplied, side_px)
    double = unpremultiply(resize(premultiplied, 2 * side))
    return resize(premultiply(sharpen_edges(sharpen_edges(double))), side_px)


def resize(premultiplied: Premultiplied, side_px: int) -> Premultiplied:
    """The picture with its longer side at `side_px`: Lanczos on each premultiplied plane."""
    height, width = premultiplied.shape[:2]
    scale = side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return premultiplied
    planes = np.stack(
        [
            np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS))
            for plane in np.moveaxis(premultiplied, -1, 0)
        ]
    )
    # Lanczos overshoots at edges, alike in colour and alpha: the hue stays where colour is divided
    # by alpha before either is clipped.
    color, alpha = planes[:3], planes[3]
    color /= np.maximum(alpha, 1 / 512)
    np.copyto(color, 0, where=alpha <= 1 / 512)
    np.clip(planes, 0, 1, out=planes)
    color *= alpha
    return np.moveaxis(planes, 0, -1)


def sharpen_edges(rgba: Rgba, reach_px: int = 5) -> Rgba:
    """Blurred edges made steep: values move towards the nearer extreme of their neighbourhood.

    A shock filter (Osher and Rudin 1990) with a smooth switch: it never overshoots, and where a
    neighbourhood holds no edge (shading, an even translucency) nothing changes.

    Args:
        reach_px: side of the neighbourhood, odd; an edge wider than this stays soft.
    """
    blurred = Image.fromarray(rgba).filter(ImageFilter.GaussianBlur(0.6))
    planes = np.array(np.moveaxis(np.asarray(blurred), -1, 0), order="C")
    lowest, highest = extremes(np.moveaxis(rgba, -1, 0), reach_px)
    edges = np.flatnonzero(highest - lowest > FLAT)
    value, low, high = (
        channels.take(edges).astype(np.float32) for channels in (planes, lowest, highest)
    )
    span = np.maximum(high - low, 1)
    steep = low + span * smooth_step(smooth_step((value - low) / span))
    share = ((high - low - FLAT) / (EDGE - FLAT)).clip(0, 1)
    planes.reshape(-1)[edges] = (value + share * (steep - value)).round().clip(0, 255)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def extremes(
    planes: NDArray[np.uint8], reach_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(least, greatest) value around each pixel of planes (C, H, W).

    Args:
        reach_px: side of the neighbourhood, odd; beyond the edge the outermost values go on.
    """
    margin = reach_px // 2
    least = np.pad(planes, [(0, 0), (margin, margin), (margin, margin)], "edge")
    greatest = least
    for axis in (1, 2):
        length = planes.shape[axis]
        shifts = [slice(start, start + length) for start in range(reach_px)]
        ahead = (slice(None),) * axis
        least = reduce(np.minimum, [least[*ahead, shift] for shift in shifts])
        greatest = reduce(np.maximum, [greatest[*ahead, shift] for shift in shifts])
    return least, greatest


def smooth_step(values: np.ndarray) -> np.ndarray:
    """3 v^2 - 2 v^3 on [0, 1]: steeper in the middle, flat at both ends."""
    clipped = values.clip(0, 1)
    result: np.ndarray = clipped * clipped * (3 - 2 * clipped)
    return result
