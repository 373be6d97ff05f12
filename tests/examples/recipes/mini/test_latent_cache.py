"""Scenes on disk, and caches that were interrupted."""

import numpy as np
import pytest
import torch

from examples.recipes.mini import (
    latent_cache,
)
from tests.examples.recipes.mini.scenes import make_truths


def test_a_scene_is_the_same_after_it_was_kept():
    for truth in make_truths().values():
        subjects = {thing.subject.codepoints: thing.subject for thing in truth.things}
        assert latent_cache.truth_from_json(latent_cache.truth_to_json(truth), subjects) == truth


def test_a_cache_that_was_interrupted_goes_on(tmp_path):
    kinds, fails = list(make_truths().values()), [150]

    class Scenes:
        def __getitem__(self, index):
            if index in fails:
                raise KeyboardInterrupt
            return np.full((128, 128, 4), index % 251, np.uint8), kinds[index % len(kinds)]

    encode = lambda pixels: torch.nn.functional.avg_pool2d(pixels, 8).repeat(1, 2, 1, 1)  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        latent_cache.write_latent_cache(tmp_path, Scenes, 200, encode)
    assert not (tmp_path / "truths.jsonl").exists()
    fails[:] = [3]  # is behind it now
    latent_cache.write_latent_cache(tmp_path, Scenes, 200, encode)
    latents, truths = latent_cache.read_latent_cache(
        tmp_path, [thing.subject for thing in kinds[6].things]
    )
    assert truths == [kinds[i % len(kinds)] for i in range(200)]
    np.testing.assert_allclose(
        latents[:, 0, 0, 0], [np.float16(i % 251 / 127.5 - 1) for i in range(200)]
    )
