"""How much of a picture text covers; with rapidocr where it is installed."""

import sys
import types

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stickerforge.errors import EnvironmentFault
from stickerforge.models import text_area
from stickerforge.models.text_area import covered_share, is_text, load_text_area


def written(lines, size, color="black", side=512):
    image = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(image)
    pen.ellipse((side // 4, side // 4, side * 3 // 4, side * 3 // 4), fill="orange")
    pen.multiline_text((20, 20), lines, font=ImageFont.load_default(size), fill=color)
    return image


def test_boxes_that_overlap_count_once():
    boxes = np.array(
        [
            [[0, 0], [49, 0], [49, 99], [0, 99]],
            [[25, 0], [74, 0], [74, 99], [25, 99]],
        ]
    )
    assert covered_share((100, 100), boxes) == pytest.approx(0.75)
    assert covered_share((100, 200), boxes[:1]) == pytest.approx(0.25)
    assert covered_share((50, 50), []) == 0
    beyond = [[[-50, -50], [500, -50], [500, 500], [-50, 500]]]
    assert covered_share((10, 10), beyond) == 1


@pytest.mark.parametrize(
    ("text", "confidence", "counts"),
    [
        ("OMG", 0.99, True),
        ("中文", 0.9, True),
        ("4", 0.99, False),
        ("A!", 0.99, False),
        ("hello", 0.4, False),
        ("", 1.0, False),
    ],
)
def test_what_counts_as_text(text, confidence, counts):
    assert is_text(text, confidence) is counts


def test_only_boxes_whose_text_was_read_count(monkeypatch):
    class Engine:
        def __init__(self, params):
            self.side = None

        def __call__(self, rgb, **options):
            assert rgb.shape == (256, 256, 3) and options["use_rec"]
            half = np.array([[0, 0], [127, 0], [127, 255], [0, 255]])
            right = half + (128, 0)
            return types.SimpleNamespace(
                boxes=np.array([half, right]), txts=("SALE", "O"), scores=(0.97, 0.99)
            )

    monkeypatch.setitem(sys.modules, "rapidocr", types.SimpleNamespace(RapidOCR=Engine))
    assert load_text_area()(Image.new("RGBA", (64, 64))) == pytest.approx(0.5)


def test_without_the_package_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(EnvironmentFault) as error:
        load_text_area()
    assert "-m pip install" in str(error.value) and "\n" not in str(error.value)
    assert "rapidocr" in error.value.hint and "turn the setting text off" in error.value.hint


@pytest.mark.skipif(not text_area.can_find_text(), reason="rapidocr is not installed")
@pytest.mark.parametrize(
    ("image", "low", "high"),
    [
        (written("", 60), 0, 0),
        (Image.new("RGBA", (200, 200), "red"), 0, 0),
        (written("HELLO WORLD", 60), 0.05, 0.2),
        (written("HELLO WORLD", 60).resize((128, 128)), 0.05, 0.2),
        (written("buy one\nget one\nfree", 110, "purple"), 0.3, 0.8),
    ],
)
def test_on_pictures_with_and_without_text(image, low, high):
    assert low <= load_text_area()(image) <= high
