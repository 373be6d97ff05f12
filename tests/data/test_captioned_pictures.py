"""Pictures with captions: texts beside them, and tables that list both."""

import json

import pytest
from PIL import Image

from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.errors import InputError

CAPTIONS = {"a.png": "a red cat", "b.png": "two dogs. They sleep."}


@pytest.fixture
def folder(tmp_path):
    for name in CAPTIONS:
        Image.new("RGB", (40, 40), "red").save(tmp_path / name)
    return tmp_path


def write_table(folder, rows, name="metadata.jsonl"):
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows))
    return folder / name


def found(place):
    data = read_captioned_pictures(place)
    return {picture.path.name: caption for picture, caption in data.pictures}, data


def test_texts_beside_pictures(folder):
    for name, caption in CAPTIONS.items():
        (folder / name).with_suffix(".txt").write_text(f"{caption}\n")
    Image.new("RGB", (40, 40)).save(folder / "c.png")
    (folder / "notes.pdf").write_text("?")
    captions, data = found(folder)
    assert captions == CAPTIONS
    assert data.without_caption == ["c.png"] and data.other_files == ["notes.pdf"]


@pytest.mark.parametrize(
    "keys", [("file_name", "text"), ("picture", "caption"), ("image", "prompt")]
)
def test_tables_of_several_habits(folder, keys):
    rows = [dict(zip(keys, pair, strict=True)) for pair in CAPTIONS.items()]
    table = write_table(folder, rows, "any.jsonl")
    assert found(table)[0] == CAPTIONS
    write_table(folder, rows)
    assert found(folder)[0] == CAPTIONS, "a folder with metadata.jsonl is read by it"


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_used(folder):
    (folder / "b.png").write_bytes(b"no picture")
    table = write_table(folder, [{"file_name": name, "text": "x"} for name in [*CAPTIONS, "gone"]])
    captions, data = found(table)
    assert list(captions) == ["a.png"]
    assert [line.partition(":")[0] for line in data.unreadable] == ["b.png", "gone"]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"file_name": "a.png", "text": " \u200b "}, "line 2: the caption is empty"),
        ({"file_name": "a.png"}, "line 2: there is no text 'text'"),
        ({"text": "a cat"}, "line 2: there is no text 'file_name'"),
        ({"file_name": "a.png", "text": 3}, "line 2: there is no text 'text'"),
        (["a.png", "a cat"], "line 2: there is no text 'file_name'"),
        ({"file_name": "a.png", "text": "cat " * 900}, "line 2: that is no caption"),
    ],
)
def test_a_broken_row_is_named_by_its_line(folder, row, what):
    table = write_table(folder, [{"file_name": "b.png", "text": "a dog"}, row])
    with pytest.raises(InputError, match=what):
        read_captioned_pictures(table)


def test_an_empty_caption_a_folder_without_captions_and_none_at_all(folder):
    with pytest.raises(InputError, match="no picture in it has a caption") as error:
        read_captioned_pictures(folder)
    assert f"stickerforge caption {folder}" in error.value.hint
    (folder / "a.txt").write_text(" \n")
    with pytest.raises(InputError, match=r"the caption of a\.png is empty"):
        read_captioned_pictures(folder)
    with pytest.raises(InputError, match="no folder"):
        read_captioned_pictures(folder / "nowhere")
    with pytest.raises(InputError, match="lists no pictures"):
        read_captioned_pictures(folder / "a.png")
