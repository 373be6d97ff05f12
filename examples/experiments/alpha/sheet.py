"""Sheets to be judged by eye: an opaque picture, then every way to cut it out over grounds.

The grounds are a chequerboard, black and green: what is left of white shows on the last two.
"""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from stickerforge.stickers.alpha import Rgba
from stickerforge.stickers.sheet import checkerboard

SIDE, GAP, LINE = 128, 6, 18
GREEN, BLACK, PAGE, INK = (0, 160, 60), (0, 0, 0), (255, 255, 255), (40, 42, 48)
GROUNDS = ("chequers", "black", "green")


def ground(name: str, side: int) -> Image.Image:
    """A square to lay a sticker on."""
    if name == "chequers":
        return checkerboard(side, side // 8)
    return Image.new("RGB", (side, side), {"black": BLACK, "green": GREEN}[name])


def on_grounds(rgba: Rgba, side: int, grounds: Sequence[str] = GROUNDS) -> list[Image.Image]:
    """A sticker over every ground."""
    sticker = Image.fromarray(rgba).resize((side, side), Image.Resampling.LANCZOS)
    pages = [ground(name, side) for name in grounds]
    for page in pages:
        page.paste(sticker, (0, 0), sticker)
    return pages


def comparison_sheet(
    cutouts: Sequence[tuple[Rgba, Mapping[str, Rgba]]],
    captions: Sequence[str],
    arms: Sequence[str],
    *,
    columns: int = 1,
    side: int = SIDE,
    grounds: Sequence[str] = GROUNDS,
) -> Image.Image:
    """An RGB page: a row for each picture, its opaque decode and then each arm over the grounds.

    Args:
        cutouts: (opaque picture, sticker by arm).
        arms: which of them are shown.
        columns: rows that stand beside each other.
    """
    cells = 1 + len(arms) * len(grounds)
    width, height = cells * side + GAP * (len(arms) + 2), side + LINE
    rows = -(-len(cutouts) // columns)
    page = Image.new("RGB", (columns * width, rows * height + LINE), PAGE)
    pen = ImageDraw.Draw(page)
    for column in range(columns):
        pen.text((column * width + 2, 2), "opaque", fill=INK, font_size=12)
        for number, arm in enumerate(arms):
            x = column * width + arm_offset(number, side, len(grounds))
            pen.text((x + 2, 2), arm, fill=INK, font_size=12)
    for index, ((opaque, stickers), caption) in enumerate(zip(cutouts, captions, strict=True)):
        x, y = index % columns * width, LINE + index // columns * height
        page.paste(Image.fromarray(opaque).resize((side, side), Image.Resampling.LANCZOS), (x, y))
        for number, arm in enumerate(arms):
            left = x + arm_offset(number, side, len(grounds))
            for place, shown in enumerate(on_grounds(stickers[arm], side, grounds)):
                page.paste(shown, (left + place * side, y))
        pen.text((x + 2, y + side + 1), caption[:60], fill=INK, font_size=11)
    return page


def arm_offset(number: int, side: int, grounds: int) -> int:
    """Where the pictures of an arm begin in a row, in pixels."""
    return side + GAP + number * (grounds * side + GAP)
