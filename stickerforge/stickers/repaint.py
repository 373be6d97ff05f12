"""Pictures in squares, and one picture painted over another through a mask.

`rgba` is uint8 (H, W, 4) with straight alpha; a mask is uint8 (H, W), 255 where it counts fully.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.stickers.alpha import Rgba, bleed_colors, premultiply, unpremultiply
from stickerforge.stickers.upscale import upscale

Mask = NDArray[np.uint8]
NEARLY_BLACK, NEARLY_WHITE = 8, 247  # what a JPEG makes of black and of white


def fit_square(rgba: Rgba, side_px: int) -> Rgba:
    """The picture in the middle of a square of this side, as large as it fits; the rest is clear.

    Visible pixels of a picture that has that side already stay to the bit. Colours that lay under
    clear pixels, where there may be what was cut away, are replaced by those around.
    """
    if max(rgba.shape[:2]) != side_px:
        rgba = unpremultiply(upscale(premultiply(rgba), side_px))
    return bleed_colors(centre(rgba, side_px))


def fit_mask(mask: Mask, side_px: int) -> Mask:
    """A mask beside `fit_square` of its picture; nothing counts beside the picture."""
    height, width = mask.shape
    scale = side_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return centre(scale_mask(mask, size), side_px)


def scale_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """A mask in another size, (width, height) in pixels; what is all black or white stays so."""
    if (mask.shape[1], mask.shape[0]) == size:
        return mask
    shrinks = size[0] < mask.shape[1]
    kind = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    scaled: Mask = np.asarray(Image.fromarray(mask).resize(size, kind))
    return scaled


def centre(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Pixels (H, W, ...) in the middle of a square of zeros, no side being longer than its."""
    height, width = pixels.shape[:2]
    square = np.zeros((side_px, side_px, *pixels.shape[2:]), np.uint8)
    top, left = (side_px - height) // 2, (side_px - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def mask_of(rgba: Rgba) -> Mask:
    """The mask that a picture shows: its brightness, black where it is clear.

    What is nearly black or white counts as that, so that a JPEG does for a mask, too.
    """
    alpha = rgba[..., 3].astype(np.float32) / 255
    values: Mask = (rgba[..., :3].mean(-1, dtype=np.float32) * alpha).round().astype(np.uint8)
    values[values <= NEARLY_BLACK] = 0
    values[values >= NEARLY_WHITE] = 255
    return values


def paint_over(original: Rgba, painted: Rgba, mask: Mask) -> Rgba:
    """The painted picture where the mask is white, the original to the bit where it is black.

    Between both they are mixed, colours weighted with their alpha. All are of one size.
    """
    share: NDArray[np.float32] = np.float32(1 / 255) * mask[..., None].astype(np.float32)
    ours, theirs = premultiply(painted), premultiply(original)
    mixed = unpremultiply(theirs + share * (ours - theirs))
    result: Rgba = np.where((mask == 255)[..., None], painted, mixed)
    result = np.where((mask == 0)[..., None], original, result)
    return np.ascontiguousarray(result)
