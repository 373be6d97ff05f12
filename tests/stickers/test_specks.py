import numpy as np

from stickerforge.stickers.despeckle import components, despeckle


def canvas(*boxes, side=128):
    """Opaque boxes (top, left, height, width) on nothing."""
    picture = np.zeros((side, side, 4), np.float32)
    for top, left, height, width in boxes:
        picture[top : top + height, left : left + width] = 1
    return picture


def test_components_are_eight_connected():
    mask = np.array([[1, 0, 0, 1, 1], [0, 1, 0, 0, 1], [0, 0, 0, 0, 1], [1, 0, 1, 1, 1]], bool)
    labels = components(mask)
    assert (labels > 0).tolist() == mask.tolist()
    assert labels[0, 0] == labels[1, 1] and labels[0, 3] == labels[3, 2]
    assert len(set(labels[mask])) == 3


def test_a_spiral_is_one_component():
    mask = np.zeros((41, 41), bool)
    for ring in range(0, 20, 4):
        mask[ring, ring : 41 - ring] = mask[40 - ring, ring : 41 - ring] = True
        mask[ring : 41 - ring, 40 - ring] = mask[ring + 2 : 41 - ring, ring] = True
        mask[ring + 2, ring : ring + 5] = True
        mask[ring + 2 : ring + 5, ring + 4] = True
    assert len(set(components(mask)[mask])) == 1


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
