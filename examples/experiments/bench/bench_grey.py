"""Style by a classifier of grey pictures, and whether pictures are as they were drawn at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_items import Item
from examples.experiments.bench.bench_scores import other_rows
from examples.experiments.bench.grey_style import GreyStyle
from stickerforge.stickers.image_files import read_params

Scores = dict[str, float]


def grey_scores(
    items: Sequence[Item], pictures: Sequence[Image.Image], classifier: GreyStyle
) -> tuple[Scores, float | None]:
    """({id: whether its style is read in grey}, the share of pictures of other prompts)."""
    styles = classifier.read(pictures)
    scores = {
        item.id: float(style == item.truth.style) for item, style in zip(items, styles, strict=True)
    }
    others = [
        styles[row] == item.truth.style
        for rows in other_rows([item.group for item in items])
        for item, row in zip(items, rows, strict=True)
    ]
    return scores, float(np.mean(others)) if others else None


def is_finished(folder: Path) -> bool:
    """Whether some picture of a folder remembers that its colours were made flat."""
    params = (read_params(path) or {} for path in sorted(folder.glob("*.png")))
    return any(each.get("output", {}).get("flat") for each in params)
