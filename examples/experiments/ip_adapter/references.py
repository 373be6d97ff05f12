"""Drawings that sticker-mini and its image adapter never saw, to prompt with."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from examples.recipes.mini.art import load_subjects, withheld_names
from examples.recipes.mini.backgrounds import Ground
from examples.recipes.mini.scene import Thing, Truth, is_withheld
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.world import World

CLEAR = Ground("transparent")
SEED = 29


@dataclass(frozen=True)
class Reference:
    """A drawing.

    Args:
        name: of what it shows.
        other: the name of another thing, that a prompt may ask for instead.
        withheld: whether the thing itself was withheld in every style, and not only in this one.
    """

    name: str
    style: str
    other: str
    withheld: bool
    picture: Image.Image


def references(count: int) -> list[Reference]:
    """Drawings in all styles alike: of known things in a style that was withheld from the model,
    and of things that were withheld altogether, half of each.
    """
    subjects, sprites = load_subjects(3)
    world = World(subjects, sprites)
    hidden, rng = withheld_names(3), np.random.default_rng(SEED)
    asked = [subject for subject in subjects if subject.kind and subject.name not in hidden]
    found: list[Reference] = []
    for altogether in (False, True):
        pairs = [
            (subject, style)
            for style in STYLES
            for subject in subjects
            if (subject.name in hidden) == altogether
            and (altogether or subject.kind)
            and (altogether or is_withheld("generator3", subject.codepoints, style))
        ]
        order = [pairs[place] for place in rng.permutation(len(pairs))]
        for style in STYLES:
            for subject, _ in [pair for pair in order if pair[1] == style][: count // 8]:
                drawn = world.draw(Truth(style, (Thing(subject),), "", CLEAR))[0]
                other = asked[rng.integers(len(asked))].name
                found.append(Reference(subject.name, style, other, altogether, to_image(drawn)))
    return found
