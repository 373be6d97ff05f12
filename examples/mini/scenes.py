"""Pictures and their captions: what the autoencoder and the denoiser are shown.

A scene is a pure function of (seed, index). Most are one subject as drawn; the rest show what
single drawings cannot: other sizes and places, mirror images, coloured grounds, two subjects side by
side, a hat or glasses on a face, other colours, an animal's face inside the astronaut's helmet.
Whatever is changed is said in the caption, so that the words can be learned.

python examples/mini/scenes.py       a sheet of samples with captions: runs/scenes.png
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from art import Subject, load
from settings import PIXELS, RUNS, SEED, SPRITE_PIXELS, STYLES

GROUNDS = {
    "white": (255, 255, 255),
    "black": (20, 20, 24),
    "red": (226, 60, 60),
    "orange": (250, 150, 50),
    "yellow": (252, 212, 80),
    "green": (92, 178, 92),
    "blue": (74, 134, 226),
    "pale blue": (190, 220, 248),
    "purple": (146, 96, 200),
    "pink": (248, 176, 204),
    "grey": (150, 154, 160),
    "brown": (140, 98, 66),
}
HUES = {
    "red": 0.0,
    "orange": 0.08,
    "yellow": 0.15,
    "green": 0.35,
    "blue": 0.6,
    "purple": 0.77,
    "pink": 0.9,
}
SHORT = {
    "ear of corn": "corn",
    "T-Rex": "dinosaur",
    "billed cap": "cap",
    "rescue worker’s helmet": "helmet",
}
HATS = (
    "crown",
    "top hat",
    "woman’s hat",
    "graduation cap",
    "billed cap",
    "rescue worker’s helmet",
    "military helmet",
)
SCALE = 0.93  # of a single subject; always the same, so that no step of a short training is spent on where it lies
EYEWEAR = ("glasses", "sunglasses", "goggles")
# Heads drawn from the front in all four sets: they fit a helmet, and hats and glasses fit them.
HEADS = (
    "cat face",
    "dog face",
    "monkey face",
    "wolf",
    "fox",
    "lion",
    "tiger face",
    "cow face",
    "pig face",
    "hamster",
    "rabbit face",
    "bear",
    "koala",
    "panda",
    "frog",
    "unicorn",
    "chicken",
)
NEVER_ASTRONAUTS = ("koala", "pig face", "lion")  # so that the idea can be told from the memory
# Centre and radius of the helmet's window (of the head, where the helmet is off), on a unit square.
WINDOW = {
    "noto": (0.495, 0.45, 0.32),
    "twemoji": (0.605, 0.41, 0.35),
    "fluent": (0.5, 0.345, 0.24),
    "flat": (0.5, 0.345, 0.245),
}
BEHIND = {"noto": (92, 70, 44), "fluent": (74, 60, 66), "flat": (50, 49, 52)}


@dataclass(frozen=True)
class Scene:
    """One training picture: premultiplied uint8 (PIXELS, PIXELS, 4), and what it shows."""

    rgba: np.ndarray
    caption: str


def short_name(name: str) -> str:
    """What people type: "cat" for "cat face"; the faces of people keep their names."""
    if name in SHORT:
        return SHORT[name]
    return name.removesuffix(" face") if name in HEADS or name == "dragon face" else name


def resized(sprite: np.ndarray, pixels: int) -> np.ndarray:
    """A premultiplied sprite at another size; premultiplied, so no colour leaks from where alpha is 0."""
    picture = Image.frombuffer(
        "RGBa", sprite.shape[1::-1], np.ascontiguousarray(sprite).tobytes(), "raw", "RGBa", 0, 1
    )
    small = picture.resize((pixels, pixels), Image.Resampling.LANCZOS)
    return np.frombuffer(small.tobytes(), np.uint8).reshape(pixels, pixels, 4)


def put(canvas: np.ndarray, sprite: np.ndarray, centre_x: float, centre_y: float) -> None:
    """Lay a premultiplied sprite over the canvas (in place), clipped at its borders."""
    height, width = sprite.shape[:2]
    left, top = round(centre_x - width / 2), round(centre_y - height / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    over = sprite[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.uint16)
    under = canvas[y0:y1, x0:x1].astype(np.uint16)
    canvas[y0:y1, x0:x1] = np.minimum(over + (under * (255 - over[..., 3:]) + 127) // 255, 255)


def bounds(sprite: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is visible."""
    rows, columns = np.where(sprite[..., 3] > 32)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def recoloured(sprite: np.ndarray, hue: float) -> np.ndarray:
    """The sprite with every colour turned to one hue; greys, black and white stay."""
    alpha = sprite[..., 3:].astype(np.float32)
    rgb = sprite[..., :3] / np.maximum(alpha, 1)
    high, low = rgb.max(-1), rgb.min(-1)
    value, saturation = high, np.where(high > 0, (high - low) / np.maximum(high, 1e-6), 0)
    pure = np.array(colorsys.hsv_to_rgb(hue, 1, 1), np.float32)
    rgb = value[..., None] * (1 - saturation[..., None] * (1 - pure))
    return np.concatenate([(rgb.clip(0, 1) * alpha).round(), alpha], -1).astype(np.uint8)


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
            put(under, canvas, PIXELS / 2, PIXELS / 2)
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
        put(canvas, resized(sprite, round(PIXELS * scale)), PIXELS * x, PIXELS * y)
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
        put(canvas, resized(self.sprite(right, style), PIXELS // 2), PIXELS * 0.745, PIXELS / 2)
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
        left, top, right, bottom = bounds(canvas)
        piece = self.sprite(worn, style)
        inner = bounds(piece)
        piece = piece[inner[1] : inner[3], inner[0] : inner[2]]
        width = round((right - left) * (0.62 if hat else 0.74))
        height = max(1, round(width * piece.shape[0] / piece.shape[1]))
        if hat and height > 46:
            width, height = max(1, round(width * 46 / height)), 46
        picture = Image.frombuffer(
            "RGBa", piece.shape[1::-1], np.ascontiguousarray(piece).tobytes(), "raw", "RGBa", 0, 1
        )
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        piece = np.frombuffer(picture.tobytes(), np.uint8).reshape(height, width, 4)
        y = top + 0.16 * (bottom - top) - height / 2 if hat else top + 0.45 * (bottom - top)
        put(canvas, piece, (left + right) / 2, max(y, height / 2))
        article = "" if worn.name in EYEWEAR else "a "
        return canvas, [f"{self.named(rng, wearer)} wearing {article}{self.named(rng, worn)}"]

    def recolour(self, rng: np.random.Generator, style: int) -> tuple[np.ndarray, list[str]]:
        """One subject in another colour."""
        subject, colour = self.draw(rng), str(rng.choice(list(HUES)))
        name = self.named(rng, subject)
        name = name.split(" ", 1)[1] if name.split(" ")[0] in HUES else name
        return self.place(recoloured(self.sprite(subject, style), HUES[colour]), SCALE), [
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
        return in_space_suit(head, self.sprite(self.by_name["astronaut"], style), STYLES[style])


def in_space_suit(head: np.ndarray, suit: np.ndarray, style: str) -> np.ndarray:
    """The astronaut's sprite with this head in place of the human one."""
    suit = suit.copy()
    x, y, radius = (v * SPRITE_PIXELS for v in WINDOW[style])
    rows, columns = np.mgrid[:SPRITE_PIXELS, :SPRITE_PIXELS] + 0.5
    left, top, right, bottom = bounds(head)
    helmet_on = style in BEHIND
    size = round(
        (1.9 if helmet_on else 2.0) * radius * head.shape[0] / max(right - left, bottom - top)
    )
    middle = (
        ((left + right) / 2 / head.shape[0] - 0.5) * size,
        ((top + bottom) / 2 / head.shape[0] - 0.5) * size,
    )
    if not helmet_on:
        suit[(rows < 133) & (columns > 62)] = 0  # the human head; the collar begins below it
        put(suit, resized(head, size), x - middle[0], y - middle[1])
        return suit
    layer = np.zeros_like(suit)
    layer[:] = (*BEHIND[style], 255)
    put(layer, resized(head, size), x - middle[0], y - middle[1])
    return np.where((np.hypot(columns - x, rows - y) < radius)[..., None], layer, suit)


def sheet(scenes: Scenes, count: int = 48, columns: int = 8) -> Image.Image:
    """The first scenes with their captions, on grey."""
    rows = -(-count // columns)
    page = Image.new("RGB", (columns * 132, rows * 154), (206, 206, 206))
    pen = ImageDraw.Draw(page)
    for index in range(count):
        scene = scenes[index]
        x, y = index % columns * 132, index // columns * 154
        picture = Image.frombuffer(
            "RGBa", (PIXELS, PIXELS), scene.rgba.tobytes(), "raw", "RGBa", 0, 1
        ).convert("RGBA")
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
    subjects, sprites = load()
    return Scenes([s for s in subjects if s.kind], sprites)


if __name__ == "__main__":
    RUNS.mkdir(exist_ok=True)
    sheet(training_scenes()).save(RUNS / "scenes.png")
    print(RUNS / "scenes.png")
