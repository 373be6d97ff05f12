"""Pictures with captions and another picture each, to draw like it: for an image adapter.

python -m examples.recipes.mini.image_pairs FOLDER [--count 3000]     FOLDER/metadata.jsonl, and
                                                                      FOLDER/sheet.png to look at

The other picture shows the same thing: mirrored or not, of another size, somewhere else, on another
ground, and in the same style or in another one, which the caption then names; captions of it often
say no more than its kind, so that the other picture is needed. Or it shows another thing in the
same style, which the caption then does not name. What has no full caption has a clear ground.
The scenes are behind those that sticker-mini 3 has seen; what is withheld from it stays so in both.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from examples.recipes.mini.backgrounds import Ground, random_ground
from examples.recipes.mini.caption_sampler import make_caption_sampler
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.scene import SIZES, Truth
from examples.recipes.mini.settings import STYLES
from examples.recipes.mini.sprites import to_image
from examples.recipes.mini.world import MIN_VISIBLE, World
from stickerforge.stickers.sheet import contact_sheet

SEED = 61
FIRST = 2_000_000  # behind the scenes of the recipe's shards and of the other experiments
CLEAR = 0.75
Kind = Literal["told", "vague", "restyled", "style"]
SHARES: dict[Kind, float] = {"told": 0.15, "vague": 0.35, "restyled": 0.2, "style": 0.3}
TRIES = 20  # for a caption that does not name the style
VAGUE = {
    "animal": "an animal",
    "food": "food",
    "plant": "a plant",
    "transport": "a vehicle",
    "person": "a person",
    "face": "a face",
}
ANYTHING = "a sticker"
CLEAR_GROUND = Ground("transparent")
Tell = Callable[[Truth, np.random.Generator], str]
SHEET_COLUMNS = 8


@dataclass(frozen=True)
class ImagePair:
    """A picture to learn, and the one that it is to be drawn like.

    Args:
        kind: whether the caption names what both show, says only its kind, its kind and a style
            that the other picture does not have, or the other picture shows something else in the
            same style.
    """

    kind: Kind
    picture: np.ndarray
    condition: np.ndarray
    caption: str


def vague_caption(truth: Truth) -> str:
    """What a scene shows, by its kind alone."""
    return VAGUE.get(truth.things[0].subject.kind, ANYTHING)


def other_drawing(truth: Truth, rng: np.random.Generator) -> Truth:
    """The same things in the same style, drawn another way."""
    ground = random_ground(rng, CLEAR)
    if len(truth.things) > 1:
        return replace(truth, ground=ground)
    thing = truth.things[0]
    size = str(rng.choice(("medium", "large")))
    reach = (1 - SIZES[size]) / 2
    x, y = (0.5 + reach * rng.uniform(-0.9, 0.9, 2)).tolist()
    moved = replace(thing, mirrored=bool(rng.random() < 0.5), size=size, x=x, y=y)
    return replace(truth, things=(moved,), ground=ground)


def other_thing(scenes: World, truth: Truth, rng: np.random.Generator) -> Truth:
    """Some other thing in the style of a scene."""
    thing = scenes.random_thing(rng)
    return Truth(truth.style, (thing,), "", random_ground(rng, CLEAR))


def in_other_style(truth: Truth, rng: np.random.Generator) -> Truth:
    """A scene in another style."""
    others = [style for style in STYLES if style != truth.style]
    return replace(truth, style=str(rng.choice(others)))


def draw_scene(scenes: World, truth: Truth) -> np.ndarray | None:
    """The picture of a scene; None where it may not be shown, or hides too much."""
    if scenes.shows_withheld(truth):
        return None
    picture, _, visible_share = scenes.draw(truth)
    return picture if visible_share >= MIN_VISIBLE else None


def caption_of(kind: Kind, truth: Truth, tell: Tell, rng: np.random.Generator) -> str:
    """The caption of a scene in a pair of a kind; "" where none is found."""
    if kind == "vague":
        return vague_caption(truth)
    if kind == "restyled":
        return f"{vague_caption(truth)} in {truth.style} style"
    if kind == "told":
        return tell(truth, rng).strip()
    captions = (tell(truth, rng).strip() for _ in range(TRIES))
    return next((text for text in captions if truth.style not in text.lower()), "")


def image_pairs() -> Iterator[ImagePair]:
    """Pairs without end, always the same."""
    scenes = training_world_3(everything=True)
    tell, kinds = make_caption_sampler(scenes), list(SHARES)
    for index in count(FIRST):
        rng = np.random.default_rng((SEED, index))
        picture, truth = scenes[index]
        kind = kinds[rng.choice(len(kinds), p=list(SHARES.values()))]
        other = other_thing(scenes, truth, rng) if kind == "style" else other_drawing(truth, rng)
        if kind == "restyled":
            other = in_other_style(other, rng)
        seen: np.ndarray | None = picture
        if kind in ("vague", "restyled"):  # who gives a picture wants a sticker like it
            seen = draw_scene(scenes, replace(truth, ground=CLEAR_GROUND, boxes=()))
        condition = draw_scene(scenes, other)
        caption = caption_of(kind, truth, tell, rng)
        if seen is None or condition is None or not caption:
            continue
        if not np.array_equal(seen, condition):  # the same picture twice would teach copying
            yield ImagePair(kind, seen, condition, caption)


def write_pairs(folder: Path, number: int) -> None:
    """The pictures and their table, and a sheet of the first ones."""
    rows, shown, captions = [], list[Image.Image](), list[str]()
    (folder / "conditions").mkdir(parents=True, exist_ok=True)
    for index, pair in enumerate(islice(image_pairs(), number)):
        name = f"{index:05d}.png"
        pictures = to_image(pair.picture), to_image(pair.condition)
        pictures[0].save(folder / name)
        pictures[1].save(folder / "conditions" / name)
        row = {"file_name": name, "text": pair.caption, "condition": f"conditions/{name}"}
        rows.append(json.dumps(row, ensure_ascii=False))
        if index < 4 * SHEET_COLUMNS:
            shown += pictures
            captions += [pair.caption, f"like this ({pair.kind})"]
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    contact_sheet(shown, captions, columns=SHEET_COLUMNS, cell_px=128).save(folder / "sheet.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=3000)
    args = parser.parse_args()
    write_pairs(args.folder, args.count)
