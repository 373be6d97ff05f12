"""How like a picture is to what it was prompted with, in content, in style and in words.

The first judge measures; the image adapter was taught with the second. It reads palettes where it
reads styles, so the style is read in grey.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from examples.experiments.bench.grey_style import load_grey_style
from examples.experiments.ip_adapter.references import Reference
from stickerforge.evaluation.statistics import bca_interval, wilson_interval
from stickerforge.models.judge.model import load_judge

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measures:
    """Of pictures, one for each reference.

    Args:
        likeness: cosine with the reference.
        fit: cosine with the words.
        style: whether it is drawn as the reference is, blind to its palette.
    """

    likeness: Floats
    fit: Floats
    style: Floats

    def row(self) -> list[str]:
        """Means with their 95 % intervals, for a table."""
        cells = [mean_cell(self.likeness), mean_cell(self.fit)]
        passed, count = int(self.style.sum()), len(self.style)
        low, high = wilson_interval(passed, count)
        return [*cells, f"{passed}/{count} ({low:.0%}–{high:.0%})"]


def measure(
    pictures: Sequence[Image.Image], references: Sequence[Reference], words: Sequence[str]
) -> Measures:
    """Measure pictures.

    Args:
        words: what each is compared with.
    """
    judge, grey = load_judge("judge"), load_grey_style()
    drawn = judge.encode_image(judge.pictures(pictures)).double().numpy()
    seen = judge.encode_image(judge.pictures([each.picture for each in references]))
    texts = judge.encode_text(words).double().numpy()
    styles = grey.read(pictures)
    return Measures(
        (drawn * seen.double().numpy()).sum(1),
        (drawn * texts).sum(1),
        np.array([style == each.style for style, each in zip(styles, references, strict=True)]),
    )


def mean_cell(values: Floats) -> str:
    """A mean with its interval."""
    low, high = bca_interval(values) or (float(values.mean()),) * 2
    return f"{values.mean():.3f} ({low:.3f}–{high:.3f})"


def difference(one: Floats, other: Floats) -> str:
    """The mean of a paired difference with its interval."""
    differences = one.astype(float) - other
    low, high = bca_interval(differences) or (float(differences.mean()),) * 2
    return f"{differences.mean():+.3f} ({low:+.3f} to {high:+.3f})"
