"""captions.jsonl: what it keeps, and what a call that was killed leaves in it."""

import json
import os

import pytest

from stickerforge.data.caption_files import (
    RECORD_FILE,
    append_record,
    new_record,
    read_records,
    update_records,
    write_caption,
    write_records,
)
from stickerforge.data.captions import Caption, read_caption
from stickerforge.errors import InputError


def record(picture="a.png", text="a <dog>", source="model"):
    return new_record(
        picture, "00", Caption(text, text.replace("<dog>", "dog")), source, "", "<dog>|dog|long"
    )


def test_records_come_back_in_the_order_of_their_names(tmp_path):
    assert read_records(tmp_path) == {}
    records = {name: record(name) for name in ("b.png", "a.png")}
    write_records(tmp_path, records)
    rows = [json.loads(line) for line in (tmp_path / RECORD_FILE).read_text().splitlines()]
    assert [row["picture"] for row in rows] == ["a.png", "b.png"]
    assert list(rows[0]) == [
        "picture",
        "sha256",
        "caption",
        "base_caption",
        "source",
        "model",
        "asked",
        "time",
        "seal",
    ]
    assert read_records(tmp_path) == records


def test_a_line_that_was_changed_by_hand_is_known(tmp_path):
    write_records(tmp_path, {"a.png": record()})
    path = tmp_path / RECORD_FILE
    assert not read_records(tmp_path)["a.png"].changed_by_hand
    path.write_text(path.read_text().replace("a <dog>", "my <dog>"))
    assert read_records(tmp_path)["a.png"].changed_by_hand


def test_of_several_lines_that_of_the_text_counts_and_half_a_line_does_not(tmp_path):
    first, second = record(text="a <dog>"), record(text="the <dog>")
    for one in (first, second):
        append_record(tmp_path, one)
    with (tmp_path / RECORD_FILE).open("a") as file:
        file.write('{"picture": "b')
    assert read_records(tmp_path) == {"a.png": second}, "without a text the last"
    write_caption(tmp_path / "a.png", "a <dog>")
    assert read_records(tmp_path) == {"a.png": first}


def test_a_line_after_half_a_line_is_whole(tmp_path):
    append_record(tmp_path, record("a.png"))
    with (tmp_path / RECORD_FILE).open("a") as file:
        file.write('{"picture": "b')  # of a call that was killed while this one works
    append_record(tmp_path, record("c.png"))
    assert sorted(read_records(tmp_path)) == ["a.png", "c.png"]


def test_a_record_that_another_call_changed_stays(tmp_path):
    known = {"a.png": record("a.png"), "b.png": record("b.png")}
    theirs = record("a.png", "their <dog>", "person")
    write_records(tmp_path, known | {"a.png": theirs, "new.png": record("new.png")})
    mine = {name: record(name, "my <dog>", "person") for name in known}
    update_records(tmp_path, mine, known)
    assert read_records(tmp_path) == {
        "a.png": theirs,
        "b.png": mine["b.png"],
        "new.png": record("new.png"),
    }


def test_captions_are_found_however_their_accents_are_spelled(tmp_path):
    picture = tmp_path / "caf\u00e9.png"
    (tmp_path / "cafe\u0301.txt").write_text("a cafe\u0301\n", encoding="utf-8")
    assert read_caption(picture) == "a caf\u00e9"
    write_caption(picture, "another")
    assert [path.name for path in tmp_path.iterdir()] == ["cafe\u0301.txt"]


def test_a_record_is_of_a_picture_in_the_folder(tmp_path):
    for picture in ("../a.png", "/etc/a.png", "b/a.png", ".."):
        write_records(tmp_path, {picture: record(picture)})
        with pytest.raises(InputError, match="not the name of a picture"):
            read_records(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_named(tmp_path, kind):
    for name in (RECORD_FILE, "a.txt"):
        if kind == "pipe":
            os.mkfifo(tmp_path / name)
        elif kind == "device":
            (tmp_path / name).symlink_to("/dev/zero")
        else:
            (tmp_path / name).mkdir()
    for read in (lambda: read_records(tmp_path), lambda: read_caption(tmp_path / "a.png")):
        with pytest.raises(InputError, match=f"it is a (named )?{kind}, not a file"):
            read()


@pytest.mark.parametrize(
    "content", ['{"picture": 3}\n', "[]\n", "nonsense\n", "[" * 9999 + "\n", "\udce9\n"]
)
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / RECORD_FILE).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="captions.jsonl is broken"):
        read_records(tmp_path)
