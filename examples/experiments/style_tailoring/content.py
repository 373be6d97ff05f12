"""Candidates for the content set: drawn by the domain model, passed by simulated raters.

python -m examples.experiments.style_tailoring.content FILE.txt [--count 72]     the prompts alone

Four families: what somebody wears or holds, pairs, numbers, and single things, all in words that
sticker-mini knows (it has no word for the mood of an animal). None is a prompt of the evaluation.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from examples.experiments.longalign.pictures import Wish
from examples.experiments.style_tailoring.house import evaluation_prompts
from examples.experiments.style_tailoring.pictures import draw_wishes
from examples.experiments.style_tailoring.raters import shows_claims, simulated_votes
from examples.experiments.style_tailoring.tables import write_table
from stickerforge.data.english import with_article

PROMPTS, CANDIDATES = 48, 4  # the former without single things
SEED = 73
ANIMALS = (
    "cat dog bear fox panda lion tiger rabbit koala monkey pig frog penguin owl mouse wolf cow"
    " hamster"
).split()
WORN = (
    "wearing a crown;wearing sunglasses;wearing glasses;wearing a top hat;wearing a graduation cap;"
    "holding a balloon;holding a rose;holding an umbrella;holding a banana"
).split(";")
OBJECTS = (
    "bus;rocket;house;cactus;pizza;hamburger;strawberry;banana;carrot;mushroom;sunflower;"
    "guitar;drum;balloon;umbrella;snail;crab;butterfly;turtle;cat;dog;fox;ghost;robot"
).split(";")
SINGLE = (
    "turtle;hamburger;butterfly;crab;cactus;bus;drum;banana;carrot;sunflower;wolf;lion;koala;"
    "monkey;pig;frog;tiger;cow;hamster;robot;ghost;airplane;trophy;elephant"
).split(";")
RELATIONS = ("and", "next to", "above", "behind", "in front of")
COUNTED = (
    "cats;dogs;owls;penguins;rockets;mushrooms;strawberries;bananas;balloons;crabs;"
    "snails;turtles;pizzas;foxes"
).split(";")


@dataclass(frozen=True)
class Bank:
    """Prompts of one family."""

    family: str
    prompts: list[str]


def banks() -> list[Bank]:
    """All prompts of each family, without those of the evaluation."""
    asked = set(evaluation_prompts())
    worn = [f"{with_article(animal)} {what}" for animal, what in product(ANIMALS, WORN)]
    pairs = [
        f"{with_article(first)} {relation} {with_article(second)}"
        for first, relation, second in product(OBJECTS, RELATIONS, OBJECTS)
        if first != second
    ]
    numbers = [f"{number} {name}" for number in ("two", "three", "four") for name in COUNTED]
    families = {"worn": worn, "pair": pairs, "number": numbers}
    return [
        Bank(name, [prompt for prompt in prompts if prompt not in asked])
        for name, prompts in families.items()
    ]


def content_prompts(count: int = PROMPTS) -> list[str]:
    """Prompts of all families in turn, chosen at random, and then single things."""
    rng = np.random.default_rng(SEED)
    shuffled = [[each.prompts[i] for i in rng.permutation(len(each.prompts))] for each in banks()]
    return [prompt for turn in zip(*shuffled, strict=False) for prompt in turn][:count] + [
        with_article(name) for name in SINGLE
    ]


def draw_content(adapter: str, out: Path, folders: Sequence[Path]) -> tuple[int, int]:
    """(pictures that passed, candidates); the passed ones are written as sets.

    Args:
        adapter: of the domain stage.
        out: where candidates are kept.
        folders: of the content set of each tailored model.
    """
    wishes = [
        Wish(f"{number:03d}-{seed}.png", prompt, CANDIDATES * number + seed)
        for number, prompt in enumerate(content_prompts())
        for seed in range(CANDIDATES)
    ]
    draw_wishes(adapter, [wish for wish in wishes if not (out / wish.id).exists()], out)
    images = [Image.open(out / wish.id).convert("RGBA") for wish in wishes]
    votes = simulated_votes(shows_claims(images, [wish.prompt for wish in wishes]))
    passed = votes.sum(1) * 2 > votes.shape[1]
    kept = [
        (image, wish.prompt)
        for image, wish, good in zip(images, wishes, passed, strict=True)
        if good
    ]
    for folder in folders:
        write_table(folder, "content.jsonl", kept)
    return len(kept), len(wishes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=PROMPTS + len(SINGLE))
    args = parser.parse_args()
    chosen = content_prompts()
    kept = [chosen[number * len(chosen) // args.count] for number in range(args.count)]
    args.file.write_text("".join(f"{prompt}\n" for prompt in kept))
