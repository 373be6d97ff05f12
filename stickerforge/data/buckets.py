"""Aspect buckets: each picture is cropped to the rectangle of a fixed area that loses least of it.

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
    """A picture as training takes it.

    Args:
        premultiplied: (4, H, W).
        frame: height and width of the original, top and left of the crop in the resized picture,
            height and width of the crop, in pixels: the size conditioning of SDXL.
        mask: weight of each pixel in the loss, (H, W) in [0, 1]; None for 1 everywhere.
    """

    premultiplied: NDArray[np.float32]
    frame: tuple[int, int, int, int, int, int]
    mask: NDArray[np.float32] | None = None


def nearest_bucket(width: int, height: int, pixels: int, multiple: int) -> tuple[int, int]:
    """(height, width) of the rectangle that is nearest in aspect.

    Both are multiples of `multiple`; their area is at most pixels * pixels.
    """
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
    """A picture scaled to cover its bucket and cropped around the middle.

    One with transparent parts is padded to a square instead, so that nothing of it is cut off.

    Args:
        rgba: straight alpha, uint8 (H, W, 4).
        mask: weight of each pixel in the loss, uint8 (H, W); cropped like the picture.
    """
    height, width = rgba.shape[:2]
    square = bool((rgba[..., 3] < 250).any()) and height != width
    side = max(height, width)
    high, wide = (
        nearest_bucket(side, side, pixels, multiple)
        if square
        else nearest_bucket(width, height, pixels, multiple)
    )
    # Premultiplied, so that no colour leaks in from where nothing is visible.
    picture = Image.fromarray(rgba).convert("RGBa")
    planes, top, left = resize_and_crop(picture, square, high, wide)
    weights = None
    if mask is not None:
        weights = resize_and_crop(Image.fromarray(mask), square, high, wide)[0][0]
    return CroppedPicture(planes, (height, width, top, left, high, wide), weights)


def resize_and_crop(
    picture: Image.Image, square: bool, high: int, wide: int
) -> tuple[NDArray[np.float32], int, int]:
    """A picture resized to cover a rectangle, and cropped to it around the middle.

    Returns:
        Planes of the crop in [0, 1], (bands, high, wide); its top and its left in the resized
        picture.

    Args:
        square: whether to pad it to a square first.
    """
    if square:
        side = max(picture.size)
        padded = Image.new(picture.mode, (side, side))
        padded.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        picture = padded
    scale = max(high / picture.height, wide / picture.width)
    width, height = (
        max(wide, round(picture.width * scale)),
        max(high, round(picture.height * scale)),
    )
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    left, top = (width - wide) // 2, (height - high) // 2
    values = np.frombuffer(picture.tobytes(), np.uint8).reshape(height, width, -1)
    crop = values[top : top + high, left : left + wide].transpose(2, 0, 1)
    return np.ascontiguousarray(crop).astype(np.float32) / np.float32(255), top, left


def on_white(premultiplied: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4, H, W) composited on white, (3, H, W), for models without alpha."""
    flat: NDArray[np.float32] = premultiplied[:3] + (1 - premultiplied[3:])
    return flat
