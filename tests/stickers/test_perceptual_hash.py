"""Perceptual hashes: what changes them little, and what much; against the definition."""

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stickerforge.stickers.perceptual_hash import (
    color_grid,
    grid_distances,
    hash_distances,
    perceptual_hash,
)


def draw(seed, side=256, color=None):
    rng = np.random.default_rng(seed)
    image = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y, w, h = (int(value * side) for value in rng.uniform(0.05, 0.5, 4))
        fill = color or tuple(int(value) for value in rng.integers(0, 256, 3))
        pen.ellipse((x, y, x + w, y + h), fill=(*fill, 255))
    return image


def distance(one, other):
    first, second = (perceptual_hash(np.asarray(image.convert("RGBA"))) for image in (one, other))
    return int(hash_distances(first, np.array([second]))[0])


def color_distance(one, other):
    first, second = (color_grid(np.asarray(image.convert("RGBA"))) for image in (one, other))
    return float(grid_distances(first, second[None])[0])


def reference_hash(rgba):
    """The definition, sum by sum, in plain Python floats."""
    small = Image.fromarray(rgba).convert("RGBa").resize((32, 32), Image.Resampling.BOX)
    cells = np.asarray(small, float) / 255
    grey = cells[..., 0] * 0.299 + cells[..., 1] * 0.587 + cells[..., 2] * 0.114
    grey = grey + 0.5 * (1 - cells[..., 3])
    low = []
    for u in range(8):
        for v in range(8):
            total = sum(
                grey[y, x]
                * math.cos(math.pi * (2 * y + 1) * u / 64)
                * math.cos(math.pi * (2 * x + 1) * v / 64)
                for y in range(32)
                for x in range(32)
            )
            total *= math.sqrt((1 if u == 0 else 2) / 32) * math.sqrt((1 if v == 0 else 2) / 32)
            low.append(total)
    middle = float(np.median(low))
    return int("".join("1" if value > middle else "0" for value in low), 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_hash_is_the_one_of_the_definition(seed):
    rgba = np.asarray(draw(seed))
    assert int(perceptual_hash(rgba)) == reference_hash(rgba)


@pytest.mark.parametrize("seed", range(6))
def test_copies_are_near_and_other_pictures_far(seed):
    image = draw(seed)
    stream = io.BytesIO()
    page = Image.new("RGBA", image.size, "grey")
    page.alpha_composite(image)
    page.convert("RGB").save(stream, "JPEG", quality=60)
    assert distance(page, Image.open(stream)) <= 4
    assert distance(image, image.resize((100, 100))) <= 4
    assert color_distance(image, image.resize((100, 100))) < 0.02
    assert distance(image, draw(seed + 100)) > 10


def test_the_same_shape_in_another_colour_has_other_colours():
    red, blue = draw(3, color=(220, 40, 40)), draw(3, color=(60, 120, 230))
    assert color_distance(red, blue) > 0.06
    assert color_distance(red, draw(3, color=(222, 44, 40))) < 0.01


def test_what_lies_under_clear_pixels_does_not_count():
    rgba = np.asarray(draw(1)).copy()
    other = rgba.copy()
    other[other[..., 3] == 0] = (255, 0, 255, 0)
    assert perceptual_hash(rgba) == perceptual_hash(other)
    assert (color_grid(rgba) == color_grid(other)).all()
