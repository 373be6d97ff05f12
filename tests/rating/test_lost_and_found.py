"""Answers whose pictures, names or database changed: none is lost, and none counts for another."""

import json
import os
import re

import pytest
from PIL import Image

from stickerforge.rating.answer_store import STORE
from tests.command_line import one_line
from tests.rating.sets import rating, write_set


@pytest.fixture
def folder(tmp_path):
    write_set(tmp_path / "set", 12)
    return tmp_path / "set"


@pytest.fixture
def rated(folder, cli, tmp_path):
    """A set of twelve, all of which Ann passed."""
    rows = [rating(f"pictures/{number:06}.png", True, "Ann") for number in range(12)]
    path = tmp_path / "ann.jsonl"
    path.write_text("".join(json.dumps({**vars(row)}) + "\n" for row in rows))
    assert cli("rate", folder, "--ratings", path).code == 0
    return folder


def passed(cli, folder, *options):
    return cli("rate", folder, "--export", "-", "--json", *options).json["result"]["passed"]


def test_an_answer_counts_again_when_its_picture_is_back(cli, rated):
    path = rated / "pictures" / "000002.png"
    before = path.read_bytes()
    Image.new("RGBA", (8, 8), "red").save(path)
    assert passed(cli, rated) == 11
    path.write_bytes(before)
    assert passed(cli, rated) == 12


def test_an_answer_about_the_picture_in_between_does_not_stay(cli, rated, tmp_path):
    path = rated / "pictures" / "000002.png"
    before = path.read_bytes()
    Image.new("RGBA", (8, 8), "red").save(path)
    line = {**vars(rating("pictures/000002.png", False, "Ann")), "sha256": ""}
    (tmp_path / "more.jsonl").write_text(json.dumps(line | {"time": "2099-01-01T00:00:00Z"}))
    assert cli("rate", rated, "--ratings", tmp_path / "more.jsonl").code == 0
    path.write_bytes(before)
    assert passed(cli, rated) == 12


@pytest.mark.parametrize("content", [b"", None])
def test_an_empty_database_does_not_wipe_the_copy_of_its_answers(cli, rated, content):
    for path in rated.glob(f"{STORE}*"):
        path.unlink()
    if content is not None:
        (rated / STORE).write_bytes(content)
    copy = (rated / "ratings.jsonl").read_bytes()
    line = one_line(cli("rate", rated, "--export", "-"))
    assert "holds no answers" in line and "--ratings" in line
    assert (rated / "ratings.jsonl").read_bytes() == copy
    assert passed(cli, rated, "--ratings", rated / "ratings.jsonl") == 12


def test_each_question_has_its_own_copy(cli, rated, tmp_path):
    copy = (rated / "ratings.jsonl").read_bytes()
    row = rating("pictures/000000.png", "left", "Ann", question="pair", other="pictures/000003.png")
    (tmp_path / "pair.jsonl").write_text(json.dumps(vars(row)))
    ended = cli("rate", rated, "--question", "pair", "--ratings", tmp_path / "pair.jsonl")
    assert ended.code == 0, ended.out
    assert len((rated / "ratings-pair.jsonl").read_text().splitlines()) == 1
    assert (rated / "ratings.jsonl").read_bytes() == copy


def test_offline_pages_of_two_sets_keep_their_answers_apart(cli, tmp_path):
    pages = []
    for name in ("first", "second"):
        write_set(tmp_path / name, 3)
        assert cli("rate", tmp_path / name, "--offline").code == 0
        pages.append((tmp_path / name / "rate.html").read_text(encoding="utf-8"))
    ids = [re.search(r'"set": ?"(\w+)"', page)[1] for page in pages]
    assert ids[0] != ids[1]


def test_the_offline_page_changes_its_id_with_its_pictures(cli, folder):
    ids = []
    for color in ("red", "blue"):
        Image.new("RGBA", (8, 8), color).save(folder / "pictures" / "000001.png")
        assert cli("rate", folder, "--offline").code == 0
        page = (folder / "rate.html").read_text(encoding="utf-8")
        ids.append(re.search(r'"set": ?"(\w+)"', page)[1])
    assert ids[0] != ids[1]


def test_a_name_that_is_not_utf_8_is_left_out(cli, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"good", b"\xff"):
        path = os.fsencode(folder) + b"/" + name
        Image.new("RGBA", (8, 8), "red").save(os.fsdecode(path + b".png"))
        with open(path + b".txt", "w") as file:
            file.write("a thing")
    ended = cli("rate", folder, "--export", "-", "--json")
    assert ended.code == 4 and ended.json["result"]["items"] == 1
    assert "not UTF-8" in ended.json["result"]["failed"][0]
