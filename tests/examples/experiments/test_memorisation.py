"""What was learned and what was made, compared picture by picture."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from examples.experiments.bench import memorisation


def test_the_nearest_scene_is_the_nearest_of_all():
    rng = np.random.default_rng(0)
    training, asked = rng.random((50, 4096), np.float32), rng.random((7, 4096), np.float32)
    asked[3] = training[21] + 0.01
    where, distance = memorisation.nearest(asked, training, block=8)
    every = np.sqrt(np.square(asked[:, None].astype(np.float64) - training[None]).mean(2))
    assert where.tolist() == every.argmin(1).tolist() and where[3] == 21
    np.testing.assert_allclose(distance, every.min(1), atol=1e-4)


def test_a_picture_and_the_scene_it_copies_are_the_same_vector(tmp_path):
    rng = np.random.default_rng(1)
    alpha = rng.integers(0, 256, (128, 128, 1), np.uint8)
    scene = np.concatenate([(rng.random((128, 128, 3)) * alpha).astype(np.uint8), alpha], -1)

    class Scenes:
        def __getitem__(self, index):
            return np.roll(scene, 9 * index, 0), None

    training = memorisation.training_vectors(Scenes(), 3, tmp_path / "deep" / "scenes.npy")
    picture = Image.frombuffer(
        "RGBa", (128, 128), np.roll(scene, 18, 0).tobytes(), "raw", "RGBa", 0, 1
    ).convert("RGBA")
    where, distance = memorisation.nearest(memorisation.thumbnail_vector(picture)[None], training)
    assert where.tolist() == [2] and distance[0] < 0.002
    enlarged = picture.resize((512, 512), Image.Resampling.NEAREST)
    np.testing.assert_allclose(
        memorisation.thumbnail_vector(enlarged), memorisation.thumbnail_vector(picture), atol=1e-3
    )
    np.testing.assert_array_equal(
        memorisation.training_vectors(None, 3, tmp_path / "deep" / "scenes.npy"), training
    )


def test_missing_pictures_are_named(tmp_path):
    with pytest.raises(SystemExit, match="lacks 1 pictures, first single-000"):
        memorisation.open_pictures([SimpleNamespace(id="single-000")], tmp_path)
