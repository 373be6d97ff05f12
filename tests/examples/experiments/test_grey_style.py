"""Styles of grey pictures: what is drawn decides, and no palette."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from examples.experiments.bench import bench_grey, grey_features, grey_style
from examples.experiments.bench.bench_items import CLEAR, Item
from examples.recipes.mini.scene import Thing, Truth
from examples.recipes.mini.settings import STYLES
from stickerforge.stickers.image_files import encode_image
from tests.examples.recipes.mini.scenes import make_subject

GREYS = (40, 90, 150, 210)
# Of luma: another palette with the same greys keeps it.
WEIGHTS = np.array([0.299, 0.587, 0.114])


def drawing(style, seed):
    """A picture in one of four manners: shaded, outlined, striped, flat; of random shapes."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGBA", (128, 128))
    pen = ImageDraw.Draw(page)
    for number in range(4):
        x, y, size = (*rng.integers(20, 60, 2), rng.integers(35, 60))
        box = (int(x), int(y), int(x + size), int(y + size))
        grey = GREYS[(number + seed) % 4]
        pen.ellipse(box, fill=(grey, grey, grey, 255))
        if style == "twemoji":
            pen.ellipse(box, outline=(10, 10, 10, 255), width=4)
        if style == "flat":
            for row in range(box[1] + 8, box[3] - 8, 9):
                pen.line((box[0] + 12, row, box[2] - 12, row), fill=(20, 20, 20, 255), width=3)
    if style == "noto":
        planes = np.array(page).astype(float)
        planes[..., :3] *= np.linspace(1.2, 0.5, 128)[:, None, None]
        page = Image.fromarray(planes.clip(0, 255).astype(np.uint8))
    return page


def recoloured(picture, seed):
    """Other colours of the very same luma."""
    planes = np.array(picture).astype(float)
    shift = np.random.default_rng(seed).uniform(-12, 12, 3)
    planes[..., :3] += shift - shift @ WEIGHTS
    return Image.fromarray(planes.clip(0, 255).round().astype(np.uint8))


def contrast(picture):
    """A paler palette: every grey nearer to white."""
    planes = np.array(picture).astype(float)
    planes[..., :3] = 110 + 0.55 * planes[..., :3]
    return Image.fromarray(planes.round().astype(np.uint8))


@pytest.fixture(scope="module")
def classifier():
    pairs = [(drawing(s, n), STYLES.index(s)) for n in range(30) for s in STYLES]
    features = np.stack([grey_features.grey_features(picture) for picture, _ in pairs])
    return grey_style.fit(features, np.array([number for _, number in pairs]))


def test_manners_of_drawing_are_told_apart_on_pictures_never_seen(classifier):
    asked = [style for _ in range(100, 110) for style in STYLES]
    read = classifier.read([drawing(s, n) for n in range(100, 110) for s in STYLES])
    assert np.mean([a == b for a, b in zip(asked, read, strict=True)]) > 0.9


@pytest.mark.parametrize(
    "change", [lambda p: recoloured(p, 1), lambda p: recoloured(p, 2), contrast]
)
def test_another_palette_changes_no_reading(classifier, change):
    pictures = [drawing(style, seed) for seed in range(200, 206) for style in STYLES]
    assert classifier.read([change(each) for each in pictures]) == classifier.read(pictures)


def test_features_are_of_the_figure_alone():
    picture = drawing("twemoji", 3)
    planes = np.array(picture)
    planes[planes[..., 3] == 0, :3] = 255  # what lies under clear pixels
    other = Image.fromarray(planes)
    first, second = (grey_features.grey_features(each) for each in (picture, other))
    assert first == pytest.approx(second) and np.isfinite(first).all()


@pytest.mark.parametrize("colour", [(0, 0, 0, 0), (9, 9, 9, 255), (255, 255, 255, 90)])
def test_pictures_of_nothing_have_features(colour):
    for size in ((64, 64), (300, 200)):
        features = grey_features.grey_features(Image.new("RGBA", size, colour))
        assert np.isfinite(features).all()


def test_chance_in_grey_is_that_of_other_prompts(classifier):
    items = [
        Item(
            f"{s}-{n}",
            "single",
            "",
            n,
            f"{s}-{n}",
            Truth(s, (Thing(make_subject("cat face")),), "", CLEAR),
        )
        for n in range(3)
        for s in STYLES
    ]
    pictures = [drawing(item.truth.style, 300 + item.seed) for item in items]
    scores, chance = bench_grey.grey_scores(items, pictures, classifier)
    assert set(scores) == {item.id for item in items} and np.mean(list(scores.values())) > 0.9
    # Of the eleven other prompts two ask for the same style.
    assert chance == pytest.approx(2 / 11, abs=0.05)


@pytest.mark.parametrize(
    ("output", "finished"),
    [({"colours": "auto", "flat": "ef3978e4"}, True), ({"colours": "drawn"}, False), (None, False)],
)
def test_pictures_remember_that_they_were_finished(tmp_path, output, finished):
    params = {} if output is None else {"seed": 1, "output": output}
    data = encode_image(np.zeros((8, 8, 4), np.uint8), params, "stickerforge 0", "png")
    (tmp_path / "a.png").write_bytes(data)
    assert bench_grey.is_finished(tmp_path) is finished
