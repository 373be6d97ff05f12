"""Sets: what is written is read back, and what is broken is named with its line."""

import json

import pytest

from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.errors import InputError
from stickerforge.rating.rating_set import (
    Accepted,
    Candidate,
    Removal,
    SetInfo,
    is_set,
    read_accepted,
    read_set,
    set_folder,
    write_accepted,
    write_candidates,
    write_info,
    write_removals,
)
from tests.rating.sets import PROMPTS, read_removals, write_set


def test_what_is_written_is_read_back(tmp_path):
    candidates = write_set(tmp_path, guideline="Look <b>twice</b>.")
    found = read_set(tmp_path)
    assert is_set(tmp_path) and not is_set(tmp_path / "pictures")
    assert (found.candidates, found.question) == (candidates, "match")
    assert found.guideline == "Look <b>twice</b>."
    assert found.path(candidates[0]).exists()
    removals = [Removal("removed/1.png", "a cat", "text area", 0.4, 0.1)]
    assert read_removals(tmp_path) == []
    write_removals(tmp_path, removals)
    assert read_removals(tmp_path) == removals
    accepted = [Accepted("pictures/000001.png", PROMPTS[1], 2, 1)]
    write_accepted(tmp_path, "style", accepted)
    assert read_accepted(tmp_path, "style") == accepted


def test_the_outcome_is_a_table_of_captioned_pictures(tmp_path):
    write_set(tmp_path)
    path = write_accepted(tmp_path, "match", [Accepted("pictures/000001.png", PROMPTS[1], 1, 0)])
    assert path.name == "content.jsonl"
    (pair,) = read_captioned_pictures(path).pictures
    assert (pair[0].path.name, pair[1]) == ("000001.png", PROMPTS[1])


def test_every_question_has_a_guideline(tmp_path):
    for question in ("match", "style", "pair"):
        write_set(tmp_path / question, question=question)
        assert read_set(tmp_path / question).guideline.endswith("?")


def test_a_prompt_without_an_id_is_its_own(tmp_path):
    assert Candidate("a.png", "a cat").prompt_id == "a cat"


def test_sets_of_a_name_are_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path))
    assert set_folder("fluent", "match") == tmp_path / "sets" / "fluent" / "content"
    assert set_folder("fluent", "style") == tmp_path / "sets" / "fluent" / "style"


ROW = {"file_name": "pictures/1.png", "text": "a cat"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: "),
        ("[]", "line 2: it is .*not a table"),
        ('{"text": "a cat"}', "line 2: there is no file_name"),
        ('{"file_name": "pictures/1.png"}', "line 2: there is no text"),
        (json.dumps(ROW), "line 2: pictures/1.png is on line 1 already"),
        (json.dumps(ROW | {"file_name": "../1.png"}), "line 2: file_name .* within the set"),
        (json.dumps(ROW | {"file_name": "a/../../1.png"}), "line 2: file_name"),
        (json.dumps(ROW | {"file_name": "/etc/passwd"}), "line 2: file_name"),
        (json.dumps(ROW | {"file_name": "a\x00.png"}), "line 2: file_name"),
        (json.dumps(ROW | {"file_name": "2.png", "text": " \u200b"}), "line 2: the text is empty"),
        (json.dumps(ROW | {"file_name": "2.png", "text": "x\x07"}), "line 2: .*no caption"),
        (json.dumps(ROW | {"file_name": "2.png", "seed": -1}), "line 2: seed"),
        (json.dumps(ROW | {"file_name": "2.png", "seed": "7"}), "line 2: seed"),
        (json.dumps(ROW | {"file_name": "2.png", "model": 3}), "line 2: model"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    write_info(tmp_path, SetInfo("match"))
    (tmp_path / "candidates.jsonl").write_text(f"{json.dumps(ROW)}\n{line}\n")
    with pytest.raises(InputError, match=message):
        read_set(tmp_path)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (None, "no set.json"),
        (b"{", r"set\.json"),
        (b"\xff", r"set\.json"),
        (b'{"question": "taste"}', "question is 'taste'"),
        (b'{"guideline": "x"}', "there is no question"),
        (b'{"question": "pair", "guideline": 3}', "guideline"),
    ],
)
def test_a_broken_set_json_is_named(tmp_path, info, message):
    write_candidates(tmp_path, [Candidate("a.png", "a cat")])
    if info is not None:
        (tmp_path / "set.json").write_bytes(info)
    with pytest.raises(InputError, match=message):
        read_set(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_set_is_refused(tmp_path, content):
    write_info(tmp_path, SetInfo("match"))
    (tmp_path / "candidates.jsonl").write_bytes(content)
    with pytest.raises(InputError, match="lists no pictures"):
        read_set(tmp_path)


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    write_info(tmp_path, SetInfo("match"))
    (tmp_path / "candidates.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"cannot read .*candidates\.jsonl"):
        read_set(tmp_path)
    (tmp_path / "candidates.jsonl").unlink()
    with pytest.raises(InputError, match=r"there is no .*candidates\.jsonl"):
        read_set(tmp_path)
