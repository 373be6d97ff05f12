"""Other views of a picture, so that what reads it learns what it shows and not its pixels."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

VISIBLE = 25  # alpha above which a pixel is there at all
ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def other_view(
    rgba: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    crop: float,
    flip: float,
    color: float,
) -> Image.Image:
    """A part of a picture, perhaps mirrored, in slightly other colours; RGBA.

    Args:
        rgba: (H, W, 4), straight alpha.
        crop: the least share of the area that is kept, in (0, 1].
        flip: probability of mirroring it, left to right.
        color: how far brightness, contrast and saturation change at most, as a share of them.
    """
    part = random_crop(rgba, rng, crop)
    if rng.random() < flip:
        part = part[:, ::-1]
    picture = Image.fromarray(np.ascontiguousarray(part[..., :3]))
    for enhancer in ENHANCERS:
        picture = enhancer(picture).enhance(1 + color * float(rng.uniform(-1, 1)))
    picture.putalpha(Image.fromarray(np.ascontiguousarray(part[..., 3])))
    return picture


def shrink(rgba: NDArray[np.uint8], shortest: int) -> NDArray[np.uint8]:
    """A picture whose shorter side has at most so many pixels, (h, w, 4)."""
    height, width = rgba.shape[:2]
    scale = shortest / min(height, width)
    if scale >= 1:
        return rgba
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Premultiplied, so that what cannot be seen colours nothing.
    small = Image.fromarray(rgba).convert("RGBa").resize(size, Image.Resampling.LANCZOS)
    return np.array(small.convert("RGBA"))


def random_crop(
    rgba: NDArray[np.uint8], rng: np.random.Generator, least: float
) -> NDArray[np.uint8]:
    """A part of the same aspect, with at least this share of the area; all of it where the part
    would show nothing.
    """
    height, width = rgba.shape[:2]
    share, down, right = rng.uniform(least, 1.0), rng.random(), rng.random()
    high, wide = (max(1, round(side * share**0.5)) for side in (height, width))
    top, left = round(down * (height - high)), round(right * (width - wide))
    part = rgba[top : top + high, left : left + wide]
    return part if (part[..., 3] > VISIBLE).any() else rgba


def random_color(rng: np.random.Generator) -> tuple[int, int, int]:
    """An sRGB colour, every one as likely."""
    red, green, blue = (int(value) for value in rng.integers(0, 256, 3))
    return red, green, blue
