"""A sheet to judge by eye: the base, asked for the style in words, and tailored.

Nothing is picked: the first picture of every third prompt, with the seed that all arms have.
"""

from pathlib import Path

from examples.experiments.style_tailoring.house import evaluation_prompts
from examples.experiments.style_tailoring.pictures import read_shots, shots
from stickerforge.stickers.sheet import contact_sheet

SHEET = "sheet.png"  # in the folder of the experiment
SHOWN = (("base", "before"), ("prompt", "in words"), ("joint -8", "tailored"))
EVERY, CELL, COLUMNS = 4, 128, 6


def write_sheet(out: Path) -> None:
    """Write the sheet from pictures that are drawn."""
    texts = evaluation_prompts()
    first = [shot for shot in shots(0) if not shot.seed % 2][::EVERY]
    columns = [read_shots(arm, out, first) for arm, _ in SHOWN]
    pictures = [picture for row in zip(*columns, strict=True) for picture in row]
    captions = [
        texts[shot.prompt] if number == 0 else title
        for shot in first
        for number, (_, title) in enumerate(SHOWN)
    ]
    contact_sheet(pictures, captions, columns=COLUMNS, cell_px=CELL).save(out / SHEET)
