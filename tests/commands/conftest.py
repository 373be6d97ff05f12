"""Pictures to teach from, and what was taught from them."""

import shutil

import numpy as np
import pytest
from PIL import Image, ImageDraw

from stickerforge.cli.app import main
from tests.photographs import photograph


def sticker(colour, size=(160, 160)):
    """A drawing with a clear ground."""
    picture = Image.new("RGBA", size)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((20, 30, size[0] - 20, size[1] - 10), fill=colour)
    pen.rectangle((60, 10, 90, 50), fill=(250, 240, 120, 255))
    return picture


def save_art(folder):
    """Three drawings of one thing."""
    folder.mkdir()
    for name, colour in (("one", "#c03a2b"), ("two", "#a02a3b"), ("three", "#d0503b")):
        sticker(colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def art(tmp_path):
    """Three drawings of one thing."""
    return save_art(tmp_path / "art")


# What `taught_home` was made with, besides what was to be learned.
TAUGHT = ("--steps", 2, "--batch", 2, "--rank", 2, "--lr", 0.002, "--set", "preview.count=0")


@pytest.fixture(scope="session")
def taught_home(tmp_path_factory):
    """A home in which three drawings were taught once: <blob>, an apple, and the style crayon."""
    folder = tmp_path_factory.mktemp("taught")
    art = save_art(folder / "art")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STICKERFORGE_HOME", str(folder / "home"))
        for what in (("--subject", "blob", "--class", "apple"), ("--style", "crayon")):
            with pytest.raises(SystemExit) as end:
                main([str(word) for word in ("customize", art, *what, *TAUGHT, "--quiet")])
            assert not end.value.code
    return folder / "home"


@pytest.fixture
def taught(cli, taught_home, tmp_path):
    """The command line, with a copy of `taught_home` for its home."""
    shutil.copytree(taught_home, tmp_path / "home")
    return cli


@pytest.fixture
def photos(tmp_path):
    """Two photographs, one of them lying."""
    folder = tmp_path / "photos"
    folder.mkdir()
    planes = photograph(90, 120)
    Image.fromarray(planes).save(folder / "a.jpg")
    Image.fromarray(planes[:, 15:105]).save(folder / "b.jpg")
    return folder


@pytest.fixture
def quick_sd(tiny_sd, tmp_path):
    """A Stable Diffusion folder whose card recommends two steps."""
    folder = shutil.copytree(tiny_sd, tmp_path / "quick-sd")
    (folder / "stickerforge.json").write_text('{"sampling": {"steps": 2}}')
    return folder


def save_cut_outs(folder, count=2):
    """Photographs of round things on a clear ground."""
    folder.mkdir()
    seen = np.hypot(*(np.mgrid[:160, :160] - 80)) < 70
    for number in range(count):
        planes = np.dstack([photograph(160, 160, number), np.where(seen, 255, 0)])
        Image.fromarray(planes.astype(np.uint8)).save(folder / f"{number}.png")
    return folder
