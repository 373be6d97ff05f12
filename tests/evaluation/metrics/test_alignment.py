"""The sentences of a prompt."""

import pytest

from stickerforge.evaluation.metrics.alignment import segments


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
    ],
)
def test_segments(text, expected):
    assert segments(text) == expected
