"""Pixels of any mode as straight RGBA of 8 bits in sRGB."""

import io
import math

import numpy as np
from PIL import Image, ImageCms

# Whatever they like: no list of what Pillow and its libraries raise was ever complete.
DECODER_FAULTS = (Exception,)
BAND = 512  # rows that are converted at a time, a multiple of every reduction
SIXTEEN_BITS = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
PROFILED = ("RGB", "RGBA", "CMYK", "L")


def to_rgba(picture: Image.Image, factor: int) -> Image.Image:
    """A loaded picture as straight RGBA in sRGB, its sides divided by a factor.

    It is converted in bands, so that no second one of full size is needed.
    """
    width, height = math.ceil(picture.width / factor), math.ceil(picture.height / factor)
    result = Image.new("RGBA", (width, height))
    scale, transform = grey_scale(picture), srgb_transform(picture)
    for top in range(0, picture.height, BAND):
        band = picture.crop((0, top, picture.width, min(top + BAND, picture.height)))
        rgba = to_srgb(to_eight_bit(band, scale), transform)
        if factor > 1:  # premultiplied, so that no colour leaks in from where nothing is visible
            rgba = rgba.convert("RGBa").reduce(factor).convert("RGBA")
        result.paste(rgba, (0, top // factor))
    return result


def grey_scale(picture: Image.Image) -> float:
    """What greys of 16 or 32 bits are multiplied by to have 8 bits."""
    if picture.mode != "F":
        return 255 / 65535
    largest = float(picture.getextrema()[1])  # type: ignore[arg-type]
    return 255 / (max(largest, 1e-9) if math.isfinite(largest) else 1.0)


def to_eight_bit(picture: Image.Image, scale: float) -> Image.Image:
    """Greys of 16 or 32 bits scaled to 8 bits; Pillow itself would clip them."""
    if picture.mode not in SIXTEEN_BITS:
        return picture
    white = 255 / scale
    values = np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=white, neginf=0)
    return Image.fromarray((values * scale).round().clip(0, 255).astype(np.uint8))


def srgb_transform(picture: Image.Image) -> ImageCms.ImageCmsTransform | None:
    """The conversion from the profile that a picture carries; None without a usable one."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in PROFILED:
        return None
    mode = "RGB" if picture.mode == "RGBA" else picture.mode
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except DECODER_FAULTS:  # a broken profile says nothing
        return None


def to_srgb(picture: Image.Image, transform: ImageCms.ImageCmsTransform | None) -> Image.Image:
    """A picture as RGBA, its colours converted."""
    if transform is None:
        return picture.convert("RGBA")
    has_key = "transparency" in picture.info  # one colour that stands for nothing
    alpha = picture.convert("RGBA").getchannel("A") if picture.mode == "RGBA" or has_key else None
    source = picture.convert("RGB") if picture.mode == "RGBA" else picture
    converted = transform.apply(source)
    if alpha is not None:
        converted.putalpha(alpha)
    return converted.convert("RGBA")
