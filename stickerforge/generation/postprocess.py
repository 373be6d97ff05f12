"""From what a model drew to the image of a file: cut out, edge, flat colours, size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stickerforge.models.matting import CutOut
from stickerforge.stickers.alpha import Premultiplied, Rgba, snap_alpha, unpremultiply
from stickerforge.stickers.despeckle import despeckle
from stickerforge.stickers.edges import clean_edges
from stickerforge.stickers.flat_colors import flatten_and_upscale, palette_from_codes
from stickerforge.stickers.upscale import upscale

if TYPE_CHECKING:
    from torch import Tensor


def to_premultiplied(pixels: "Tensor", cut_out: CutOut | None) -> Premultiplied:
    """What the model drew with clean alpha, premultiplied float32 (H, W, 4) in [0, 1].

    Args:
        pixels: (3 or 4, H, W) in [0, 1]; four channels are premultiplied.
        cut_out: makes alpha; None keeps the model's, and makes three channels opaque.
    """
    planes = pixels.permute(1, 2, 0).numpy()
    if cut_out is not None:
        return cut_out((planes[..., :3] * 255).round().astype(np.uint8))
    if planes.shape[-1] == 4:
        return despeckle(snap_alpha(planes))
    return np.concatenate([planes, np.ones_like(planes[..., :1])], -1)


def finish_image(
    pixels: "Tensor", cut_out: CutOut | None, size: int, palette: Sequence[str] | None
) -> Rgba:
    """The image of a file, uint8 (size, size, 4) with straight alpha.

    Args:
        pixels: (3 or 4, H, W) in [0, 1].
        size: side in pixels; 0 keeps the sampled size.
        palette: inks as "rrggbb" to make colours flat with, empty for any; None leaves them.
    """
    image = to_premultiplied(pixels, cut_out)
    if cut_out is None:  # a matting model has estimated the colours of the edge itself
        image = clean_edges(image)
    side = size or max(image.shape[:2])
    if palette is None:
        return unpremultiply(upscale(image, side))
    return unpremultiply(flatten_and_upscale(image, side, palette_from_codes(palette)))
