"""Weakly aligned pictures of the domain: stickers of four other styles, with captions like tags.

python -m examples.experiments.style_tailoring.domain FOLDER [--count 500]

As pictures of the web have them, captions are the data's keywords: some of those of everything in
the picture, in any order, without number, colour or style, and one in ten is another picture's. A
filter by the second judge takes the worst out, as one of those of `--stage domain` does.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image

from examples.experiments.longalign.scenes import is_evaluation_scene
from examples.experiments.style_tailoring.tables import write_table
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.sprites import to_image
from stickerforge.models.encoders import load_encoder

FIRST = 2_000_000  # scene of StickerWorld, behind all that sticker-mini 3 was shown
COUNT = 500
WRONG = 0.1  # share of captions that are another picture's
REMOVED = 0.2  # share that the filter takes out
SEED = 71


@dataclass(frozen=True)
class TaggedPicture:
    """A picture with words somebody gave it."""

    image: Image.Image
    text: str


def tagged_pictures() -> Iterator[TaggedPicture]:
    """Without end."""
    scenes = training_world_3()
    for index in count(FIRST):
        picture, truth = scenes[index]
        if truth.ground.kind == "transparent" and not is_evaluation_scene(truth):
            yield TaggedPicture(
                to_image(picture), tags(truth, np.random.default_rng((SEED, index)))
            )


def tags(truth: Truth, rng: np.random.Generator) -> str:
    """Two to five names and keywords of what is in a scene, in any order."""
    words = [
        word
        for thing in truth.things
        for word in (
            thing.subject.name,
            *thing.subject.keywords,
            *([thing.wears] * bool(thing.wears)),
        )
    ]
    names = [thing.subject.name for thing in truth.things]
    chosen = list(rng.choice(words, min(len(words), int(rng.integers(1, 4))), replace=False))
    kept = list(
        dict.fromkeys([*names, *map(str, chosen)] if rng.random() < 0.8 else map(str, chosen))
    )
    return ", ".join(str(kept[number]) for number in rng.permutation(len(kept)))


def exchange(pictures: Sequence[TaggedPicture], rng: np.random.Generator) -> list[TaggedPicture]:
    """The same with some captions exchanged in a circle."""
    wrong = rng.permutation(len(pictures))[: round(WRONG * len(pictures))]
    result = list(pictures)
    for number, other in zip(wrong, np.roll(wrong, 1), strict=True):
        result[number] = TaggedPicture(pictures[number].image, pictures[other].text)
    return result


def best_aligned(pictures: Sequence[TaggedPicture]) -> list[TaggedPicture]:
    """Those that fit their captions best by the second judge, in their order."""
    encoder = load_encoder("second")
    images = encoder.images([picture.image for picture in pictures], (255, 255, 255))
    texts = encoder.texts([picture.text for picture in pictures])
    scores = (images * texts).sum(1)
    limit = np.quantile(scores, REMOVED)
    return [picture for picture, score in zip(pictures, scores, strict=True) if score >= limit]


def noisy_pictures(number: int = COUNT) -> list[TaggedPicture]:
    """Before the filter."""
    return exchange(list(islice(tagged_pictures(), number)), np.random.default_rng(SEED))


def write_domain(folder: Path) -> Path:
    """The table of the pictures that training is to see."""
    kept = best_aligned(noisy_pictures())
    return write_table(folder, "metadata.jsonl", [(each.image, each.text) for each in kept])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    args = parser.parse_args()
    found = [(each.image, each.text) for each in noisy_pictures(args.count)]
    write_table(args.folder, "metadata.jsonl", found)
