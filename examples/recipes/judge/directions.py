"""The common directions of both judges, from captions of StickerWorld.

python -m examples.recipes.judge.directions      writes stickerforge/models/judge/*_direction.json

The scenes are such as sticker-mini may be shown: none holds a combination that is withheld, as
those of the benchmark's lists do.
"""

import numpy as np

from examples.recipes.mini.captions import Register, caption
from examples.recipes.mini.dataset_3 import training_world_3
from examples.recipes.mini.world import World
from stickerforge.models.common_direction import (
    direction_file_content,
    direction_path,
    fit_direction,
)
from stickerforge.models.hub import JUDGES
from stickerforge.models.prompt_rewards import load_prompt_reward

SEED = 29
FIRST = 2_000_000  # the number of the first scene
CAPTIONS = 6000
SHORT: tuple[Register, ...] = ("plain", "comprehensive")


def direction_captions(scenes: World, count: int = CAPTIONS) -> list[str]:
    """Captions that differ, one half short and one half long, always the same."""
    short: set[str] = set()
    long: set[str] = set()
    number = FIRST
    while min(len(short), len(long)) < count // 2:
        _, truth = scenes[number]
        rng = np.random.default_rng((SEED, number))
        if len(short) < count // 2:
            short.add(caption(truth, SHORT[number % 2], rng))
        if len(long) < count // 2:
            long.add(caption(truth, "long", rng))
        number += 1
    return sorted(short | long)


def main() -> None:
    """Write a file for each judge."""
    captions = direction_captions(training_world_3())
    for name in JUDGES:
        reward = load_prompt_reward(name)
        direction = fit_direction(reward, captions)
        direction_path(name).write_bytes(direction_file_content(direction))
        shares = reward.encode_texts(captions[::10]) @ direction.tensor
        print(
            f"{direction_path(name)}: {direction.captions} captions, "
            f"share of the direction {float(shares.mean()):.3f}"
        )


if __name__ == "__main__":
    main()
