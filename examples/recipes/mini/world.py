"""StickerWorld: scenes together with the exact truth about them.

python -m examples.recipes.mini.world [--count 48] [--part all|generator|judge]     runs/world.png

A scene is a function of (seed, index): what is in it (one to five things, their colours, sizes,
places, what they wear or hold, how they stand to each other), its style and its ground.
`World.truth` decides, `World.draw` draws and notes where everything came to lie, `captions.py`
words it. What a part of the project may not see is withheld by rule: see `scene.is_withheld`.
"""

import argparse
import textwrap
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from examples.recipes.mini.art import Subject, load_subjects, withheld_names
from examples.recipes.mini.backgrounds import ground_canvas, random_ground
from examples.recipes.mini.captions import caption
from examples.recipes.mini.scene import (
    RELATIONS,
    SIZES,
    Part,
    Thing,
    Truth,
    combinations,
    is_withheld,
    placements,
)
from examples.recipes.mini.settings import PIXELS, RUNS, SEED, STYLES
from examples.recipes.mini.sprites import (
    bounding_box,
    dress,
    dress_as_astronaut,
    has_hue,
    hue_share,
    paste,
    recolour,
    resize,
    to_image,
)
from examples.recipes.mini.vocabulary import CONTAINERS, EYEWEAR, HATS, HEADS, HELD, HOLDERS, HUES

