"""Pictures of any size and aspect as batches: each goes to the rectangle that loses least of it.

Shapes: `premultiplied` is float32 (4, H, W) in [0, 1].
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_ASPECT = 2.0


@dataclass(frozen=True)
class Framed:
    """A picture as it is trained on.

    Args:
        premultiplied: (4, H, W).
        frame: height and width of the original, top and left of the crop in the resized picture, height and
            width of the crop, in pixels: what SDXL is told.
    """

    premultiplied: NDArray[np.float32]
    frame: tuple[int, int, int, int, int, int]


def bucket(width: int, height: int, pixels: int, multiple: int) -> tuple[int, int]:
    """(height, width) of the rectangle, both multiples of `multiple`, area at most pixels * pixels, nearest in aspect."""
    aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
    sides = range(multiple, int(pixels * MAX_ASPECT) + 1, multiple)
    choices = [(h, w) for h in sides for w in sides if h * w <= pixels * pixels and max(h / w, w / h) <= MAX_ASPECT]
    largest = [(h, w) for h, w in choices if (h + multiple) * w > pixels * pixels or (w + multiple) * h > pixels * pixels]
    return min(largest or [(pixels, pixels)], key=lambda side: (round(abs(math.log(side[1] / side[0] / aspect)), 6), -side[0] * side[1]))


def framed(rgba: NDArray[np.uint8], pixels: int, multiple: int) -> Framed:
    """Scaled to cover its bucket and cropped around the middle; what has a clear ground is padded to a square instead.

    Args:
        rgba: straight, uint8 (H, W, 4).
    """
    height, width = rgba.shape[:2]
    picture = Image.fromarray(rgba).convert("RGBa")  # premultiplied: no colour leaks in from where nothing is seen
    if (rgba[..., 3] < 250).any() and height != width:
        side = max(height, width)
        square = Image.new("RGBa", (side, side))
        square.paste(picture, ((side - width) // 2, (side - height) // 2))
        picture = square
    high, wide = bucket(picture.width, picture.height, pixels, multiple)
    scale = max(high / picture.height, wide / picture.width)
    covering = max(wide, round(picture.width * scale)), max(high, round(picture.height * scale))
    picture = picture.resize(covering, Image.Resampling.LANCZOS)
    left, top = (covering[0] - wide) // 2, (covering[1] - high) // 2
    planes = np.frombuffer(picture.tobytes(), np.uint8).reshape(covering[1], covering[0], 4)[top : top + high, left : left + wide]
    premultiplied = np.ascontiguousarray(planes.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    return Framed(premultiplied, (height, width, top, left, high, wide))


def on_white(premultiplied: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4, H, W) to (3, H, W), for models without alpha."""
    flat: NDArray[np.float32] = premultiplied[:3] + (1 - premultiplied[3:])
    return flat
