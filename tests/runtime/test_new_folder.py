"""A folder appears with all of its files, or not at all."""

import os
from pathlib import Path

import pytest

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.new_folder import check_new, new_folder


def write(folder, names=("a", "b")):
    with new_folder(folder) as place:
        for name in names:
            (place / name).write_text(name)
        assert not (folder / "a").exists()


def test_a_new_one_with_what_is_above_it(tmp_path):
    write(tmp_path / "x" / "y")
    assert sorted(os.listdir(tmp_path / "x" / "y")) == ["a", "b"]
    assert os.listdir(tmp_path) == ["x"] and os.listdir(tmp_path / "x") == ["y"]


def test_relative_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("x"))
    assert os.listdir() == ["x"]


def test_an_empty_one_stays_the_one_that_it_was(tmp_path, monkeypatch):
    """It may be the current one, or a link."""
    place = tmp_path / "x"
    place.mkdir()
    (tmp_path / "link").symlink_to(place)
    before = place.stat().st_ino
    monkeypatch.chdir(place)
    write(Path("."))
    assert sorted(os.listdir()) == ["a", "b"] and place.stat().st_ino == before
    (place / "a").unlink()
    (place / "b").unlink()
    write(tmp_path / "link")
    assert sorted(os.listdir(place)) == ["a", "b"] and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["x/y", "empty"])
def test_nothing_is_left_of_one_that_failed(fault, name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(fault), new_folder(tmp_path / name) as place:
        (place / "a").write_text("a")
        raise fault
    assert os.listdir(tmp_path) == ["empty"] and os.listdir(tmp_path / "empty") == []


def test_what_came_meanwhile_is_kept(tmp_path):
    for name in ("x", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match="is not empty: it holds mine"):
            with new_folder(tmp_path / name) as place:
                (place / "a").write_text("a")
                (tmp_path / name).mkdir(exist_ok=True)
                (tmp_path / name / "mine").write_text("mine")
        assert os.listdir(tmp_path / name) == ["mine"]
    assert sorted(os.listdir(tmp_path)) == ["empty", "x"]
    with pytest.raises(EnvironmentFault, match="cannot write"), new_folder(tmp_path / "z"):
        (tmp_path / "z").write_text("mine")
    assert (tmp_path / "z").read_text() == "mine"


def test_half_moved_files_are_taken_back(tmp_path, monkeypatch):
    def sync(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stickerforge.runtime.new_folder.sync_folder", sync)
    with pytest.raises(EnvironmentFault, match="disk is full"):
        write(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("full", "is not empty: it holds note"),
        ("full/note", "is not a folder"),
        ("full/note/x/y", "is not a folder"),
        ("dangling", "is not a folder"),
        ("dangling/x", "is not a folder"),
    ],
)
def test_what_cannot_be_a_new_one_is_said(name, message, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=message):
        check_new(tmp_path / name)
    with pytest.raises(InputError, match=message), new_folder(tmp_path / name):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_folders_that_may_not_be_written(tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    for name in ("shut", "shut/x"):
        with pytest.raises(InputError, match="permission denied"):
            check_new(tmp_path / name)
