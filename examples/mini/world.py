"""StickerWorld: scenes together with the exact truth about them.

python examples/mini/world.py [--count 48] [--part all|generator|judge]     a sheet of samples: runs/world.png

A scene is a function of (seed, index): what is in it (one to five things, their colours, sizes, places, what they
wear or hold, how they stand to each other), its style and its ground. `World.truth` decides, `World.draw` draws and
notes where everything came to lie, `captions.py` tells. What a part of the project may not see is withheld by
rule: see `withheld`.
"""

import argparse
import colorsys
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from art import Subject, load, withheld_names
from backdrops import Ground, drawn_ground, random_ground
from scenes import EYEWEAR, HATS, HEADS, HUES, bounds, in_space_suit, put, recoloured, resized
from settings import PIXELS, RUNS, SEED, SPRITE_PIXELS, STYLES

Part = Literal[
    "all", "generator", "generator3", "judge"
]  # generator3: sticker-mini from version 3 on
RELATIONS = (
    "to the left of",
    "to the right of",
    "above",
    "below",
    "behind",
    "in front of",
    "inside",
    "holding",
)
CONTAINERS = ("basket", "bucket", "wrapped gift", "pot of food", "takeout box", "wastebasket")
HOLDERS = (
    "teddy bear",
    "robot",
    "snowman",
    "panda",
    "gorilla",
    "penguin",
    "monkey",
    "ghost",
    "alien",
    "bear",
    "koala",
    "octopus",
)
HELD = (
    "red apple",
    "balloon",
    "guitar",
    "key",
    "trophy",
    "umbrella",
    "ice cream",
    "rose",
    "carrot",
    "camera",
    "lemon",
    "doughnut",
)
SIZES = {"small": 0.36, "medium": 0.55, "large": 0.86}
SHARES = {
    "one": 0.34,
    "placed": 0.12,
    "counted": 0.14,
    "pair": 0.22,
    "dressed": 0.10,
    "suited": 0.08,
}
MIN_SEEN = 0.6  # share of every thing that must stay visible


@dataclass(frozen=True)
class Thing:
    """One subject of a scene, drawn `count` times.

    Args:
        colour: "" for its own.
        wears: the name of a hat, glasses or "space suit", or "".
        size: small, medium or large.
        x, y: of its centre, on a unit square.
    """

    subject: Subject
    count: int = 1
    colour: str = ""
    wears: str = ""
    size: str = "large"
    x: float = 0.5
    y: float = 0.5
    mirrored: bool = False


@dataclass(frozen=True)
class Truth:
    """Everything that is so in a scene.

    Args:
        things: the first one is what the second one relates to: "things[0] relation things[1]".
        boxes: left, top, right, bottom of every drawn thing on a unit square, in the order of `things`, each as
            often as it is counted; empty until drawn.
    """

    style: str
    things: tuple[Thing, ...]
    relation: str
    ground: Ground
    boxes: tuple[tuple[float, float, float, float], ...] = ()


