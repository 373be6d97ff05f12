"""Sentences around a wish that say nothing about the picture, as people write them."""

import re
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

Part = Literal["training", "evaluation"]

FILE = Path(__file__).resolve().with_name("remarks.txt")
EVALUATION_EVERY = 4  # of the sentences is kept from training captions
SLOTS = {
    "place": (
        "my laptop",
        "the lid of a box",
        "a lunch box",
        "my notebook",
        "a water bottle",
        "the back of my phone",
        "the fridge door",
        "my suitcase",
        "the door of my room",
        "our letter box",
        "a postcard",
        "the office door",
    ),
    "somebody": (
        "my sister",
        "my nephew",
        "a friend at work",
        "our teacher",
        "my grandmother",
        "the girl next door",
        "my cousin",
        "a colleague",
        "my uncle",
        "our neighbour",
        "my best friend",
        "the boy from upstairs",
    ),
    "occasion": (
        "the summer fair",
        "our class trip",
        "a birthday party",
        "the school play",
        "the office party",
        "our family reunion",
        "the book club",
        "a charity run",
        "the spring market",
        "our housewarming",
        "the youth camp",
        "the village fete",
    ),
}


@cache
def remark_templates(part: Part) -> tuple[str, ...]:
    """The sentences of a part with their open places; no sentence is in both."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    kept = EVALUATION_EVERY - 1
    return tuple(
        line
        for number, line in enumerate(lines)
        if (number % EVALUATION_EVERY == kept) == (part == "evaluation")
    )


def fill_template(template: str, rng: np.random.Generator) -> str:
    """A sentence with its open places filled; "{Somebody}" is written large."""

    def fill(place: re.Match[str]) -> str:
        name = place.group(1)
        words = SLOTS[name.lower()]
        phrase = words[int(rng.integers(len(words)))]
        return phrase if name.islower() else phrase[0].upper() + phrase[1:]

    return re.sub(r"{(\w+)}", fill, template)
