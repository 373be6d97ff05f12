"""Other views of a picture."""

import numpy as np
import pytest

from stickerforge.stickers.augmentation import other_view, random_color, shrink

PLAIN = {"crop": 1.0, "flip": 0.0, "color": 0.0}


@pytest.fixture
def rgba():
    """A picture with a clear left half."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 4), np.uint8)
    pixels[:, :30, 3], pixels[:, 30:, 3] = 0, 255
    return pixels


def view(rgba, seed=0, **changes):
    return np.asarray(other_view(rgba, np.random.default_rng(seed), **PLAIN | changes))


def test_without_changes_it_is_the_picture(rgba):
    assert np.array_equal(view(rgba), rgba)


def test_mirrored(rgba):
    assert np.array_equal(view(rgba, flip=1.0), rgba[:, ::-1])


def test_a_part_of_the_same_aspect(rgba):
    sizes = {view(rgba, seed, crop=0.25).shape for seed in range(200)}
    areas = [height * width / 2400 for height, width, _ in sizes]
    assert 0.23 < min(areas) < 0.4 and max(areas) > 0.9
    assert all(abs(width / height - 1.5) < 0.1 for height, width, _ in sizes)


def test_a_part_that_would_show_nothing_is_not_taken(rgba):
    rgba[...] = 0
    rgba[0, 0] = 255
    for seed in range(50):
        assert (view(rgba, seed, crop=0.1)[..., 3] > 25).any()


def test_colours_change_a_little_and_alpha_does_not(rgba):
    changed = view(rgba, color=0.1).astype(int)
    difference = np.abs(changed - rgba)
    assert difference[..., 3].max() == 0 and 0 < difference[..., :3].mean() < 40


def test_random_colours_are_of_their_generator():
    first = random_color(np.random.default_rng(1))
    assert first == random_color(np.random.default_rng(1)) != random_color(np.random.default_rng(2))


def test_what_is_kept_is_no_larger_than_needed(rgba):
    small = shrink(rgba, 20)
    assert small.shape == (20, 30, 4) and small[..., 3].min() == 0 and small[..., 3].max() == 255
    assert shrink(rgba, 40) is rgba
    assert shrink(np.zeros((1, 500, 4), np.uint8), 1).shape == (1, 500, 4)
