"""Operations on premultiplied sprites."""

import numpy as np

from examples.recipes.mini.sprites import paste, recolour


def test_scenes_lay_premultiplied_colour_over_colour():
    canvas = np.full((4, 4, 4), (0, 0, 200, 255), np.uint8)
    paste(canvas, np.full((2, 2, 4), (100, 0, 0, 128), np.uint8), 1, 1)
    assert canvas[0, 0].tolist() == [100, 0, 100, 255]
    assert canvas[3, 3].tolist() == [0, 0, 200, 255]
    green = recolour(np.full((1, 1, 4), (200, 0, 0, 255), np.uint8), 1 / 3)
    assert green[0, 0].tolist() == [0, 200, 0, 255]
