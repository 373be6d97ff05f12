"""What a scene of StickerWorld contains, and which combinations are withheld."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Literal

from examples.recipes.mini.art import Subject
from examples.recipes.mini.backgrounds import Ground

# "generator3" is sticker-mini from version 3 on.
Part = Literal["all", "generator", "generator3", "judge"]
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
SIZES = {"small": 0.36, "medium": 0.55, "large": 0.86}


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
        boxes: left, top, right, bottom of every drawn thing on a unit square, in the order of
            `things`, each as often as it is counted; empty until drawn.
    """

    style: str
    things: tuple[Thing, ...]
    relation: str
    ground: Ground
    boxes: tuple[tuple[float, float, float, float], ...] = ()


@cache
def stable_hash(text: str) -> int:
    """A number that a text decides and nothing else."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def is_withheld(part: Part, *names: str) -> bool:
    """Whether a part of the project may not see a combination.

    One in sixteen is kept from the generator, others from version 3, one in five from the judge,
    each by its own hash.

    Args:
        names: of the combination, as `combinations` lists them.
    """
    if part == "all":
        return False
    if part == "generator3":
        return stable_hash("|".join(("3", *names))) % 16 == 0
    number = stable_hash("|".join(names))
    return number % 16 == 0 if part == "generator" else number % 5 == 1


def combinations(truth: Truth) -> list[tuple[str, ...]]:
    """The combinations in a scene that may be withheld.

    (code points, style), (code points, colour or what is worn), (code points of two subjects).
    """
    results: list[tuple[str, ...]] = [
        (thing.subject.codepoints, truth.style) for thing in truth.things
    ]
    for thing in truth.things:
        results += [
            (thing.subject.codepoints, extra) for extra in (thing.colour, thing.wears) if extra
        ]
    if len(truth.things) > 1:
        results.append(tuple(sorted(thing.subject.codepoints for thing in truth.things)))
    return results


def placements(thing: Thing) -> list[tuple[float, float, float]]:
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
