"""Sets of small pictures."""

import numpy as np
from PIL import Image

from stickerforge.rating.json_lines import read_rows
from stickerforge.rating.rating_set import (
    REMOVED,
    Candidate,
    Removal,
    SetInfo,
    write_candidates,
    write_info,
)
from stickerforge.rating.ratings import Rating

PROMPTS = ("a happy cat", "a dog and a ball", "an owl that reads")


def write_set(folder, count=6, question="match", guideline="", side=40):
    """A set of discs in many colours; three prompts, two models."""
    (folder / "pictures").mkdir(parents=True)
    candidates = [
        Candidate(
            f"pictures/{number:06}.png",
            PROMPTS[number % 3],
            prompt=f"p{number % 3}",
            seed=number,
            model="ab"[number // 3 % 2] * 8,
            family="emotion",
        )
        for number in range(count)
    ]
    generator = np.random.default_rng(0)
    for candidate in candidates:
        pixels = np.zeros((side, side, 4), np.uint8)
        pixels[4:-4, 4:-4] = [*generator.integers(0, 256, 3), 255]
        Image.fromarray(pixels).save(folder / candidate.file_name)
    write_candidates(folder, candidates)
    write_info(folder, SetInfo(question, guideline))
    return candidates


def rating(picture, answer, rater="Ann", time="2026-01-31T12:00:00Z", question="match", **more):
    return Rating(picture, question, answer, rater, time, **more)


def read_removals(folder):
    """What gates took out of a set; empty where there were none."""
    path = folder / REMOVED
    return [row for _, row in read_rows(path, Removal)] if path.exists() else []
