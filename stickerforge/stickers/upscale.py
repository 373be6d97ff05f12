"""From the size that was sampled to the size of the file.

`premultiplied` is float32 (H, W, 4) in [0, 1]; `rgba` is uint8 (H, W, 4) with straight alpha.
"""

import numpy as np
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
    planes = [
        np.asarray(
            Image.fromarray(premultiplied[..., plane]).resize(size, Image.Resampling.LANCZOS)
        )
        for plane in range(4)
    ]
    stacked = np.stack(planes, -1)
    # Lanczos overshoots at edges, alike in colour and alpha: the hue stays where colour is divided
    # by alpha before either is clipped.
    alpha = stacked[..., 3:]
    color = np.where(alpha > 1 / 512, stacked[..., :3] / np.maximum(alpha, 1 / 512), 0).clip(0, 1)
    alpha = alpha.clip(0, 1)
    return np.concatenate([color * alpha, alpha], -1).astype(np.float32)


def sharpen_edges(rgba: Rgba, reach_px: int = 5) -> Rgba:
    """Blurred edges made steep: values move towards the nearer extreme of their neighbourhood.

    A shock filter (Osher and Rudin 1990) with a smooth switch: it never overshoots, and where a
    neighbourhood holds no edge (shading, an even translucency) nothing changes.

    Args:
        reach_px: side of the neighbourhood, odd; an edge wider than this stays soft.
    """
    planes = []
    for plane in Image.fromarray(rgba).split():
        low = np.asarray(plane.filter(ImageFilter.MinFilter(reach_px)), np.float32)
        high = np.asarray(plane.filter(ImageFilter.MaxFilter(reach_px)), np.float32)
        value = np.asarray(plane.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
        span = np.maximum(high - low, 1)
        steep = low + span * smooth_step(smooth_step((value - low) / span))
        share = ((high - low - FLAT) / (EDGE - FLAT)).clip(0, 1)
        planes.append(value + share * (steep - value))
    return np.stack(planes, -1).round().clip(0, 255).astype(np.uint8)


def smooth_step(values: np.ndarray) -> np.ndarray:
    """3 v^2 - 2 v^3 on [0, 1]: steeper in the middle, flat at both ends."""
    clipped = values.clip(0, 1)
    result: np.ndarray = clipped * clipped * (3 - 2 * clipped)
    return result
