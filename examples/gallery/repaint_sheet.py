"""The sheet of a sticker a part of which is painted anew: repaint.png.

python -m examples.gallery.repaint_sheet        half a minute

Nothing is picked: one seed, the words in their order.
"""

import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

import stickerforge
from stickerforge.stickers.sheet import contact_sheet

SHEET = Path(__file__).parent / "repaint.png"
FIRST = "a cat wearing a crown"
WORDS = ("a cat wearing a top hat", "a cat wearing a graduation cap", "a cat wearing a helmet")
SEED, SIDE = 1, 512
HAT = (140, 0, 372, 218)  # left, top, right, bottom of the ellipse that is painted anew


def write_mask(path: Path) -> None:
    """White where the hat is to be."""
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).ellipse(HAT, fill=255)
    mask.save(path)


def repaint(folder: Path) -> list[tuple[str, Path]]:
    """The sticker, the mask and what the words make of it, each with its caption."""
    settings = {"seed": SEED, "output.folder": str(folder)}
    sticker = stickerforge.generate(FIRST, settings=settings).outputs[0]["path"]
    write_mask(folder / "mask.png")
    settings |= {"init.file": sticker, "init.mask": str(folder / "mask.png"), "init.strength": 1.0}
    pictures = [(FIRST, Path(sticker)), ("the mask", folder / "mask.png")]
    for words in WORDS:
        made = stickerforge.generate(words, settings=settings)
        pictures.append((words, Path(made.outputs[0]["path"])))
    return pictures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        shown = repaint(Path(folder))
        pictures = [Image.open(path) for _, path in shown]
        sheet = contact_sheet(pictures, [words for words, _ in shown], columns=len(shown))
        sheet.save(SHEET, optimize=True)
