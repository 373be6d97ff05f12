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
class CroppedPicture:
    """A picture as it is trained on.

    Args:
        premultiplied: (4, H, W).
        frame: height and width of the original, top and left of the crop in the resized picture, height and
            width of the crop, in pixels: what SDXL is told.
        mask: what of it counts, (H, W) in [0, 1]; None for all.
    """

    premultiplied: NDArray[np.float32]
    frame: tuple[int, int, int, int, int, int]
    mask: NDArray[np.float32] | None = None


def nearest_bucket(width: int, height: int, pixels: int, multiple: int) -> tuple[int, int]:
    """(height, width) of the rectangle, both multiples of `multiple`, area at most pixels * pixels, nearest in aspect."""
    aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
    sides = range(multiple, int(pixels * MAX_ASPECT) + 1, multiple)
    choices = [
        (h, w)
        for h in sides
        for w in sides
        if h * w <= pixels * pixels and max(h / w, w / h) <= MAX_ASPECT
    ]
    largest = [
        (h, w)
        for h, w in choices
        if (h + multiple) * w > pixels * pixels or (w + multiple) * h > pixels * pixels
    ]
    return min(
        largest or [(pixels, pixels)],
        key=lambda side: (round(abs(math.log(side[1] / side[0] / aspect)), 6), -side[0] * side[1]),
    )


def crop_to_bucket(
    rgba: NDArray[np.uint8], pixels: int, multiple: int, mask: NDArray[np.uint8] | None = None
) -> CroppedPicture:
    """Scaled to cover its bucket and cropped around the middle; what has a clear ground is padded to a square instead.

    Args:
        rgba: straight, uint8 (H, W, 4).
        mask: what of it counts, uint8 (H, W); goes where the pixels go.
    """
    height, width = rgba.shape[:2]
    square = bool((rgba[..., 3] < 250).any()) and height != width
    high, wide = (
        nearest_bucket(*(max(height, width),) * 2, pixels, multiple)
        if square
        else nearest_bucket(width, height, pixels, multiple)
    )
    picture = Image.fromarray(rgba).convert(
        "RGBa"
    )  # premultiplied: no colour leaks in from where nothing is seen
    planes, top, left = resize_and_crop(picture, square, high, wide)
    seen = (
        None if mask is None else resize_and_crop(Image.fromarray(mask), square, high, wide)[0][0]
    )
    return CroppedPicture(planes, (height, width, top, left, high, wide), seen)


def resize_and_crop(
    picture: Image.Image, square: bool, high: int, wide: int
) -> tuple[NDArray[np.float32], int, int]:
    """(planes of the crop in [0, 1], (bands, high, wide); its top and left in the picture that was resized to cover it).

    Args:
        square: whether to pad it to a square first.
    """
    if square:
        side = max(picture.size)
        padded = Image.new(picture.mode, (side, side))
        padded.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        picture = padded
    scale = max(high / picture.height, wide / picture.width)
    covering = max(wide, round(picture.width * scale)), max(high, round(picture.height * scale))
    picture = picture.resize(covering, Image.Resampling.LANCZOS)
    left, top = (covering[0] - wide) // 2, (covering[1] - high) // 2
    planes = np.frombuffer(picture.tobytes(), np.uint8).reshape(covering[1], covering[0], -1)[
        top : top + high, left : left + wide
    ]
    return (
        np.ascontiguousarray(planes.transpose(2, 0, 1)).astype(np.float32) / np.float32(255),
        top,
        left,
    )


def on_white(premultiplied: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4, H, W) to (3, H, W), for models without alpha."""
    flat: NDArray[np.float32] = premultiplied[:3] + (1 - premultiplied[3:])
    return flat
