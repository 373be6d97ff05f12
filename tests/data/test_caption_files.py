"""captions.jsonl: what it keeps, and what a call that was killed leaves in it."""

import json

import pytest

from stickerforge.data.caption_files import (
    RECORD_FILE,
    append_record,
    new_record,
    read_records,
    write_caption,
    write_records,
)
from stickerforge.data.captions import Caption
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


@pytest.mark.parametrize("content", ['{"picture": 3}\n', "[]\n", "nonsense\n", "\udce9\n"])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / RECORD_FILE).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="captions.jsonl is broken"):
        read_records(tmp_path)
