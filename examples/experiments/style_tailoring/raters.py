"""Simulated raters: they go by the second judge, and err.

python -m examples.experiments.style_tailoring.raters SET     writes SET/simulated.jsonl, which
                                                              `stickerforge rate --ratings` takes in

What picks is not what scores: results are measured by the first judge.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stickerforge.evaluation.metrics.prompt_claims import check_claims, parse_claims, vocabulary
from stickerforge.models.encoders import load_encoder
from stickerforge.rating.rating_set import read_set
from stickerforge.rating.ratings import Rating, now, write_ratings

RATERS = 3
FLIPS = 0.1  # the chance that an answer is the wrong one
SEED = 73
WHITE = (255, 255, 255)


def shows_claims(images: Sequence[Image.Image], prompts: Sequence[str]) -> list[bool]:
    """Whether the second judge sees all that each prompt claims; what claims nothing fails."""
    encoder = load_encoder("second")
    judge = encoder.judge
    assert judge is not None
    names = vocabulary(judge.label_of)
    _, readings = encoder.examine(images, WHITE)
    checks = [
        check_claims(reading, parse_claims(text, names, judge.colours, judge.styles), judge)
        for reading, text in zip(readings, prompts, strict=True)
    ]
    return [bool(each) and all(each) for each in checks]


def simulated_votes(
    truths: Sequence[bool], *, raters: int = RATERS, flips: float = FLIPS, seed: int = SEED
) -> NDArray[np.bool_]:
    """What each rater answers, each erring on his own, (pictures, raters)."""
    wrong = np.random.default_rng(seed).random((len(truths), raters)) < flips
    votes: NDArray[np.bool_] = np.array(truths, bool)[:, None] ^ wrong
    return votes


def simulated_ratings(folder: Path) -> list[Rating]:
    """Every rater about every picture of a set that asks whether it shows its prompt."""
    candidates = read_set(folder).candidates
    images = [Image.open(folder / each.file_name).convert("RGBA") for each in candidates]
    votes = simulated_votes(shows_claims(images, [each.text for each in candidates]))
    return [
        Rating(candidate.file_name, "match", bool(vote), f"simulated {number}", now())
        for candidate, own in zip(candidates, votes, strict=True)
        for number, vote in enumerate(own, 1)
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path)
    place = parser.parse_args().set
    write_ratings(place / "simulated.jsonl", simulated_ratings(place))
