"""What sticker-mini 2 learns from: StickerWorld without what is withheld, in five captions each.

python -m examples.recipes.mini.dataset     runs/dataset.png: samples with all their captions
"""

import numpy as np
from PIL import Image, ImageDraw

from examples.recipes.mini.backgrounds import ground_phrase
from examples.recipes.mini.captions import article, caption, coloured_name, noun_phrase
from examples.recipes.mini.scene import Truth
from examples.recipes.mini.settings import RUNS
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.vocabulary import short_name
from examples.recipes.mini.world import World, make_world

SEED = 21  # other scenes than any judge has seen
# Single subjects are what most prompts ask for, and what everything else is made of.
SHARES = {
    "one": 0.50,
    "placed": 0.05,
    "counted": 0.10,
    "pair": 0.15,
    "dressed": 0.10,
    "suited": 0.10,
}
CLEAR = 0.75  # share of scenes without a ground
COMPREHENSIVE = 3  # the fullest of the short ways
VARIANT_WEIGHTS = (0.25, 0.2, 0.2, 0.25, 0.1)  # how often each variant is taken
CAPTION_DROPOUT = 0.1


def training_world() -> World:
    """The scenes."""
    return make_world("generator", learned_only=True, seed=SEED, shares=SHARES, clear=CLEAR)


def caption_variants(truth: Truth, rng: np.random.Generator) -> list[str]:
    """Five captions of a scene, in the order of VARIANT_WEIGHTS.

    As people type, with an article, plainly, comprehensively, and at length. A single subject at
    its usual size has its keywords in the last one instead: they are how synonyms are learned. A
    ground is always named, or the model would learn to add one unasked.
    """
    first = truth.things[0]
    style, ground = (
        f"in {truth.style} style" if rng.random() < 0.8 else "",
        ground_phrase(truth.ground),
    )
    usual = (
        len(truth.things) == 1
        and first.count == 1
        and first.size == "large"
        and not first.wears
        and not first.colour
    )
    named = (
        noun_phrase(first)
        if len(truth.things) == 1
        else caption(truth, "plain", rng).rsplit(",", 1)[0]
    )
    if first.wears == "space suit" and rng.random() < 0.5:
        named = article(f"{coloured_name(first, True)} astronaut")
    last = caption(truth, "long", rng)
    if usual and first.subject.keywords:
        words = rng.choice(
            first.subject.keywords,
            min(int(rng.integers(1, 4)), len(first.subject.keywords)),
            replace=False,
        )
        last = join_phrases(
            [
                first.subject.name if rng.random() < 0.5 else short_name(first.subject.name),
                *words,
                style,
                ground,
            ],
            rng,
        )
    return [
        join_phrases([caption(truth, "terse", rng), style, ground], rng),
        join_phrases([named, style, ground], rng),
        join_phrases([caption(truth, "plain", rng), ground], rng),
        caption(truth, "comprehensive", rng),
        last,
    ]


def join_phrases(parts: list[str], rng: np.random.Generator) -> str:
    """The parts that are not empty, with commas between them; before a style sometimes without."""
    known = [str(part) for part in parts if part]
    together = rng.random() < 0.4
    return "".join(
        part if not i else f" {part}" if together and part.startswith("in ") else f", {part}"
        for i, part in enumerate(known)
    )


def dataset_sheet(scenes: World, count: int = 24, columns: int = 3) -> Image.Image:
    """The first scenes with all their captions."""
    page = Image.new("RGB", (columns * 560, -(-count // columns) * 136), (206, 206, 206))
    pen = ImageDraw.Draw(page)
    for index in range(count):
        rgba, truth = scenes[index]
        x, y = index % columns * 560, index // columns * 136
        picture = to_image(rgba)
        page.paste(picture, (x + 4, y + 4), picture)
        lines = caption_variants(truth, np.random.default_rng((SEED, index, 1)))
        pen.text(
            (x + 140, y + 8),
            "\n".join(line[:74] for line in lines),
            fill=(0, 0, 0),
            font_size=11,
            spacing=8,
        )
    return page


if __name__ == "__main__":
    RUNS.mkdir(exist_ok=True)
    dataset_sheet(training_world()).save(RUNS / "dataset.png")
    print(RUNS / "dataset.png")