@cache
def dice(text: str) -> int:
    """A number that a text decides and nothing else."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def withheld(part: Part, *names: str) -> bool:
    """Whether a part of the project may not see a combination: (code points, style), (subject, colour), two subjects...

    One in sixteen is kept from the generator, others of version 3, one in five from the judge, whatever the others may see.
    """
    if part == "all":
        return False
    if part == "generator3":
        return dice("|".join(("3", *names))) % 16 == 0
    number = dice("|".join(names))
    return number % 16 == 0 if part == "generator" else number % 5 == 1


def combinations(truth: Truth) -> list[tuple[str, ...]]:
    """What `withheld` is asked about for a scene."""
    found: list[tuple[str, ...]] = [
        (thing.subject.codepoints, truth.style) for thing in truth.things
    ]
    for thing in truth.things:
        found += [
            (thing.subject.codepoints, extra) for extra in (thing.colour, thing.wears) if extra
        ]
    if len(truth.things) > 1:
        found.append(tuple(sorted(thing.subject.codepoints for thing in truth.things)))
    return found


class World:
    """All scenes over a set of subjects for one part of the project."""

    def __init__(
        self,
        subjects: list[Subject],
        sprites: np.ndarray,
        *,
        part: Part = "all",
        seed: int = SEED,
        shares: Mapping[str, float] = SHARES,
        clear: float = 0.5,
    ) -> None:
        """Args:
        shares: how often each kind of scene comes, by the name of its method.
        clear: share of scenes without a ground.
        """
        self.shares, self.clear = shares, clear
        self.subjects, self.sprites, self.part, self.seed = subjects, sprites, part, seed
        self.by_name = {subject.name: subject for subject in subjects}

    def __getitem__(self, index: int) -> tuple[np.ndarray, Truth]:
        """(premultiplied uint8 (PIXELS, PIXELS, 4), its truth), always the same."""
        for attempt in range(100):
            rng = np.random.default_rng((self.seed, index, attempt))
            truth = self.truth(rng)
            if truth is None or self.hides(truth):
                continue
            picture, found, seen = self.draw(truth)
            if seen >= MIN_SEEN:
                return picture, found
        raise RuntimeError(f"scene {index}: nothing that may be shown in a hundred attempts")

    def hides(self, truth: Truth) -> bool:
        """Whether a scene shows what its part of the project may not see."""
        return any(withheld(self.part, *names) for names in combinations(truth))

    def truth(self, rng: np.random.Generator) -> Truth | None:
        """What a scene is to show; None where the subjects at hand do not allow it."""
        style = str(rng.choice(STYLES))
        kind = list(self.shares)[rng.choice(len(self.shares), p=list(self.shares.values()))]
        made: tuple[tuple[Thing, ...], str] | None = getattr(self, kind)(rng)
        if made is None:
            return None
        things, relation = made
        return Truth(style, things, relation, random_ground(rng, self.clear))

    def any(self, rng: np.random.Generator) -> Thing:
        """A subject, one time in seven in another colour."""
        subject = self.subjects[rng.integers(len(self.subjects))]
        colour = str(rng.choice(list(HUES))) if rng.random() < 1 / 7 else ""
        return Thing(subject, colour=colour if colour and self.can_be(subject, colour) else "")

    def can_be(self, subject: Subject, colour: str) -> bool:
        """Whether turning every hue shows: greys stay grey, and what has this hue already would not change."""
        return all(
            self.hue_share(subject.index, style) > 0.5
            and not self.has_hue(subject.index, style, colour)
            for style in range(len(STYLES))
        )

    def hue_share(self, index: int, style: int) -> float:
        """Share of what is visible that has a colour at all."""
        sprite = np.asarray(self.sprites[index, style])[::4, ::4].astype(int)
        seen = sprite[..., 3] > 128
        return float(
            ((sprite[..., :3].max(-1) - sprite[..., :3].min(-1) > 50) & seen).sum()
            / max(1, seen.sum())
        )

    def has_hue(self, index: int, style: int, colour: str) -> bool:
        """Whether the mean colour of a sprite is near a hue already."""
        sprite = np.asarray(self.sprites[index, style])[::4, ::4].reshape(-1, 4)
        red, green, blue = sprite[sprite[:, 3] > 128][:, :3].mean(0) / 255
        hue = colorsys.rgb_to_hsv(red, green, blue)[0]
        return abs((hue - HUES[colour] + 0.5) % 1 - 0.5) < 0.08

    def named(self, rng: np.random.Generator, names: tuple[str, ...]) -> Thing | None:
        """One of some subjects, if it may appear here."""
        known = [name for name in names if name in self.by_name]
        return Thing(self.by_name[str(rng.choice(known))]) if known else None

    def one(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """A single subject, large."""
        return (self.any(rng),), ""

    def placed(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """A single subject, smaller and somewhere."""
        size = str(rng.choice(("small", "medium")))
        reach = (1 - SIZES[size]) / 2
        x, y = (0.5 + reach * float(rng.choice((-0.9, 0, 0.9))) for _ in range(2))
        return (replace(self.any(rng), size=size, x=x, y=y),), ""

    def counted(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """Two to five of a kind."""
        return (replace(self.any(rng), count=int(rng.integers(2, 6)), size="medium"),), ""

    def pair(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str] | None:
        """Two subjects that stand to each other somehow."""
        relation = str(rng.choice(RELATIONS))
        first: Thing | None = self.any(rng)
        second: Thing | None = self.any(rng)
        if relation == "inside":
            second = self.named(rng, CONTAINERS)
        if relation == "holding":
            first, second = self.named(rng, HOLDERS), self.named(rng, HELD)
        if first is None or second is None or first.subject == second.subject:
            return None
        places = {
            "to the left of": ((0.27, 0.5), (0.73, 0.5)),
            "to the right of": ((0.73, 0.5), (0.27, 0.5)),
            "above": ((0.5, 0.27), (0.5, 0.73)),
            "below": ((0.5, 0.73), (0.5, 0.27)),
            "behind": ((0.36, 0.36), (0.64, 0.64)),
            "in front of": ((0.64, 0.64), (0.36, 0.36)),
            "inside": ((0.5, 0.36), (0.5, 0.66)),
            "holding": ((0.45, 0.48), (0.76, 0.68)),
        }[relation]
        sizes = {"holding": ("large", "small")}.get(relation, ("medium", "medium"))
        things = (
            replace(thing, size=size, x=x, y=y)
            for thing, size, (x, y) in zip((first, second), sizes, places, strict=True)
        )
        return tuple(things), relation

    def dressed(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str] | None:
        """A head or a round face with a hat or glasses."""
        faces = tuple(
            s.name for s in self.subjects if s.kind == "face" and s.name.endswith(("face", "eyes"))
        )
        wearer = self.named(rng, HEADS if rng.random() < 0.7 else faces)
        worn = self.named(rng, HATS if rng.random() < 0.6 else EYEWEAR)
        return (
            None
            if wearer is None or worn is None
            else ((replace(wearer, wears=worn.subject.name),), "")
        )

    def suited(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str] | None:
        """An animal as an astronaut."""
        animal = self.named(rng, HEADS)
        return (
            None
            if animal is None or "astronaut" not in self.by_name
            else ((replace(animal, wears="space suit"),), "")
        )

    def sprite(self, name: str, style: str) -> np.ndarray:
        """Premultiplied uint8 (SPRITE_PIXELS, SPRITE_PIXELS, 4)."""
        return np.asarray(self.sprites[self.by_name[name].index, STYLES.index(style)])

    def looks(self, thing: Thing, style: str) -> np.ndarray:
        """A thing by itself, coloured and dressed."""
        sprite = np.asarray(self.sprites[thing.subject.index, STYLES.index(style)])
        if thing.mirrored:
            sprite = sprite[:, ::-1]
        if thing.colour:
            sprite = recoloured(sprite, HUES[thing.colour])
        if thing.wears == "space suit":
            return in_space_suit(sprite, self.sprite("astronaut", style), style)
        return (
            wearing(sprite, self.sprite(thing.wears, style), hat=thing.wears in HATS)
            if thing.wears
            else sprite
        )

    def draw(self, truth: Truth) -> tuple[np.ndarray, Truth, float]:
        """(the picture, the truth with boxes, the least visible share of any thing)."""
        pieces = [
            (looks, *place)
            for thing in truth.things
            for looks in [self.looks(thing, truth.style)]
            for place in places(thing)
        ]
        on_top_last = list(range(len(pieces)))
        if truth.relation in ("in front of", "above"):
            on_top_last.reverse()
        layer = np.zeros((PIXELS, PIXELS, 4), np.uint8)
        owner = np.full((PIXELS, PIXELS), -1)
        boxes, areas = [(0.0, 0.0, 0.0, 0.0)] * len(pieces), [1] * len(pieces)
        for number in on_top_last:
            looks, scale, x, y = pieces[number]
            alone = np.zeros_like(layer)
            piece = resized(looks, max(8, round(PIXELS * scale)))
            put(alone, piece, PIXELS * x, PIXELS * y)
            shape = alone[..., 3] > 96
            left, top, right, bottom = bounds(alone)
            boxes[number] = (left / PIXELS, top / PIXELS, right / PIXELS, bottom / PIXELS)
            areas[number] = max(
                1, int((piece[..., 3] > 96).sum())
            )  # what lies beyond the border counts as hidden
            owner[shape] = number
            put(layer, piece, PIXELS * x, PIXELS * y)
        seen = min(float((owner == number).sum()) / areas[number] for number in range(len(pieces)))
        inside = truth.relation in (
            "inside",
            "behind",
            "holding",
            "in front of",
        )  # these hide something by nature
        ground = drawn_ground(truth.ground)
        put(ground, layer, PIXELS / 2, PIXELS / 2)
        return ground, replace(truth, boxes=tuple(boxes)), seen + (0.25 if inside else 0.0)


def places(thing: Thing) -> list[tuple[float, float, float]]:
    """(scale, x, y) of each of a thing's copies."""
    if thing.count == 1:
        return [(SIZES[thing.size], thing.x, thing.y)]
    scale = {2: 0.48, 3: 0.42, 4: 0.42, 5: 0.32}[thing.count]
    spots = {
        2: [(0.26, 0.5), (0.74, 0.5)],
        3: [(0.5, 0.27), (0.26, 0.72), (0.74, 0.72)],
        4: [(0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)],
        5: [(0.2, 0.22), (0.8, 0.22), (0.5, 0.5), (0.2, 0.78), (0.8, 0.78)],
    }[thing.count]
    return [(scale, x, y) for x, y in spots]


