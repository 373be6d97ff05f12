"""A house style of two inks on cream, with an outline: what one bookshop's stickers might be.

Drawn by rule from the flat set, so a filter would do as well; for examples, not for measures.
"""

import numpy as np
from PIL import Image, ImageFilter

INK, ACCENT, PAPER = (31, 38, 84), (238, 108, 92), (255, 241, 214)
DARK, LIGHT = 95, 175  # luminance of 255 below which there is ink, and from which there is paper
LUMA = (0.299, 0.587, 0.114)
INSET, OUTLINE = 6, 7  # pixels that a drawing shrinks on each side; width of the dilation


def two_inks(drawing: Image.Image) -> Image.Image:
    """A drawing in the house's three colours within an outline, RGBA of the same size."""
    side = drawing.width
    pixels = np.asarray(drawing.convert("RGBA"))
    luminance = (pixels[..., :3] @ np.array(LUMA))[..., None]
    printed = np.where(luminance < DARK, INK, np.where(luminance < LIGHT, ACCENT, PAPER))
    body, figure = Image.new("RGB", drawing.size), Image.new("L", drawing.size)
    inner = (side - 2 * INSET, side - 2 * INSET)
    opaque = Image.fromarray(np.where(pixels[..., 3] > 127, 255, 0).astype(np.uint8))
    for page, part in ((body, Image.fromarray(printed.astype(np.uint8))), (figure, opaque)):
        page.paste(part.resize(inner, Image.Resampling.LANCZOS), (INSET, INSET))
    sticker = Image.new("RGB", drawing.size, INK)
    sticker.paste(body, (0, 0), figure)
    outline = figure.filter(ImageFilter.MaxFilter(OUTLINE)).filter(ImageFilter.GaussianBlur(0.7))
    sticker.putalpha(outline)
    return sticker
