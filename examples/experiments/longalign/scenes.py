"""Scenes to train on and scenes to ask for: none is among both.

Training scenes show no combination that is withheld from sticker-mini 3. Each scene of the list
`dev` shows one that no weights were shown, and none of these belongs to the list `test`.
"""

from collections.abc import Iterator
from itertools import count

import numpy as np

from examples.experiments.bench.bench_items import (
    bench_world,
    candidates,
    in_list,
    is_unseen,
    key_combinations,
)
from examples.experiments.longalign.outline import can_be_told
from examples.recipes.mini.dataset_3 import World3, training_world_3
from examples.recipes.mini.scene import Truth, combinations

FAMILY, VERSION = "long", 3
SEED = 241
# Long prompts are written where there is something to say: fewer single things than the recipe has.
SHARES = {
    "one": 0.22,
    "mirrored": 0.03,
    "placed": 0.10,
    "counted": 0.20,
    "pair": 0.25,
    "dressed": 0.12,
    "suited": 0.08,
}


def is_evaluation_scene(truth: Truth) -> bool:
    """Whether a scene may be on a list of the bench: it shows what no weights were shown."""
    return any(is_unseen(truth, names, VERSION) for names in combinations(truth))


def long_caption_world() -> World3:
    """Training scenes of sticker-mini 3, other shares of them."""
    scenes = training_world_3()
    scenes.shares = SHARES
    return scenes


def training_scenes(first: int = 0) -> Iterator[tuple[np.ndarray, Truth]]:
    """(premultiplied picture (PIXELS, PIXELS, 4), its truth), without end."""
    scenes = long_caption_world()
    for index in count(first):
        picture, truth = scenes[index]
        if can_be_told(truth) and not is_evaluation_scene(truth):
            yield picture, truth


def training_truths(seed: int) -> Iterator[Truth]:
    """Truths of training scenes that are not drawn, without end; not those of `training_scenes`."""
    scenes = long_caption_world()
    rng = np.random.default_rng((SEED, seed))
    while True:
        truth = scenes.truth(rng)
        if truth and can_be_told(truth) and not scenes.shows_withheld(truth):
            yield truth


def dev_truths(seed: int) -> Iterator[Truth]:
    """Scenes of the list `dev`, each once, without end."""
    known = set()
    for truth in candidates(
        bench_world(VERSION), FAMILY, np.random.default_rng((SEED, seed)), VERSION
    ):
        key = "|".join(sorted("|".join(names) for names in key_combinations(truth, FAMILY)))
        if in_list("dev", key, VERSION) and key not in known and can_be_told(truth):
            known.add(key)
            yield truth
