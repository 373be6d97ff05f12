"""Pictures before and after a training on the best ones, side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stickerforge.data.pictures import load_picture
from stickerforge.runtime.files import write_whole
from stickerforge.stickers.image_files import encode_image
from stickerforge.stickers.sheet import contact_sheet
from stickerforge.training.reward_guard import Change
from stickerforge.training.scored_pictures import ScoredSet
from stickerforge.version import __version__

SHOWN = 12  # prompts of a sheet


def first_pictures(pictures: ScoredSet) -> list[tuple[str, int]]:
    """Prompt and seed of the first picture of each of some prompts."""
    first = {row.prompt: row.seed for row in reversed(pictures.rows)}
    return sorted(first.items())[:SHOWN]


def write_sheet(
    path: Path,
    before: ScoredSet,
    after: ScoredSet,
    keys: Sequence[tuple[str, int]],
    change: Change,
) -> None:
    """Write pictures before and after, side by side, two pairs a row."""
    there = {(row.prompt, row.seed) for row in before.rows}
    there &= {(row.prompt, row.seed) for row in after.rows}
    pictures, captions = list[Image.Image](), list[str]()
    for prompt, seed in keys:
        if (prompt, seed) in there:
            for name, drawn in (("before", before), ("after", after)):
                file = drawn.path(prompt, seed)
                pictures.append(Image.fromarray(load_picture(file)[1].rgba))
                captions.append(f"{name}: {prompt}")
    if pictures:
        page = contact_sheet(pictures, captions, columns=min(4, len(pictures)))
        params = {"change": round(change.mean, 6)}
        content = encode_image(np.asarray(page), params, f"stickerforge {__version__}", "png")
        write_whole(path, content)
