"""Validity: each fault lowers the part that is about it, and no other much."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stickerforge.evaluation.metrics.cutout import measure_cutout
from stickerforge.evaluation.validity import MAX_HALO, falling, margin, validity, validity_parts


def sticker(*, hole=False, parts=1, shift=0, rim=None, side=128):
    """A red disc on a clear ground."""
    image = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(image)
    if rim:
        pen.ellipse((33 + shift, 33, 97 + shift, 97), fill=rim)
    pen.ellipse((35 + shift, 35, 95 + shift, 95), fill=(200, 40, 30, 255))
    if hole:
        pen.ellipse((55, 55, 75, 75), fill=(0, 0, 0, 0))
    for number in range(1, parts):
        pen.ellipse((5, 30 * number, 20, 30 * number + 15), fill=(200, 40, 30, 255))
    return np.asarray(image)


def test_a_plain_sticker_is_valid():
    parts = validity_parts(sticker())
    assert all(0 <= value <= 1 for value in parts.values())
    assert [name for name, value in parts.items() if value < 1] == ["legible"]
    assert validity(sticker()) == pytest.approx(np.mean(list(parts.values())))


@pytest.mark.parametrize(
    ("fault", "lowered"),
    [
        ({"hole": True}, {"closed"}),
        ({"parts": 3}, {"one_part"}),
        ({"shift": 40}, {"inside", "margin"}),
        ({"rim": (255, 255, 255, 128)}, {"clean_edge"}),
    ],
)
def test_each_fault_lowers_its_own_part(fault, lowered):
    before, after = validity_parts(sticker()), validity_parts(sticker(**fault))
    fallen = {name for name in before if after[name] < before[name] - 0.05}
    assert fallen - {"legible"} == lowered  # every fault may cost that, too
    assert validity(sticker(**fault)) < validity(sticker())


def test_parts_are_the_figures_of_evaluate():
    rgba = sticker(hole=True, parts=2, rim=(255, 255, 255, 128))
    figures, parts = measure_cutout(rgba), validity_parts(rgba)
    assert parts["one_part"] == 1 / figures["parts"]
    assert parts["clean_edge"] == falling(figures["halo"], MAX_HALO)
    assert parts["legible"] == figures["legibility"]


def test_what_shows_nothing_is_not_valid():
    blank = np.zeros((64, 64, 4), np.uint8)
    dust = blank.copy()
    dust[30, 30] = 255
    assert validity(blank) == 0
    assert 0 <= validity(dust) <= 1


def test_the_margin_is_the_least_of_four():
    rgba = np.zeros((100, 50, 4), np.uint8)
    rgba[20:90, 4:40] = 255
    assert margin(rgba) == 0.04
    assert margin(np.full((20, 20, 4), 255, np.uint8)) == 0


def test_a_picture_that_fills_its_square_has_no_margin():
    parts = validity_parts(np.full((64, 64, 4), 255, np.uint8))
    assert parts["inside"] == parts["margin"] == 0 and parts["one_part"] == 1
