"""The sheet of examples/style_tailoring.sh: what a house draws, and a model before and after.

python -m examples.experiments.style_tailoring.house_sheet FOLDER FILE.png

FOLDER holds house, before and after, as the script leaves it.
"""

import argparse
from pathlib import Path

from PIL import Image

from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.stickers.sheet import SHEET_FILE, contact_sheet

COLUMNS, CELL = 6, 128
HOUSE = 6  # drawings of the house that are shown


def drawn(folder: Path) -> dict[tuple[int, str], Image.Image]:
    """Generated pictures by seed and prompt, in the order of their seeds."""
    pictures = {}
    for path in folder.glob("*.png"):
        if path.name != SHEET_FILE:
            prompt, seed, _ = path.stem.rsplit("-", 2)
            pictures[int(seed), prompt.replace("-", " ")] = Image.open(path)
    return dict(sorted(pictures.items()))


def house_sheet(folder: Path) -> Image.Image:
    """The first drawings of the house, then pairs of pictures before and after."""
    house = read_captioned_pictures(folder / "house").pictures[:HOUSE]
    before, after = drawn(folder / "before"), drawn(folder / "after")
    assert before.keys() == after.keys(), "before and after show other prompts"
    pictures = [Image.open(picture.path) for picture, _ in house]
    captions = [f"house: {caption}" for _, caption in house]
    for key, picture in before.items():
        pictures += [picture, after[key]]
        captions += [key[1], "tailored"]
    return contact_sheet(pictures, captions, columns=COLUMNS, cell_px=CELL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    house_sheet(args.folder).save(args.file)
