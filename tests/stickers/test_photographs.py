import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from stickerforge.stickers.photographs import is_photograph
from tests.photographs import photograph


def drawing(size=512):
    """Flat areas with smooth edges on a clear ground, drawn larger and brought to its size."""
    picture = Image.new("RGBA", (4 * size, 4 * size))
    pen, unit = ImageDraw.Draw(picture), size / 20
    box = lambda *sides: [4 * unit * side for side in sides]  # noqa: E731
    pen.ellipse(box(2, 3, 18, 19), fill="#c8862a", outline="#3a2410", width=round(2 * unit))
    pen.polygon(box(3, 6, 4, 1, 8, 4), fill="#8a5a1a")
    pen.polygon(box(17, 6, 16, 1, 12, 4), fill="#8a5a1a")
    for x in (7, 13):
        pen.ellipse(box(x - 1.2, 8, x + 1.2, 10.4), fill="white", outline="black", width=9)
        pen.ellipse(box(x - 0.5, 8.6, x + 0.5, 9.9), fill="black")
    pen.rectangle(box(6, 14, 14, 16), fill="#e04060", outline="#7a1020", width=12)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def on_ground(picture, ground="white"):
    page = Image.new("RGBA", picture.size, ground)
    page.alpha_composite(picture)
    return page


def on_gradient(picture):
    shade = np.linspace([90, 160, 240], [250, 240, 200], picture.height)
    rows = np.broadcast_to(shade[:, None], (*picture.size[::-1], 3)).round().astype(np.uint8)
    page = Image.fromarray(rows).convert("RGBA")
    page.alpha_composite(picture)
    return page


def as_jpeg(picture, quality):
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGBA")


def scan(picture, noise=5.0):
    """On yellowish paper, unevenly lit, a little blurred, with a scanner's noise, as JPEG."""
    page = on_ground(picture, "#faf8f0").convert("RGB").filter(ImageFilter.GaussianBlur(0.8))
    planes = np.asarray(page) * np.linspace(1, 0.94, page.width)[None, :, None]
    planes = planes + np.random.default_rng(0).normal(0, noise, planes.shape)
    return as_jpeg(Image.fromarray(planes.clip(0, 255).astype(np.uint8)), 80)


def cut_out(planes):
    """A disc of a photograph on a clear ground."""
    height, width = planes.shape[:2]
    mask = Image.new("L", (4 * width, 4 * height))
    ImageDraw.Draw(mask).ellipse((0.3 * width, 0.3 * height, 3.7 * width, 3.7 * height), fill=255)
    picture = Image.fromarray(planes).convert("RGBA")
    picture.putalpha(mask.resize((width, height), Image.Resampling.LANCZOS))
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        drawing(),
        drawing(128),
        on_ground(drawing()),
        on_gradient(drawing()),
        as_jpeg(on_ground(drawing()), 50),
        as_jpeg(on_gradient(drawing()), 75),
        as_jpeg(on_ground(drawing(128)), 75),
        scan(drawing(900)),
        Image.new("RGBA", (64, 64), "red"),
        Image.new("RGBA", (64, 64)),
        on_gradient(Image.new("RGBA", (300, 200))),
    ],
    ids="clear small white gradient jpeg gradient-jpeg small-jpeg scan plain empty shade".split(),
)
def test_drawings(picture):
    assert not is_photograph(np.asarray(picture))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [(768, 768), (90, 120), (1200, 400)])
def test_photographs_of_any_size(size, seed):
    picture = Image.fromarray(photograph(*size, seed)).convert("RGBA")
    assert is_photograph(np.asarray(picture))
    assert is_photograph(np.asarray(picture.convert("L").convert("RGBA"))), "grey ones too"
    assert is_photograph(np.asarray(as_jpeg(picture, 30)))


def test_what_was_cut_out_of_a_photograph():
    picture = cut_out(photograph(400, 400, 1))
    assert is_photograph(np.asarray(picture))
    assert is_photograph(np.asarray(on_ground(picture))), "on white, as shops show things"


def test_a_blank_tile_of_a_small_picture_is_no_fault():
    assert not is_photograph(np.zeros((16, 300, 4), np.uint8))
    assert not is_photograph(np.full((300, 16, 4), 255, np.uint8))


def test_a_busy_drawing_is_told_by_pixels_that_repeat():
    """A patterned page of many colours leaves blocks with more than two; but areas stay even."""
    rng = np.random.default_rng(0)
    page = np.kron(rng.integers(0, 256, (40, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    picture = Image.fromarray(page).convert("RGBA")
    assert not is_photograph(np.asarray(picture))
    assert is_photograph(np.asarray(as_jpeg(picture, 60))), "the limit of what can be told"
