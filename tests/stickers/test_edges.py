"""Soft edges in the colours of the figure beside them."""

import numpy as np
import pytest

from stickerforge.evaluation.metrics.cutout import measure_cutout
from stickerforge.stickers.alpha import premultiply, unpremultiply
from stickerforge.stickers.edges import clean_edges
from tests.stickers.drawings import disc


def darkened(rgba, power):
    """A picture whose colour fades sooner than its alpha, premultiplied."""
    picture = premultiply(rgba).copy()
    picture[..., :3] *= picture[..., 3:] ** power
    return picture


@pytest.mark.parametrize("colour", [(200, 40, 90), (255, 255, 255), (10, 200, 220)])
@pytest.mark.parametrize("power", [0.5, 1, 3])
def test_a_dark_rim_takes_the_colour_of_the_figure(colour, power):
    picture = darkened(disc(colour=colour), power)
    cleaned = clean_edges(picture)
    assert np.array_equal(cleaned[..., 3], picture[..., 3]), "alpha stays the very same"
    before, after = (measure_cutout(unpremultiply(image))["halo"] for image in (picture, cleaned))
    assert after < 2 and after < before / 3


def test_each_part_of_an_outline_keeps_its_own_colour():
    rgba = disc()
    rgba[:, 32:, :3] = (0, 90, 250)
    cleaned = unpremultiply(clean_edges(darkened(rgba, 0.5)))
    for columns, colour in ((np.s_[:30], (200, 40, 90)), (np.s_[34:], (0, 90, 250))):
        half = cleaned[:, columns]
        assert np.abs(half[half[..., 3] > 25][:, :3].astype(int) - colour).max() <= 16


def glass():
    """A solid ring around an even translucency of another colour."""
    rgba = disc()
    rows, columns = np.mgrid[:64, :64] - 31.5
    rgba[np.hypot(rows, columns) < 14] = (0, 120, 255, 128)
    return rgba


def whisker():
    """A line that is nowhere solid."""
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[10:12, 4:28] = (30, 30, 30, 150)
    return rgba


@pytest.mark.parametrize(
    ("rgba", "place"),
    [
        (glass(), np.s_[18:46, 18:46]),
        (whisker(), np.s_[:, :]),
        (np.full((8, 8, 4), 128, np.uint8), np.s_[:, :]),
        (np.zeros((8, 8, 4), np.uint8), np.s_[:, :]),
        (np.full((8, 8, 4), 255, np.uint8), np.s_[:, :]),
    ],
)
def test_what_is_no_outline_of_something_solid_stays(rgba, place):
    picture = premultiply(rgba)
    assert np.array_equal(clean_edges(picture)[place], picture[place])
