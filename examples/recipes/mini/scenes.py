"""Pictures and captions of version 1, on which the autoencoder still learns.

python -m examples.recipes.mini.scenes       runs/scenes.png: samples with their captions

A scene is a pure function of (seed, index). Most are one subject as drawn; the rest show what
single drawings cannot: other sizes and places, mirror images, coloured grounds, two subjects side
by side, a hat or glasses on a face, other colours, an animal's face inside the astronaut's helmet.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from examples.recipes.mini.art import Subject, load_subjects
from examples.recipes.mini.settings import PIXELS, RUNS, SEED, STYLES
from examples.recipes.mini.sprites import (
    bounding_box,
    dress_as_astronaut,
    paste,
    recolour,
    resize,
    to_image,
)
from examples.recipes.mini.vocabulary import EYEWEAR, GROUNDS, HATS, HEADS, HUES, short_name

# Of a single subject; always the same, so that no step of a short training is spent on where it
# lies.
SCALE = 0.93
NEVER_ASTRONAUTS = ("koala", "pig face", "lion")  # so that the idea can be told from the memory


@dataclass(frozen=True)
class Scene:
    """One training picture: premultiplied uint8 (PIXELS, PIXELS, 4), and what it shows."""

    rgba: np.ndarray
    caption: str


class Scenes:
    """All scenes over a set of subjects: `scenes[index]` draws one, always the same."""

    def __init__(self, subjects: list[Subject], sprites: np.ndarray, *, seed: int = SEED):
        """Args:
        subjects: what may appear; `sprites` has a row for each subject's index.
        """
        self.subjects, self.sprites, self.seed = subjects, sprites, seed
        self.by_name = {subject.name: subject for subject in subjects}
        self.kinds = [
            (0.72, self.single),
            (0.05, self.moved),
            (0.06, self.pair),
            (0.05, self.accessory),
            (0.04, self.recolour),
            (0.08, self.astronaut),
        ]

    def __getitem__(self, index: int) -> Scene:
        rng = np.random.default_rng((self.seed, index))
        kind = self.kind(rng)
        style = int(rng.integers(len(STYLES)))
        canvas, words = kind(rng, style)
        grounded = rng.random() < 0.08
        if grounded:
            ground = list(GROUNDS)[rng.integers(len(GROUNDS))]
            under = np.full((PIXELS, PIXELS, 4), (*GROUNDS[ground], 255), np.uint8)
            paste(under, canvas, PIXELS / 2, PIXELS / 2)
            canvas, words = under, [*words, f"on a {ground} background"]
        if rng.random() < 0.92:
            words.append(f"in {STYLES[style]} style")
        joint = ", " if rng.random() < 0.6 else " "
        return Scene(
            canvas,
            joint.join(words[:-1])
            + ("" if len(words) < 2 else " " if rng.random() < 0.5 else ", ")
            + words[-1]
            if len(words) > 1
            else words[0],
        )

    def kind(
        self, rng: np.random.Generator
    ) -> Callable[[np.random.Generator, int], tuple[np.ndarray, list[str]]]:
        """The method that draws a scene: the first thing that its generator decides."""
        shares = [share for share, _ in self.kinds]
        return self.kinds[rng.choice(len(shares), p=shares)][1]

    def sprite(self, subject: Subject, style: int) -> np.ndarray:
        """Premultiplied uint8 (SPRITE_PIXELS, SPRITE_PIXELS, 4)."""
        return np.asarray(self.sprites[subject.index, style])

    def draw(self, rng: np.random.Generator) -> Subject:
        """Any subject, all equally likely."""
        return self.subjects[rng.integers(len(self.subjects))]

    def named(self, rng: np.random.Generator, subject: Subject) -> str:
        """The CLDR name, or the short name."""
        return subject.name if rng.random() < 0.6 else short_name(subject.name)

    def place(self, sprite: np.ndarray, scale: float, x: float = 0.5, y: float = 0.5) -> np.ndarray:
        """A canvas with one sprite; scale 1 fills it, (x, y) is its centre on a unit square."""
        canvas = np.zeros((PIXELS, PIXELS, 4), np.uint8)
        paste(canvas, resize(sprite, round(PIXELS * scale)), PIXELS * x, PIXELS * y)
        return canvas

    def single(self, rng: np.random.Generator, style: int) -> tuple[np.ndarray, list[str]]:
        """One subject as it was drawn, with up to three of its keywords."""
        subject = self.draw(rng)
        words = [self.named(rng, subject)]
        if subject.keywords and rng.random() < 0.6:
            count = min(rng.integers(1, 4), len(subject.keywords))
            words += list(rng.choice(subject.keywords, count, replace=False))
        sprite = self.sprite(subject, style)
        if rng.random() < 0.05:
            sprite, words = sprite[:, ::-1], [*words, "mirrored"]
        return self.place(sprite, SCALE), words

    def moved(self, rng: np.random.Generator, style: int) -> tuple[np.ndarray, list[str]]:
        """One subject, small and somewhere else."""
        subject, scale = self.draw(rng), rng.uniform(0.4, 0.65)
        reach = (1 - scale) / 2
        x, y = 0.5 + rng.uniform(-reach, reach, 2)
        across = "left" if x < 0.5 - reach / 3 else "right" if x > 0.5 + reach / 3 else ""
        along = "top" if y < 0.5 - reach / 3 else "bottom" if y > 0.5 + reach / 3 else ""
        where = [f"at the {along} {across}".replace("  ", " ").strip()] if across or along else []
        return self.place(self.sprite(subject, style), scale, x, y), [
            f"small {self.named(rng, subject)}",
            *where,
        ]

    def pair(self, rng: np.random.Generator, style: int) -> tuple[np.ndarray, list[str]]:
        """Two subjects side by side."""
        left, right = self.draw(rng), self.draw(rng)
        canvas = self.place(self.sprite(left, style), 0.5, 0.255)
        paste(canvas, resize(self.sprite(right, style), PIXELS // 2), PIXELS * 0.745, PIXELS / 2)
        return canvas, [f"{self.named(rng, left)} and {self.named(rng, right)}"]

    def accessory(self, rng: np.random.Generator, style: int) -> tuple[np.ndarray, list[str]]:
        """A head or a round face with a hat on it or glasses before its eyes."""
        faces = [
            s.name for s in self.subjects if s.kind == "face" and s.name.endswith(("face", "eyes"))
        ]
        wearer = self.by_name[str(rng.choice(HEADS if rng.random() < 0.7 else faces))]
        hat = rng.random() < 0.65
        worn = self.by_name[str(rng.choice(HATS if hat else EYEWEAR))]
        canvas = self.place(self.sprite(wearer, style), 0.76, 0.5, 0.61)
        left, top, right, bottom = bounding_box(canvas)
        piece = self.sprite(worn, style)
        inner = bounding_box(piece)
        piece = piece[inner[1] : inner[3], inner[0] : inner[2]]
        width = round((right - left) * (0.62 if hat else 0.74))
        height = max(1, round(width * piece.shape[0] / piece.shape[1]))
        if hat and height > 46:
            width, height = max(1, round(width * 46 / height)), 46
        piece = resize(piece, width, height)
        y = top + 0.16 * (bottom - top) - height / 2 if hat else top + 0.45 * (bottom - top)
        paste(canvas, piece, (left + right) / 2, max(y, height / 2))
        article = "" if worn.name in EYEWEAR else "a "
        return canvas, [f"{self.named(rng, wearer)} wearing {article}{self.named(rng, worn)}"]

    def recolour(self, rng: np.random.Generator, style: int) -> tuple[np.ndarray, list[str]]:
        """One subject in another colour."""
        subject, colour = self.draw(rng), str(rng.choice(list(HUES)))
        name = self.named(rng, subject)
        name = name.split(" ", 1)[1] if name.split(" ")[0] in HUES else name
        return self.place(recolour(self.sprite(subject, style), HUES[colour]), SCALE), [
            f"{colour} {name}"
        ]

    def astronaut(self, rng: np.random.Generator, style: int) -> tuple[np.ndarray, list[str]]:
        """An animal's head in the astronaut's helmet (on the suit, where the helmet is off)."""
        allowed = [name for name in HEADS if name not in NEVER_ASTRONAUTS]
        animal = self.by_name[str(rng.choice(allowed))]
        name = short_name(animal.name) if rng.random() < 0.7 else animal.name
        phrases = (
            f"{name} astronaut",
            f"{name} astronaut",
            f"astronaut {name}",
            f"{name} in a space suit",
        )
        canvas = self.suited(self.sprite(animal, style), style)
        return self.place(canvas, SCALE), [str(rng.choice(phrases))]

    def suited(self, head: np.ndarray, style: int) -> np.ndarray:
        """The astronaut's sprite with this head in place of the human one."""
        return dress_as_astronaut(
            head, self.sprite(self.by_name["astronaut"], style), STYLES[style]
        )


def scene_sheet(scenes: Scenes, count: int = 48, columns: int = 8) -> Image.Image:
    """The first scenes with their captions, on grey."""
    rows = -(-count // columns)
    page = Image.new("RGB", (columns * 132, rows * 154), (206, 206, 206))
    pen = ImageDraw.Draw(page)
    for index in range(count):
        scene = scenes[index]
        x, y = index % columns * 132, index // columns * 154
        picture = to_image(scene.rgba)
        page.paste(picture, (x, y), picture)
        pen.text(
            (x, y + 129),
            scene.caption[:23] + "\n" + scene.caption[23:46],
            fill=(0, 0, 0),
            font_size=9,
        )
    return page


def training_scenes() -> Scenes:
    """The scenes that sticker-mini learns from."""
    subjects, sprites = load_subjects()
    return Scenes([s for s in subjects if s.kind], sprites)


if __name__ == "__main__":
    RUNS.mkdir(exist_ok=True)
    scene_sheet(training_scenes()).save(RUNS / "scenes.png")
    print(RUNS / "scenes.png")
