import numpy as np
import pytest

from stickerforge.stickers.alpha import bleed_colors, premultiply, snap_alpha, unpremultiply
from tests.stickers.drawings import disc


def test_straight_and_premultiplied_undo_each_other():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (32, 32, 4), np.uint8)
    back = unpremultiply(premultiply(rgba))
    seen = rgba[..., 3] > 0
    assert np.array_equal(back[..., 3], rgba[..., 3])
    assert np.abs(back[seen].astype(int) - rgba[seen]).max() <= 1


def test_colours_lie_under_transparent_pixels():
    rgba = disc()
    rgba[rgba[..., 3] == 0] = 0
    assert np.array_equal(bleed_colors(rgba)[..., 3], rgba[..., 3])
    assert (bleed_colors(rgba)[..., :3] == (200, 40, 90)).all()


def bled_pixel_by_pixel(rgba, rounds):
    """What `bleed_colors` promises, one pixel after the other."""
    color = {
        tuple(place): rgba[tuple(place)][:3].astype(np.float64)
        for place in np.argwhere(rgba[..., 3] > 0)
    }
    mean = np.mean(list(color.values()), 0)
    for _ in range(rounds):
        ring = {}
        for row, column in np.ndindex(rgba.shape[:2]):
            near = [
                color[place]
                for place in np.ndindex(rgba.shape[:2])
                if place in color and max(abs(place[0] - row), abs(place[1] - column)) == 1
            ]
            if (row, column) not in color and near:
                ring[row, column] = np.mean(near, 0)
        color |= ring
    result = rgba.copy()
    for place in np.ndindex(rgba.shape[:2]):
        result[place][:3] = np.rint(color.get(place, mean))
    return result


@pytest.mark.parametrize("shape", [(9, 11), (1, 12), (7, 1)])
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_bleeding_takes_the_mean_of_the_neighbours_ring_by_ring(shape, rounds):
    rng = np.random.default_rng(shape[0] + rounds)
    rgba = rng.integers(0, 256, (*shape, 4), np.uint8)
    rgba[..., 3] *= rng.random(shape) < 0.15
    rgba[0, 0, 3], rgba[-1, -1, 3] = 7, 0
    expected = bled_pixel_by_pixel(rgba, rounds)
    assert np.abs(bleed_colors(rgba, rounds).astype(int) - expected).max() <= 1  # ties of rounding
    assert np.array_equal(bleed_colors(np.asfortranarray(rgba), rounds), bleed_colors(rgba, rounds))


@pytest.mark.parametrize("alpha", [0, 255])
def test_nothing_to_bleed(alpha):
    plain = np.full((4, 4, 4), (9, 9, 9, alpha), np.uint8)
    assert np.array_equal(bleed_colors(plain), plain)


def test_settling_clears_a_haze_and_fills_what_is_nearly_solid():
    haze = np.full((2, 2, 4), 0.01, np.float32)
    solid = np.array([[[0.5, 0.5, 0.5, 0.99]]], np.float32)
    assert (snap_alpha(haze) == 0).all()
    assert snap_alpha(solid)[0, 0, 3] == 1
    np.testing.assert_allclose(snap_alpha(solid)[0, 0, :3], 0.5 / 0.99, rtol=1e-5)


def test_a_settled_picture_has_no_colour_beyond_its_alpha():
    random = np.random.default_rng(1).random((16, 16, 4)).astype(np.float32)
    result = snap_alpha(random)
    assert (result[..., :3] <= result[..., 3:] + 1e-6).all()
