"""A contact sheet: prompts by arms, with the prompt beside its pictures."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from examples.experiments.longalign.long_family import LongItem
from examples.experiments.longalign.pictures import Arm

SIDE, LETTERS, WORDS = 132, 92, 640


def contact_sheet(entries: Sequence[LongItem], arms: Sequence[Arm], out: Path) -> Image.Image:
    """One row for each prompt, on grey; its pictures have been drawn."""
    page = Image.new("RGB", (len(arms) * SIDE + WORDS, 20 + len(entries) * SIDE), (206, 206, 206))
    pen = ImageDraw.Draw(page)
    for column, arm in enumerate(arms):
        pen.text((column * SIDE + 4, 4), arm.name[:18], fill=(0, 0, 0), font_size=12)
    for row, entry in enumerate(entries):
        top = 20 + row * SIDE
        for column, arm in enumerate(arms):
            path = out / "pictures" / arm.name / f"{entry.item.id}.png"
            picture = Image.open(path).convert("RGBA")
            page.paste(picture, (column * SIDE + 2, top + 2), picture)
        lines = textwrap.wrap(f"[{entry.caption.tokens}] {entry.item.prompt}", LETTERS)
        pen.text((len(arms) * SIDE + 8, top + 2), "\n".join(lines), fill=(0, 0, 0), font_size=12)
    return page