SHARES = {
    "one": 0.34,
    "placed": 0.12,
    "counted": 0.14,
    "pair": 0.22,
    "dressed": 0.10,
    "suited": 0.08,
}
MIN_VISIBLE = 0.6  # share of every thing that must stay visible


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
            if truth is None or self.shows_withheld(truth):
                continue
            picture, drawn_truth, visible_share = self.draw(truth)
            if visible_share >= MIN_VISIBLE:
                return picture, drawn_truth
        raise RuntimeError(f"scene {index}: nothing that may be shown in a hundred attempts")

    def shows_withheld(self, truth: Truth) -> bool:
        """Whether a scene shows what its part of the project may not see."""
        return any(is_withheld(self.part, *names) for names in combinations(truth))

    def truth(self, rng: np.random.Generator) -> Truth | None:
        """What a scene is to show; None where the subjects at hand do not allow it."""
        style = str(rng.choice(STYLES))
        kind = list(self.shares)[rng.choice(len(self.shares), p=list(self.shares.values()))]
        content: tuple[tuple[Thing, ...], str] | None = getattr(self, kind)(rng)
        if content is None:
            return None
        things, relation = content
        return Truth(style, things, relation, random_ground(rng, self.clear))

    def random_thing(self, rng: np.random.Generator) -> Thing:
        """A subject, one time in seven in another colour."""
        subject = self.subjects[rng.integers(len(self.subjects))]
        colour = str(rng.choice(list(HUES))) if rng.random() < 1 / 7 else ""
        return Thing(
            subject, colour=colour if colour and self.can_recolour(subject, colour) else ""
        )

    def can_recolour(self, subject: Subject, colour: str) -> bool:
        """Whether turning every hue shows.

        Greys stay grey, and what has this hue already would not change.
        """
        return all(
            hue_share(sprite) > 0.5 and not has_hue(sprite, HUES[colour])
            for sprite in np.asarray(self.sprites[subject.index])
        )

    def random_named(self, rng: np.random.Generator, names: tuple[str, ...]) -> Thing | None:
        """One of some subjects, if it may appear here."""
        known = [name for name in names if name in self.by_name]
        return Thing(self.by_name[str(rng.choice(known))]) if known else None

    def one(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """A single subject, large."""
        return (self.random_thing(rng),), ""

    def placed(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """A single subject, smaller and somewhere."""
        size = str(rng.choice(("small", "medium")))
        reach = (1 - SIZES[size]) / 2
        x, y = (0.5 + reach * float(rng.choice((-0.9, 0, 0.9))) for _ in range(2))
        return (replace(self.random_thing(rng), size=size, x=x, y=y),), ""

    def counted(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str]:
        """Two to five of a kind."""
        return (replace(self.random_thing(rng), count=int(rng.integers(2, 6)), size="medium"),), ""

    def pair(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str] | None:
        """Two subjects that stand to each other somehow."""
        relation = str(rng.choice(RELATIONS))
        first: Thing | None = self.random_thing(rng)
        second: Thing | None = self.random_thing(rng)
        if relation == "inside":
            second = self.random_named(rng, CONTAINERS)
        if relation == "holding":
            first, second = self.random_named(rng, HOLDERS), self.random_named(rng, HELD)
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
        wearer = self.random_named(rng, HEADS if rng.random() < 0.7 else faces)
        worn = self.random_named(rng, HATS if rng.random() < 0.6 else EYEWEAR)
        return (
            None
            if wearer is None or worn is None
            else ((replace(wearer, wears=worn.subject.name),), "")
        )

    def suited(self, rng: np.random.Generator) -> tuple[tuple[Thing, ...], str] | None:
        """An animal as an astronaut."""
        animal = self.random_named(rng, HEADS)
        return (
            None
            if animal is None or "astronaut" not in self.by_name
            else ((replace(animal, wears="space suit"),), "")
        )

    def sprite(self, name: str, style: str) -> np.ndarray:
        """Premultiplied uint8 (SPRITE_PIXELS, SPRITE_PIXELS, 4)."""
        return np.asarray(self.sprites[self.by_name[name].index, STYLES.index(style)])

    def draw_thing(self, thing: Thing, style: str) -> np.ndarray:
        """A thing by itself, coloured and dressed."""
        sprite = np.asarray(self.sprites[thing.subject.index, STYLES.index(style)])
        if thing.mirrored:
            sprite = sprite[:, ::-1]
        if thing.colour:
            sprite = recolour(sprite, HUES[thing.colour])
        if thing.wears == "space suit":
            return dress_as_astronaut(sprite, self.sprite("astronaut", style), style)
        return (
            dress(sprite, self.sprite(thing.wears, style), hat=thing.wears in HATS)
            if thing.wears
            else sprite
        )

    def draw(self, truth: Truth) -> tuple[np.ndarray, Truth, float]:
        """(the picture, the truth with boxes, the least visible share of any thing)."""
        pieces = [
            (sprite, *place)
            for thing in truth.things
            for sprite in [self.draw_thing(thing, truth.style)]
            for place in placements(thing)
        ]
        on_top_last = list(range(len(pieces)))
        if truth.relation in ("in front of", "above"):
            on_top_last.reverse()
        layer = np.zeros((PIXELS, PIXELS, 4), np.uint8)
        owner = np.full((PIXELS, PIXELS), -1)
        boxes, areas = [(0.0, 0.0, 0.0, 0.0)] * len(pieces), [1] * len(pieces)
        for number in on_top_last:
            sprite, scale, x, y = pieces[number]
            alone = np.zeros_like(layer)
            piece = resize(sprite, max(8, round(PIXELS * scale)))
            paste(alone, piece, PIXELS * x, PIXELS * y)
            shape = alone[..., 3] > 96
            left, top, right, bottom = bounding_box(alone)
            boxes[number] = (left / PIXELS, top / PIXELS, right / PIXELS, bottom / PIXELS)
            # What lies beyond the border counts as hidden.
            areas[number] = max(1, int((piece[..., 3] > 96).sum()))
            owner[shape] = number
            paste(layer, piece, PIXELS * x, PIXELS * y)
        visible_share = min(
            float((owner == number).sum()) / areas[number] for number in range(len(pieces))
        )
        # These hide something by nature.
        inside = truth.relation in ("inside", "behind", "holding", "in front of")
        ground = ground_canvas(truth.ground)
        paste(ground, layer, PIXELS / 2, PIXELS / 2)
        return ground, replace(truth, boxes=tuple(boxes)), visible_share + (0.25 if inside else 0.0)


def make_world(
    part: Part = "all",
    *,
    learned_only: bool = False,
    seed: int = SEED,
    shares: Mapping[str, float] = SHARES,
    clear: float = 0.5,
) -> World:
    """The world over all subjects that a part may see.

    All of them, but for the generator, which is to be taught the held-out ones.
    """
    subjects, sprites = load_subjects()
    withheld = withheld_names() if part == "generator" else set()
    visible = [s for s in subjects if s.name not in withheld and (s.kind or not learned_only)]
    return World(visible, sprites, part=part, seed=seed, shares=shares, clear=clear)


def world_sheet(scenes: World, count: int, columns: int = 6) -> Image.Image:
    """The first scenes with their comprehensive captions."""

    page = Image.new("RGB", (columns * 200, -(-count // columns) * 196), (206, 206, 206))
    pen = ImageDraw.Draw(page)
    for index in range(count):
        rgba, truth = scenes[index]
        x, y = index % columns * 200 + 36, index // columns * 196
        picture = to_image(rgba)
        page.paste(picture, (x, y), picture)
        text = caption(truth, "comprehensive", np.random.default_rng(index))
        lines = textwrap.wrap(text, 38)
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
    shown = make_world(args.part, learned_only=True)
    world_sheet(shown, args.count).save(RUNS / "world.png")
    started = time.monotonic()
    for number in range(300):
        _ = shown[number]
    print(
        RUNS / "world.png", f"{300 / (time.monotonic() - started):.0f} scenes a second on one core"
    )
