"""Pictures to teach from."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.photographs import photograph


def sticker(colour, size=(160, 160)):
    """A drawing with a clear ground."""
    picture = Image.new("RGBA", size)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((20, 30, size[0] - 20, size[1] - 10), fill=colour)
    pen.rectangle((60, 10, 90, 50), fill=(250, 240, 120, 255))
    return picture


@pytest.fixture
def art(tmp_path):
    """Three drawings of one thing."""
    folder = tmp_path / "art"
    folder.mkdir()
    for name, colour in (("one", "#c03a2b"), ("two", "#a02a3b"), ("three", "#d0503b")):
        sticker(colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def photos(tmp_path):
    """Two photographs, one of them lying."""
    folder = tmp_path / "photos"
    folder.mkdir()
    planes = photograph(90, 120)
    Image.fromarray(planes).save(folder / "a.jpg")
    Image.fromarray(planes[:, 15:105]).save(folder / "b.jpg")
    return folder


def save_cut_outs(folder, count=2):
    """Photographs of round things on a clear ground."""
    folder.mkdir()
    seen = np.hypot(*(np.mgrid[:160, :160] - 80)) < 70
    for number in range(count):
        planes = np.dstack([photograph(160, 160, number), np.where(seen, 255, 0)])
        Image.fromarray(planes.astype(np.uint8)).save(folder / f"{number}.png")
    return folder