def wearing(wearer: np.ndarray, worn: np.ndarray, *, hat: bool) -> np.ndarray:
    """A head with something on it, on a canvas of the sprite's size: the head is lowered to make room for a hat."""
    side = SPRITE_PIXELS
    canvas = np.zeros_like(wearer)
    small = resized(wearer, round(0.8 * side)) if hat else wearer
    put(canvas, small, side / 2, side * (0.6 if hat else 0.5))
    left, top, right, bottom = bounds(canvas)
    inner = bounds(worn)
    piece = worn[inner[1] : inner[3], inner[0] : inner[2]]
    width = (right - left) * (0.62 if hat else 0.74)
    height = width * piece.shape[0] / piece.shape[1]
    if hat and height > 0.36 * side:
        width, height = width * 0.36 * side / height, 0.36 * side
    picture = Image.frombuffer(
        "RGBa", piece.shape[1::-1], np.ascontiguousarray(piece).tobytes(), "raw", "RGBa", 0, 1
    )
    picture = picture.resize(
        (max(1, round(width)), max(1, round(height))), Image.Resampling.LANCZOS
    )
    piece = np.frombuffer(picture.tobytes(), np.uint8).reshape(picture.height, picture.width, 4)
    y = top + 0.14 * (bottom - top) - height / 2 if hat else top + 0.45 * (bottom - top)
    put(canvas, piece, (left + right) / 2, max(y, height / 2))
    return canvas


