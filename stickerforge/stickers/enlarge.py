"""From the size that was sampled to the size of the file.

`premultiplied` is float32 (H, W, 4) in [0, 1].
"""

import numpy as np
from PIL import Image

from stickerforge.stickers.alpha import Premultiplied


def resized(premultiplied: Premultiplied, side_px: int) -> Premultiplied:
    """The picture with its longer side at `side_px`, by Lanczos resampling of each premultiplied plane."""
    height, width = premultiplied.shape[:2]
    scale = side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return premultiplied
    planes = [np.asarray(Image.fromarray(premultiplied[..., plane]).resize(size, Image.Resampling.LANCZOS)) for plane in range(4)]
    stacked = np.stack(planes, -1)
    # Lanczos overshoots at edges, alike in colour and alpha: divided before clipping, the hue stays.
    alpha = stacked[..., 3:]
    colour = np.where(alpha > 1 / 512, stacked[..., :3] / np.maximum(alpha, 1 / 512), 0).clip(0, 1)
    alpha = alpha.clip(0, 1)
    return np.concatenate([colour * alpha, alpha], -1).astype(np.float32)
