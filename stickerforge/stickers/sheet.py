"""Contact sheets: many stickers on one page, each with a line of text."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from stickerforge.stickers.color import WHITE

SHEET_FILE = "contact-sheet.png"  # name of the sheet that lies beside generated images
LIGHT, DARK, INK = (250, 250, 250), (226, 228, 232), (40, 42, 48)
CELL_PX, GAP_PX, LINE_PX = 192, 8, 20


def contact_sheet(
    pictures: Sequence[Image.Image],
    captions: Sequence[str],
    *,
    columns: int | None = None,
    cell_px: int = CELL_PX,
) -> Image.Image:
    """An RGB page of RGBA pictures on a chequered ground, so that transparency can be seen.

    Args:
        captions: one for each picture; cut to the width of a cell.
        columns: as many as make the page about square, where not given.
    """
    columns = columns or min(len(pictures), max(1, math.ceil(math.sqrt(len(pictures)))))
    rows = math.ceil(len(pictures) / columns)
    step_x, step_y = cell_px + GAP_PX, cell_px + LINE_PX + GAP_PX
    page = Image.new("RGB", (columns * step_x + GAP_PX, rows * step_y + GAP_PX), WHITE)
    pen = ImageDraw.Draw(page)
    ground = checkerboard(cell_px)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = GAP_PX + index % columns * step_x, GAP_PX + index // columns * step_y
        page.paste(ground, (x, y))
        small = picture.convert("RGBA")
        small.thumbnail((cell_px, cell_px), Image.Resampling.LANCZOS)
        page.paste(
            small, (x + (cell_px - small.width) // 2, y + (cell_px - small.height) // 2), small
        )
        pen.text(
            (x + 2, y + cell_px + 2),
            truncate_text(pen, caption, cell_px - 4),
            fill=INK,
            font_size=13,
        )
    return page


def checkerboard(side_px: int, square_px: int = 16) -> Image.Image:
    """A square of light and less light squares."""
    tile = Image.new("RGB", (side_px, side_px), LIGHT)
    pen = ImageDraw.Draw(tile)
    for row in range(0, side_px, square_px):
        for column in range(row // square_px % 2 * square_px, side_px, 2 * square_px):
            pen.rectangle((column, row, column + square_px - 1, row + square_px - 1), fill=DARK)
    return tile


def truncate_text(pen: ImageDraw.ImageDraw, text: str, width_px: int) -> str:
    """The text, cut and ended by an ellipsis where it is too wide."""
    if pen.textlength(text, font_size=13) <= width_px:
        return text
    while text and pen.textlength(text + "…", font_size=13) > width_px:
        text = text[:-1]
    return text + "…"
