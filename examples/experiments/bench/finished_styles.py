"""How much of a style is the finishing: flat pictures as drawn, in flat colours, in a set's inks.

`generate` prints what is asked for in a style without shading in the inks of that set, and the
judge reads styles by their colours. So the same pictures are read thrice, and chance for finished
ones is what pictures of other prompts come to, finished for the style that is claimed.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_items import Item
from examples.experiments.bench.bench_scores import has_style, other_rows, read_pictures
from stickerforge.models.card import read_inks
from stickerforge.models.judge.model import Judge
from stickerforge.models.judge.network import Readings
from stickerforge.models.registry import EMBEDDED
from stickerforge.stickers.alpha import premultiply, unpremultiply
from stickerforge.stickers.flat_colors import flatten_and_upscale, palette_from_codes

AS_DRAWN, FLAT, INKED = FINISHES = ("as drawn", "flat colours", "the set's inks")
Scores = dict[str, float]


def set_inks() -> dict[str, tuple[str, ...]]:
    """The inks of each set that has no shading, as "rrggbb"."""
    return dict(read_inks(EMBEDDED["sticker-mini"] / "inks.json"))


def finish(picture: Image.Image, name: str, inks: Sequence[str]) -> Image.Image:
    """A drawn picture as it is, in flat colours, or in the inks, as `generate` finishes it."""
    if name == AS_DRAWN:
        return picture
    palette = palette_from_codes(inks if name == INKED else ())
    drawn = premultiply(np.asarray(picture.convert("RGBA")))
    return Image.fromarray(unpremultiply(flatten_and_upscale(drawn, max(picture.size), palette)))


def finished_scores(
    items: Sequence[Item], pictures: Sequence[Image.Image], judge: Judge
) -> tuple[dict[str, Scores], dict[str, float]]:
    """({finish: {id: whether its style is read}}, {finish: chance}), without shaded styles."""
    inks = set_inks()
    flat = [row for row, item in enumerate(items) if item.truth.style in inks]
    items, pictures = [items[row] for row in flat], [pictures[row] for row in flat]
    scores: dict[str, Scores] = {}
    chances: dict[str, float] = {}
    for name in FINISHES if items else ():
        # Every picture in the inks of every set: others are printed in those that are claimed.
        read = {
            style: read_pictures([finish(each, name, codes) for each in pictures], judge)
            for style, codes in (inks if name == INKED else {"": ()}).items()
        }
        own = [read.get(item.truth.style, read.get("")) for item in items]
        scores[name] = {
            item.id: float(has_style(item, own[row], row, judge)) for row, item in enumerate(items)
        }
        others = [
            has_style(item, reads, row, judge)
            for rows in other_rows([item.group for item in items])
            for item, reads, row in zip(items, own, rows, strict=True)
        ]
        chances |= {name: float(np.mean(others))} if others else {}
    return scores, chances


def style_scores(items: Sequence[Item], read: Readings, judge: Judge) -> Scores:
    """{id: whether the judge reads the style}."""
    return {item.id: float(has_style(item, read, row, judge)) for row, item in enumerate(items)}