def world(
    part: Part = "all",
    *,
    learned_only: bool = False,
    seed: int = SEED,
    shares: Mapping[str, float] = SHARES,
    clear: float = 0.5,
) -> World:
    """The world over all subjects that a part may see: all of them, but for the generator, which is to be taught the held-out ones."""
    subjects, sprites = load()
    hidden = withheld_names() if part == "generator" else set()
    shown = [s for s in subjects if s.name not in hidden and (s.kind or not learned_only)]
    return World(shown, sprites, part=part, seed=seed, shares=shares, clear=clear)


def sheet(scenes: World, count: int, columns: int = 6) -> Image.Image:
    """The first scenes with their comprehensive captions."""
    from captions import caption

    page = Image.new("RGB", (columns * 200, -(-count // columns) * 196), (206, 206, 206))
    pen = ImageDraw.Draw(page)
    for index in range(count):
        rgba, truth = scenes[index]
        x, y = index % columns * 200 + 36, index // columns * 196
        picture = Image.frombuffer(
            "RGBa", (PIXELS, PIXELS), rgba.tobytes(), "raw", "RGBa", 0, 1
        ).convert("RGBA")
        page.paste(picture, (x, y), picture)
        words, lines = caption(truth, "comprehensive", np.random.default_rng(index)).split(), [""]
        for word in words:
            lines = (
                [*lines[:-1], f"{lines[-1]} {word}"]
                if len(lines[-1]) + len(word) < 38
                else [*lines, word]
            )
        pen.text((x - 32, y + 130), "\n".join(lines[:5]), fill=(0, 0, 0), font_size=10, spacing=2)
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--part", choices=("all", "generator", "judge"), default="all")
    args = parser.parse_args()
    RUNS.mkdir(exist_ok=True)
    shown = world(args.part, learned_only=True)
    sheet(shown, args.count).save(RUNS / "world.png")
    started = time.monotonic()
    for number in range(300):
        _ = shown[number]
    print(
        RUNS / "world.png", f"{300 / (time.monotonic() - started):.0f} scenes a second on one core"
    )
