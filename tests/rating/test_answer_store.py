"""The database of answers: what stands, what is history, and what is wrong with a file."""

import json
import os
import sqlite3

import pytest

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.rating.answer_store import AnswerStore
from tests.rating.sets import rating

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.fixture
def store(tmp_path):
    with AnswerStore(tmp_path / "ratings.sqlite") as store:
        yield store


def history(store):
    """(picture, answer, whether it still counts) of every answer there ever was."""
    rows = store.connection.execute("SELECT picture, answer, undone FROM answers ORDER BY id")
    return [(picture, json.loads(answer), undone is None) for picture, answer, undone in rows]


def test_an_answer_that_is_replaced_or_taken_back_is_history(store):
    store.add(rating("a", True))
    store.add(rating("a", False))
    id = store.add(rating("b", True))
    store.add(rating("b", True, rater="Bob"))
    store.undo([id])
    assert history(store) == [
        ("a", True, False),
        ("a", False, True),
        ("b", True, False),
        ("b", True, True),
    ]
    assert [(row.picture, row.rater) for row in store.ratings("match")] == [
        ("a", "Ann"),
        ("b", "Bob"),
    ]
    assert store.ratings("style") == []


def test_answers_come_back_as_they_were_given(store):
    rows = [
        rating("a", True, sha256="0" * 64, model="m"),
        rating("a", "left", question="pair", other="b", sha256="0" * 64, other_sha256="1" * 64),
        rating("a", "tie", question="pair", other="c"),
    ]
    for row in rows:
        store.add(row)
    assert store.ratings("match") == rows[:1] and store.ratings("pair") == rows[1:]


def test_a_skip_is_an_answer_only_for_the_order(store):
    id = store.skip("Ann", "match", ("a", None))
    assert store.ratings("match") == []
    (answer,) = store.standing("match", "Ann")
    assert (answer.id, answer.item, answer.rating) == (id, ("a", None), None)
    assert store.standing("match", "Bob") == []
    store.add(rating("a", True))
    assert history(store) == [("a", "skip", False), ("a", True, True)]


def test_what_is_taken_in_twice_counts_once(store):
    rows = [rating("a", True, time=EARLY), rating("b", False, time=EARLY)]
    assert [store.take(rows), store.take(rows), store.take([*rows, *rows])] == [2, 0, 0]
    assert len(history(store)) == 2


def test_of_two_answers_the_later_one_counts_in_whichever_order_they_come(store):
    early, late = rating("a", True, time=EARLY), rating("a", False, time=LATE)
    assert store.take([late]) == store.take([early]) == 1
    assert store.ratings("match") == [late]
    assert store.take([rating("a", True, time="2026-01-02T02:00:00+01:00")]) == 1, "an hour later"
    assert [row.answer for row in store.ratings("match")] == [True]


def test_what_was_taken_back_here_does_not_come_again_by_an_older_file(store):
    row = rating("a", True)
    store.undo([store.add(row)])
    assert store.take([row]) == 0 and store.ratings("match") == []


def test_an_answer_is_on_the_disk_at_once(store):
    store.add(rating("a", True))
    with sqlite3.connect(store.path) as other:
        assert other.execute("SELECT count(*) FROM answers").fetchone() == (1,)
    other.close()
    pragmas = ("synchronous", "journal_mode")
    assert [store.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas] == [
        2,
        "wal",
    ]


def other_database(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (id)")
    connection.close()


def newer(path):
    AnswerStore(path).connection.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def damaged(path):
    with AnswerStore(path) as store:
        store.take([rating(f"{number}", True, sha256="0" * 64) for number in range(2000)])
    content = bytearray(path.read_bytes())
    for place in range(4096, len(content), 4096):
        content[place : place + 64] = os.urandom(64)
    path.write_bytes(content)


def cut(path):
    damaged(path)
    path.write_bytes(path.read_bytes()[:10_000])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"no database, but long enough to be one" * 99), "broken"),
        (lambda path: path.write_bytes(b"\0" * 8192), "broken"),
        (other_database, "no database of ratings"),
        (newer, "newer version"),
        (damaged, "broken"),
        (cut, "broken"),
        (lambda path: path.mkdir(), "a folder, not a file"),
        (os.mkfifo, "a named pipe"),
    ],
    ids=["text", "zeros", "other", "newer", "damaged", "cut", "folder", "pipe"],
)
def test_a_file_that_is_no_database_of_ratings_is_left_alone(tmp_path, make, message):
    path = tmp_path / "ratings.sqlite"
    make(path)
    content = path.read_bytes() if path.is_file() else None
    with pytest.raises(InputError, match=message):
        AnswerStore(path)
    assert content is None or path.read_bytes() == content


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("answer", "maybe"),
        ("answer", '"left"'),
        ("time", "yesterday"),
        ("rater", ""),
        ("answer", "3"),
    ],
)
def test_a_row_that_somebody_changed_is_named(store, column, value):
    store.add(rating("a", True))
    store.connection.execute(f"UPDATE answers SET {column} = ?", (value,))
    with pytest.raises(InputError, match="broken"):
        store.ratings("match")


def test_a_folder_that_is_not_there_is_the_machines_fault(tmp_path):
    with pytest.raises(EnvironmentFault, match="cannot write"):
        AnswerStore(tmp_path / "gone" / "ratings.sqlite")
