"""Decoded stickers on black, white, green and a chequerboard: a page that shows what alpha does."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from stickerforge.stickers.color import WHITE
from stickerforge.stickers.sheet import GAP_PX, INK, checkerboard

CELL_PX, HEAD_PX = 160, 22
GROUNDS = {"black": (0, 0, 0), "white": WHITE, "green": (0, 177, 64)}
COLUMNS = ("encoded", *GROUNDS, "chequerboard", "alpha")


def preview_page(shown: Sequence[tuple[Tensor, Tensor]]) -> bytes:
    """A PNG with a row for each sticker: as it was encoded, on every ground, and its alpha.

    Args:
        shown: (encoded picture (3, S, S), decoded one (4, S, S) with straight alpha) in [0, 1].
    """
    step = CELL_PX + GAP_PX
    size = (len(COLUMNS) * step + GAP_PX, HEAD_PX + len(shown) * step + GAP_PX)
    page = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(page)
    for column, title in enumerate(COLUMNS):
        pen.text((GAP_PX + column * step, 4), title, fill=INK, font_size=13)
    for row, (encoded, decoded) in enumerate(shown):
        for column, cell in enumerate(cells(encoded, decoded)):
            page.paste(cell, (GAP_PX + column * step, HEAD_PX + row * step))
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def cells(encoded: Tensor, decoded: Tensor) -> list[Image.Image]:
    """The pictures of one row."""
    sticker = Image.fromarray(to_bytes(decoded)).convert("RGBa")
    sticker = sticker.resize((CELL_PX, CELL_PX), Image.Resampling.BICUBIC).convert("RGBA")
    grounds = [Image.new("RGB", sticker.size, color) for color in GROUNDS.values()]
    grounds.append(checkerboard(CELL_PX))
    for ground in grounds:
        ground.paste(sticker, (0, 0), sticker)
    first = Image.fromarray(to_bytes(encoded))
    return [first.resize(sticker.size, Image.Resampling.BICUBIC), *grounds, sticker.getchannel(3)]


def to_bytes(planes: Tensor) -> NDArray[np.uint8]:
    """Planes (C, S, S) in [0, 1] as uint8 (S, S, C)."""
    return np.ascontiguousarray((planes * 255).round().byte().cpu().permute(1, 2, 0).numpy())
