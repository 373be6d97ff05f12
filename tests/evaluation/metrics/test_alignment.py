"""The sentences of a prompt."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image

from stickerforge.evaluation.metrics.alignment import alignment, segments
from stickerforge.models.encoders import load_encoder
from stickerforge.stickers.color import WHITE
from tests.evaluation.inputs import metric_input


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a cat", ["a cat"]),
        ("A cat. It has a crown. ", ["A cat", "It has a crown"]),
        ("a; b\nc", ["a", "b", "c"]),
        ("...", ["..."]),
        ("about 3.5 percent", ["about 3.5 percent"]),
        ("A cat.\nIt has a crown.", ["A cat", "It has a crown"]),
        ("Who? Me!", ["Who", "Me"]),
        ("Dr. Fox. It is 3.5 m tall.", ["Dr. Fox", "It is 3.5 m tall"]),
        ("红猫。它坐着。", ["红猫", "它坐着"]),
    ],
)
def test_segments(text, expected):
    assert segments(text) == expected


@pytest.mark.parametrize("end", ["zebra", "猫猫猫"])
def test_a_sentence_that_is_not_read_at_once_is_read_in_parts(clip, end):
    encoder = load_encoder(str(clip))
    picture = SimpleNamespace(full=encoder.images([Image.new("RGB", (32, 32), "red")], WHITE)[0])
    values = []
    for text in ("a cat, and " * 9, "a cat, and " * 9 + end):
        data = metric_input([picture] * 2, [text, "a cat"])
        values.append(alignment(replace(data, encoder=encoder)))
    (first, short), (second, again) = values
    assert short == pytest.approx(again, abs=1e-6) and abs(first - second) > 1e-6
