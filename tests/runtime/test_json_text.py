"""JSON of strangers: finite, and not without end."""

import pytest

from stickerforge.runtime.json_text import MAX_DEPTH, parse_json


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        '{"a": -Infinity}',
        '{"a": 1e999}',
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
        "1" * 5000,
        "{",
        "",
        b"\xff\xff",
    ],
)
def test_what_is_refused(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_what_is_taken():
    assert parse_json(b'{"a": [1, -2.5e3, null, true, "\xc3\xa9"]}') == {
        "a": [1, -2500.0, None, True, "é"]
    }
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_json(deepest)
