import errno
import os

import pytest

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime import files


def test_a_file_is_written_whole(tmp_path):
    files.write_whole(tmp_path / "a.png", b"one")
    files.write_whole(tmp_path / "a.png", b"two")
    assert (tmp_path / "a.png").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    files.write_whole(tmp_path / "a.png", b"old")

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(EnvironmentFault, match="disk is full"):
        files.write_whole(tmp_path / "a.png", b"new")
    assert os.listdir(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "f").write_text("")
    for path in (tmp_path / "f", tmp_path / "f" / "g"):
        with pytest.raises(InputError, match="not a folder"):
            files.make_folder(path)


def test_home_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path))
    assert files.home() == tmp_path


def test_a_lock_is_held_once(tmp_path):
    path = tmp_path / "folder" / "lock"
    with files.locked(path, wait=False) as first, files.locked(path, wait=False) as second:
        assert (first, second) == (True, False)
    with files.locked(path, wait=False) as again:
        assert again
