import numpy as np
import pytest

from stickerforge.stickers.despeckle import SMALL, VISIBLE, despeckle


def canvas(*boxes, side=128):
    """Opaque boxes (top, left, height, width) on nothing."""
    picture = np.zeros((side, side, 4), np.float32)
    for top, left, height, width in boxes:
        picture[top : top + height, left : left + width] = 1
    return picture


def components(mask):
    """Eight-connected sets of pixels, by flood fill."""
    left = set(zip(*np.nonzero(mask), strict=True))
    while left:
        component, border = set(), {left.pop()}
        while border:
            component |= border
            around = {(y + dy, x + dx) for y, x in border for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
            border = around & left
            left -= border
        yield component


def reference(picture):
    """What `despeckle` says it does, cell by cell (pictures of up to 128 pixels: a cell is one)."""
    parts = list(components(picture[..., 3] > VISIBLE))
    largest, area = max(map(len, parts), default=0), picture[..., 3].size
    specks = [part for part in parts if len(part) < SMALL * area and len(part) < largest]
    others = [part for part in parts if part not in specks]

    def near(pixel, part):
        return any(abs(pixel[0] - y) <= 2 and abs(pixel[1] - x) <= 2 for y, x in part)

    result = picture.copy()
    for pixel in np.ndindex(picture.shape[:2]):
        if any(near(pixel, part) for part in specks) and not any(
            near(pixel, part) for part in others
        ):
            result[pixel] = 0
    return result


@pytest.mark.parametrize("seed", range(12))
def test_it_does_what_a_flood_fill_does(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(20, 70, 2)
    picture = rng.random((height, width, 4)).astype(np.float32)
    picture[..., 3] *= rng.random((height, width)) > rng.uniform(0.7, 0.99)
    if seed % 2:
        top, left = rng.integers(0, 10, 2)
        picture[top : top + 8, left : left + 9] = 1
    expected = reference(picture)
    assert np.array_equal(despeckle(picture), expected)
    assert seed % 2 == 0 or not np.array_equal(picture, expected), "something goes"


def test_components_are_eight_connected():
    """Pixels that touch at corners alone are one component, of more than a speck."""
    picture = canvas((0, 90, 20, 20))
    for step in range(60):
        picture[40 + step, 10 + step] = 1
    assert np.array_equal(despeckle(picture), picture)
    picture[70, 40] = 0  # two halves of 30 and 29 pixels, each too small
    assert np.array_equal(despeckle(picture), canvas((0, 90, 20, 20)))


def test_a_spiral_is_one_component():
    mask = np.zeros((41, 41), bool)
    for ring in range(0, 20, 4):
        mask[ring, ring : 41 - ring] = mask[40 - ring, ring : 41 - ring] = True
        mask[ring : 41 - ring, 40 - ring] = mask[ring + 2 : 41 - ring, ring] = True
        mask[ring + 2, ring : ring + 5] = True
        mask[ring + 2 : ring + 5, ring + 4] = True
    assert len(list(components(mask))) == 1
    picture = canvas((60, 10, 60, 100))  # larger than the spiral
    picture[5:46, 70:111] = mask[..., None]
    assert np.array_equal(despeckle(picture), picture)
    assert mask.sum() > SMALL * 128 * 128, "it is no speck as long as it hangs together"


def test_specks_go_and_what_is_meant_stays():
    figure, twin, speck = (40, 20, 60, 40), (40, 80, 20, 20), (5, 5, 4, 4)
    expected = canvas(figure, twin)
    assert np.array_equal(despeckle(canvas(figure, twin, speck)), expected)
    assert np.array_equal(despeckle(expected), expected)


def test_the_largest_component_stays_however_small():
    tiny = canvas((60, 60, 3, 3))
    assert np.array_equal(despeckle(tiny), tiny)
    nothing = canvas()
    assert np.array_equal(despeckle(nothing), nothing)


def test_large_and_odd_pictures():
    picture = canvas((100, 100, 200, 200), (10, 10, 9, 9), side=501)
    assert np.array_equal(despeckle(picture), canvas((100, 100, 200, 200), side=501))


def test_the_faint_rim_of_a_figure_stays():
    picture = canvas((40, 40, 40, 40))
    picture[38:40, 40:80] = 0.05
    assert np.array_equal(despeckle(picture), picture)
