"""The parts of the bench of photographs that need none of its networks."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from examples.experiments.bench import photograph_networks
from examples.experiments.bench.photograph_networks import SIDE, fetch, join_parts, to_planes
from examples.experiments.bench.photographs import agreement, cut_outs, figure, pair_cosines


def disc(side=200):
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((50, 50, 150, 150), fill=255)
    return mask


def test_figures_agree_with_the_mask_that_they_are_of():
    photo = Image.new("RGB", (200, 200), "white")
    photo.paste((200, 40, 40), mask=disc())
    assert agreement(photo, disc()) > 0.95
    other = Image.new("L", (200, 200))
    other.paste(255, (0, 0, 40, 40))
    assert agreement(photo, other) == 0


def test_a_figure_is_cut_to_what_is_visible():
    picture = Image.new("RGBA", (200, 200))
    picture.paste("red", mask=disc())
    assert figure(picture).size == (101, 101)
    assert figure(Image.new("RGBA", (30, 20))).size == (30, 20)


def test_cosines_are_of_different_pictures():
    assert pair_cosines(np.eye(3)) == 0
    assert pair_cosines(np.array([[1.0, 0], [1, 0], [0, 1]])) == pytest.approx(1 / 3)


def test_pictures_lie_in_the_middle_of_a_grey_square():
    planes = to_planes(Image.new("RGBA", (100, 50), "white"))
    assert planes.shape == (3, SIDE, SIDE)
    assert float(planes[:, SIDE // 2].min()) > 2 and abs(float(planes[0, 0, 0])) < 0.1


def test_a_cut_out_is_made_once(tmp_path):
    asked = []

    def alpha(picture):
        asked.append(picture.size)
        return disc()

    Image.new("RGB", (200, 200), "red").save(tmp_path / "a.jpg")
    for _ in range(2):
        (path,) = cut_outs([tmp_path / "a.jpg"], tmp_path / "cut", alpha)
    assert asked == [(200, 200)] and Image.open(path).mode == "RGBA"


def test_weights_are_joined_and_compared_with_their_sums(tmp_path):
    folder = tmp_path / "package" / "dist"
    folder.mkdir(parents=True)
    parts = {"one": b"12", "two": b"34"}
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    listing = {"/models/medium": {"chunks": [{"hash": name} for name in parts]}}
    (folder / "resources.json").write_text(json.dumps(listing))
    join_parts(tmp_path)
    assert (tmp_path / photograph_networks.MATTING).read_bytes() == b"1234"
    features = tmp_path / photograph_networks.FEATURES
    features.parent.mkdir(parents=True)
    features.write_bytes(b"other weights")
    with pytest.raises(SystemExit, match="not the published one"):
        fetch(tmp_path)
