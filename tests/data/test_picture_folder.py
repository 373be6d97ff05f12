"""Folders of references: every file is read, named, or passed over with a line."""

import io
import os
from pathlib import Path

import pytest

from stickerforge.data.picture_folder import describe_skipped, read_folder
from stickerforge.errors import InputError
from tests.stickers.test_image_reader import encoded, gradient

HEIC = b"\0\0\0\x18ftypheic" + bytes(100)


def fill(folder: Path) -> None:
    """One good picture among everything that can go wrong."""
    gradient().save(folder / "good.png")
    whole = io.BytesIO()
    gradient(400, 300).save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("no picture")
    (folder / "notes.md").write_text("# notes")
    gradient(4, 4).save(folder / "tiny.png")
    gradient(16, 400).save(folder / "thin.png")
    (folder / "drawing.png").write_bytes(encoded("EPS"))
    (folder / "source.psd").write_bytes(b"8BPS\0\1")
    (folder / "nameless").write_bytes(encoded("PNG"))
    (folder / "phone").write_bytes(HEIC)
    (folder / ".hidden").write_text("x")
    (folder / "folder").mkdir()
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "good.txt").write_text("a caption")
    (folder / "orphan.txt").write_text("a caption of nothing")


def test_every_file_of_a_folder_is_accounted_for(tmp_path):
    fill(tmp_path)
    found = read_folder(tmp_path)
    assert [picture.path.name for picture in found.pictures] == ["good.png", "nameless"]
    others = ["folder/", "gone.png", "notes.md", "pipe.png", "source.psd", "orphan.txt"]
    assert found.other_files == others
    assert [line.split(":")[0] for line in found.unreadable] == [
        "cut.jpg",
        "drawing.png",
        "empty.png",
        "phone",
        "text.jpg",
        "thin.png",
        "tiny.png",
    ]
    assert "PostScript" in found.unreadable[1] and "HEIC" in found.unreadable[3]
    assert describe_skipped(found.other_files) == [
        "passed over, since they are no pictures: gone.png, notes.md, pipe.png, source.psd",
        "passed over, since no picture has their names (a caption is named like its picture): "
        "orphan.txt",
        "passed over, since folders inside are not entered: folder/",
    ]


@pytest.mark.parametrize("content", ["nothing", "text", "missing"])
def test_a_folder_without_pictures(tmp_path, content):
    folder = tmp_path / "folder"
    if content != "missing":
        folder.mkdir()
    if content == "text":
        (folder / "a.doc").write_text("hello")
    with pytest.raises(
        InputError, match="no folder" if content == "missing" else "no picture in it"
    ):
        read_folder(folder)


@pytest.mark.parametrize("names", [["10_dog"], ["1_a", "2_b"]])
def test_folders_that_hold_the_pictures_are_named(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
        gradient().save(tmp_path / name / "a.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=", ".join(f"{name}/" for name in names)) as raised:
        read_folder(tmp_path)
    assert raised.value.hint == f"give {tmp_path / names[0]}"
    assert "empty" not in raised.value.message


@pytest.mark.parametrize("name", ["a.HEIC", "a.JPG", "a.png", "a"])
def test_a_telephone_picture_is_told_how_to_be_mended(tmp_path, name):
    gradient().save(tmp_path / "b.png")
    (tmp_path / name).write_bytes(HEIC)
    assert read_folder(tmp_path).unreadable == [
        f"{name}: HEIC cannot be read, save it as JPEG or PNG"
    ]


def test_one_file_is_refused_for_its_own_fault(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"^a.png: an empty file"):
        read_folder(tmp_path / "a.png")


def test_what_our_own_commands_leave_beside_pictures_is_not_worth_a_line(tmp_path):
    gradient().save(tmp_path / "a.png")
    for name in ("captions.html", "captions.jsonl", "generate.toml", "notes.md"):
        (tmp_path / name).write_text("")
    assert read_folder(tmp_path).other_files == ["notes.md"]


def test_the_last_picture_cannot_be_left_out(tmp_path):
    for name in ("a.png", "b.png"):
        gradient().save(tmp_path / name)
    folder = read_folder(tmp_path)
    first, last = folder.pictures
    folder.leave_out(first, InputError("a.png: it has gone"))
    assert folder.pictures == [last] and folder.unreadable == ["a.png: it has gone"]
    with pytest.raises(InputError, match="it changed"):
        folder.leave_out(last, InputError("it changed"))
