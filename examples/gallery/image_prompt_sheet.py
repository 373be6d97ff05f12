"""The sheet of image prompts that README shows: image-prompt.png.

python -m examples.gallery.image_prompt_sheet        about five minutes

One reference in four styles; one reference at three scales; a subject that was taught (LoRA) with
the style of a reference. The references are drawings that sticker-mini never saw. Nothing is
picked: one seed, the words in their order. It needs the recipe's art.
"""

import os
import tempfile
from pathlib import Path

from PIL import Image

import stickerforge
from examples.gallery.adapter_sheets import save_sprite
from examples.recipes.mini.art import load_subjects
from examples.recipes.mini.settings import STYLES
from stickerforge.stickers.sheet import contact_sheet

SHEET = Path(__file__).parent / "image-prompt.png"
SEED = 1
THING, STYLE_OF, TAUGHT, CLASS = "guide dog", "alembic", "llama", "animal"
SCALES = (0.5, 1.0, 1.5)
Row = list[tuple[str, Path]]


def save_reference(name: str, style: str, path: Path) -> Path:
    """A drawing of the recipe's art."""
    subjects, sprites = load_subjects(3)
    subject = next(subject for subject in subjects if subject.name == name)
    save_sprite(sprites[subject.index, STYLES.index(style)], path)
    return path


def draw(prompt: str, picture: str, folder: Path) -> Path:
    """The picture of a prompt and an image prompt."""
    own = {"seed": SEED, "output.folder": str(folder), "image_prompt.pictures": [picture]}
    return Path(stickerforge.generate(prompt, settings=own).outputs[0]["path"])


def in_styles(folder: Path) -> Row:
    """One reference in four styles, named by words."""
    reference = save_reference(THING, "fluent", folder / "thing.png")
    row = [("reference", reference)]
    for style in STYLES:
        words = f"a sticker in {style} style"
        row.append((words, draw(words, f"{reference}:1", folder)))
    return row


def at_scales(folder: Path) -> Row:
    """Words with one reference at three scales."""
    reference = save_reference("cow", "twemoji", folder / "scales.png")
    row = [("reference", reference)]
    row += [
        (f"a dog, scale {scale:g}", draw("a dog", f"{reference}:{scale}", folder))
        for scale in (0, *SCALES)
    ]
    return row


def taught_in_style(folder: Path) -> Row:
    """A taught subject, plain and like references of other styles."""
    drawings = folder / "drawings"
    drawings.mkdir()
    for style in STYLES[:3]:
        save_reference(TAUGHT, style, drawings / f"{style}.png")
    stickerforge.customize(drawings, settings={"subject": TAUGHT, "class_words": CLASS})
    words = f"a <{TAUGHT}> with a hat"
    row = [(TAUGHT, drawings / "noto.png")]
    plain = {"seed": SEED, "output.folder": str(folder)}
    row.append((words, Path(stickerforge.generate(words, settings=plain).outputs[0]["path"])))
    reference = save_reference(STYLE_OF, "fluent", folder / "style.png")
    row.append(("reference", reference))
    row += [
        (f"{words}, {scale:g}", draw(words, f"{reference}:{scale}", folder)) for scale in (0.5, 1.0)
    ]
    return row


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        os.environ["STICKERFORGE_HOME"] = str(Path(place) / "home")
        rows = [part(Path(place)) for part in (in_styles, at_scales, taught_in_style)]
        shown = [pair for row in rows for pair in row]
        pictures = [Image.open(path) for _, path in shown]
        sheet = contact_sheet(pictures, [words for words, _ in shown], columns=len(rows[0]))
        sheet.save(SHEET, optimize=True)
