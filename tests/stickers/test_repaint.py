"""Pictures in squares, masks beside them, and painting over."""

import numpy as np
import pytest

from stickerforge.stickers.alpha import bleed_colors
from stickerforge.stickers.repaint import (
    fit_mask,
    fit_square,
    mask_of,
    paint_over,
    scale_mask,
)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)


def test_a_square_of_that_side_keeps_its_visible_pixels():
    rgba = noise(40, 40)
    rgba[:10, :, 3] = 0
    square = fit_square(rgba, 40)
    assert np.array_equal(square[10:], np.where(rgba[10:, :, 3:] > 0, rgba[10:], square[10:]))
    assert not square[:10, :, 3].any()
    assert not np.array_equal(square[:9, :, :3], rgba[:9, :, :3]), "nothing hidden is kept"
    assert np.array_equal(square, bleed_colors(square)), "what was finished once stays"


def test_an_opaque_square_stays_to_the_bit():
    rgba = noise(40, 40)
    rgba[..., 3] = 255
    assert np.array_equal(fit_square(rgba, 40), rgba)


@pytest.mark.parametrize(("height", "width"), [(20, 40), (40, 20), (300, 150), (17, 40)])
def test_a_rectangle_stands_undistorted_in_the_middle(height, width):
    rgba = np.full((height, width, 4), 255, np.uint8)
    alpha = fit_square(rgba, 80)[..., 3]
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    found = len(rows) / len(columns)
    assert found == pytest.approx(height / width, rel=0.03)
    assert max(len(rows), len(columns)) == 80
    assert abs(rows[0] - (79 - rows[-1])) <= 1 and abs(columns[0] - (79 - columns[-1])) <= 1


@pytest.mark.parametrize("side", [16, 40, 128])
@pytest.mark.parametrize(("height", "width"), [(40, 40), (20, 40), (40, 30)])
def test_a_mask_lies_where_its_picture_lies(side, height, width):
    rgba, mask = np.full((height, width, 4), 255, np.uint8), np.full((height, width), 255, np.uint8)
    assert np.array_equal(fit_mask(mask, side) > 127, fit_square(rgba, side)[..., 3] > 127)


@pytest.mark.parametrize("side", [20, 40, 160])
def test_black_and_white_stay_so_away_from_the_border(side):
    mask = np.zeros((40, 40), np.uint8)
    mask[:20] = 255
    scaled = scale_mask(mask, (side, side))
    near = side // 20
    assert (scaled[: side // 2 - near] == 255).all() and (scaled[side // 2 + near :] == 0).all()


def test_a_mask_is_brightness_and_black_where_it_is_clear():
    rgba = np.zeros((1, 5, 4), np.uint8)
    rgba[0] = [(255, 255, 255, 255), (255, 255, 255, 0), (0, 0, 0, 255), (128, 128, 128, 255)] + [
        (250, 249, 248, 255)
    ]
    assert mask_of(rgba).tolist() == [[255, 0, 0, 128, 255]]
    assert mask_of(np.full((1, 1, 4), 5, np.uint8)).tolist() == [[0]]


def test_painting_over_keeps_both_sides_to_the_bit_and_mixes_between():
    original, painted = noise(30, 30, 1), noise(30, 30, 2)
    mask = np.zeros((30, 30), np.uint8)
    mask[:10], mask[10:20] = 255, 128
    result = paint_over(original, painted, mask)
    assert np.array_equal(result[:10], painted[:10])
    assert np.array_equal(result[20:], original[20:])
    alpha = (painted[10:20, :, 3] * 128.0 + original[10:20, :, 3] * 127.0) / 255
    assert np.abs(result[10:20, :, 3] - alpha).max() <= 1
    for side in (original, painted):
        assert not np.array_equal(result[10:20], side[10:20])


def test_what_is_clear_lends_no_colour_to_a_mixture():
    original, painted = (np.zeros((2, 2, 4), np.uint8) for _ in range(2))
    original[...] = (255, 0, 0, 0)
    painted[...] = (0, 0, 255, 255)
    mixed = paint_over(original, painted, np.full((2, 2), 128, np.uint8))
    assert (mixed[..., :3] == (0, 0, 255)).all() and (mixed[..., 3] == 128).all()
