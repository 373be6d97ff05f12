"""Art with exact alpha: 2,000 pictures to learn from, and held-out ones, of other subjects.

Held out are the subjects that no version of sticker-mini's autoencoder was shown: the withheld
ones of version 2 and their near twins, in all four styles. Needs the art of the recipe.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from examples.recipes.mini.art import load_subjects, withheld_names
from examples.recipes.mini.settings import PIXELS, STYLES
from examples.recipes.mini.sprites import paste, resize, to_image

SEED = 25
LEARNED = 2000  # pictures
SCALE = 0.86  # of the held-out pictures, as a single subject of sticker-mini has it


@dataclass(frozen=True)
class Drawing:
    """One subject in one style.

    Args:
        index: row of the sprites.
        style: column of the sprites.
    """

    index: int
    style: int
    name: str

    @property
    def key(self) -> str:
        """The name of its file, without ending."""
        return f"{self.index:04d}-{STYLES[self.style]}"

    def sprite(self) -> np.ndarray:
        """Premultiplied uint8 (SPRITE_PIXELS, SPRITE_PIXELS, 4)."""
        return np.asarray(load_subjects()[1][self.index, self.style])


@cache
def all_drawings() -> tuple[list[Drawing], list[Drawing]]:
    """(of subjects to learn from, of held-out subjects), in the order of the art."""
    withheld = withheld_names(2)
    parts: tuple[list[Drawing], list[Drawing]] = ([], [])
    for subject in load_subjects()[0]:
        part = parts[subject.name in withheld]
        part += [Drawing(subject.index, style, subject.name) for style in range(len(STYLES))]
    return parts


def learned_drawings(count: int = LEARNED) -> list[Drawing]:
    """Random ones of the subjects that are not held out, always the same."""
    drawings = all_drawings()[0]
    rows = np.random.default_rng(SEED).permutation(len(drawings))[:count]
    return [drawings[row] for row in rows]


def tuning_drawings(count: int) -> list[Drawing]:
    """Others that are not held out: what the keying is tuned on, so that nothing else saw them."""
    drawings = all_drawings()[0]
    rows = np.random.default_rng(SEED).permutation(len(drawings))[LEARNED : LEARNED + count]
    return [drawings[row] for row in rows]


def held_out_drawings() -> list[Drawing]:
    """All of the held-out subjects."""
    return all_drawings()[1]


def placed(drawing: Drawing, scale: float = SCALE) -> np.ndarray:
    """A drawing in the middle of a clear square, premultiplied uint8 (PIXELS, PIXELS, 4)."""
    canvas = np.zeros((PIXELS, PIXELS, 4), np.uint8)
    paste(canvas, resize(drawing.sprite(), round(PIXELS * scale)), PIXELS / 2, PIXELS / 2)
    return canvas


def write_art(folder: Path, drawings: list[Drawing]) -> Path:
    """The sprites as PNG files with straight alpha, as a user has such pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for drawing in drawings:
        path = folder / f"{drawing.key}.png"
        if not path.exists():
            to_image(drawing.sprite()).save(path)
    return folder


def read_rgba(path: Path) -> np.ndarray:
    """A picture as uint8 (H, W, 4) with straight alpha."""
    return np.asarray(Image.open(path).convert("RGBA"))
