"""Files of ratings: what goes out comes in, and what is broken is named with its line."""

import json
from dataclasses import asdict

import pytest

from stickerforge.errors import InputError
from stickerforge.rating.ratings import latest, now, read_ratings, write_ratings
from tests.rating.sets import rating

ROW = asdict(rating("a.png", True))
PAIR = ROW | {"question": "pair", "answer": "tie", "other": "b.png"}


def test_what_goes_out_comes_in(tmp_path):
    rows = [
        rating("a.png", True, rater="Zoë <b>", time=now()),
        rating("pictures/b.png", False, question="style", model="m", sha256="0" * 64),
        rating("a.png", "left", question="pair", other="b.png", time="2026-01-31T12:00:00+02:00"),
    ]
    write_ratings(tmp_path / "out.jsonl", rows)
    assert read_ratings(tmp_path / "out.jsonl") == rows


def test_a_row_as_others_write_it_is_enough(tmp_path):
    """What has no digest, blank lines, a mark before the text and keys of later versions."""
    fields = {key: ROW[key] for key in ("picture", "question", "answer", "rater", "time")}
    line = json.dumps(fields | {"confidence": 0.5, "other": None})
    (tmp_path / "x.jsonl").write_text(f"\ufeff{line}\r\n\n", encoding="utf-8")
    assert read_ratings(tmp_path / "x.jsonl") == [rating("a.png", True)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 2"),
        ("[1]", "line 2: it is"),
        (ROW | {"answer": "yes"}, "line 2: answer"),
        (ROW | {"answer": 1}, "line 2: answer"),
        (ROW | {"answer": None}, "line 2: answer"),
        (ROW | {"answer": "skip"}, "line 2: answer"),
        (ROW | {"answer": "left"}, "line 2: 'left' is no answer to the question 'match'"),
        (PAIR | {"answer": True}, "line 2: True is no answer to the question 'pair'"),
        (PAIR | {"other": None}, 'line 2: a pair has an "other" picture'),
        (ROW | {"other": "b.png"}, 'line 2: a pair has an "other" picture'),
        (PAIR | {"other": "a.png"}, "line 2: both pictures of the pair are the same"),
        (ROW | {"question": "taste"}, "line 2: question"),
        (ROW | {"time": "2026-01-31"}, "line 2: time"),
        (ROW | {"time": "2026-01-31T12:00:00"}, "line 2: time"),
        (ROW | {"time": "2026-99-31T12:00:00Z"}, "line 2: .* is no time"),
        (ROW | {"rater": " "}, "line 2: the name of the rater is empty"),
        (ROW | {"rater": "Ann "}, "line 2: the rater's name"),
        (ROW | {"rater": "a\x07"}, "line 2: .*not seen"),
        (ROW | {"rater": 7}, "line 2: rater"),
        (ROW | {"picture": ""}, "line 2: picture"),
        ({key: ROW[key] for key in ROW if key != "time"}, "line 2: there is no time"),
    ],
)
def test_a_broken_line_is_named(tmp_path, row, message):
    line = row if isinstance(row, str) else json.dumps(row)
    (tmp_path / "x.jsonl").write_text(f"{json.dumps(ROW)}\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_ratings(tmp_path / "x.jsonl")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00"])
def test_a_file_without_ratings_is_refused(tmp_path, content):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.jsonl"):
        read_ratings(tmp_path / "x.jsonl")
    with pytest.raises(InputError, match="there is no .*gone"):
        read_ratings(tmp_path / "gone.jsonl")


def test_the_latest_of_each_rater_item_and_question():
    rows = [
        rating("a", True, time="2026-01-02T00:00:00Z"),
        rating("a", False, time="2026-01-01T00:00:00Z"),
        rating("a", False, rater="Bob"),
        rating("a", True, question="style"),
        rating("b", True),
        rating("b", False),
    ]
    assert latest(rows) == [rows[0], rows[2], rows[3], rows[5]]
