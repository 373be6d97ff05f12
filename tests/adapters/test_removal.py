"""The store deletes and reads nothing outside of it."""

import os

import pytest

from stickerforge.adapters import removal, store
from stickerforge.adapters.removal import files_of, remove
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.files import locked
from tests.adapters.test_store import save


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def linked(tmp_path):
    """An adapter "dog" whose folder lies elsewhere."""
    save()
    elsewhere = store.folder("dog").rename(tmp_path / "elsewhere")
    (elsewhere / "notes").write_text("mine")
    store.folder("dog").symlink_to(elsewhere)
    return elsewhere


def test_of_a_linked_adapter_the_link_is_removed(linked):
    before = sorted(linked.iterdir())
    assert files_of("dog") == [store.folder("dog")]
    assert remove("dog") == [store.folder("dog")]
    assert sorted(linked.iterdir()) == before and not os.path.lexists(store.folder("dog"))


def test_a_dangling_link_is_removed_too(home):
    (home / "adapters").mkdir(parents=True)
    store.folder("dog").symlink_to(home / "nowhere")
    remove("dog")
    assert not os.path.lexists(store.folder("dog"))


def test_saving_in_place_of_a_link_leaves_what_it_leads_to(linked):
    before = {path: path.read_bytes() for path in linked.iterdir()}
    save(seed=1)
    assert {path: path.read_bytes() for path in linked.iterdir()} == before
    assert store.find("dog").path.parent.resolve() == store.folder("dog")


def test_nothing_is_written_for_an_adapter_that_is_not_there(home):
    with pytest.raises(InputError, match="no adapter 'dog'"):
        remove("dog")
    assert not home.exists()


def test_links_in_an_adapter_are_removed_and_not_followed(tmp_path):
    save()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.png").write_text("mine")
    (store.folder("dog") / "photos").symlink_to(tmp_path / "mine")
    assert store.folder("dog") / "photos" in remove("dog")
    assert (tmp_path / "mine" / "photo.png").exists() and not store.folder("dog").exists()


@pytest.mark.parametrize("file", ["adapter.json", "the tensors"])
def test_files_of_an_adapter_are_files_in_its_folder(tmp_path, file):
    adapter = save()
    path = store.folder("dog") / file if file == store.CARD else adapter.path
    outside = path.rename(tmp_path / "outside")
    path.symlink_to(outside)
    with pytest.raises(InputError, match="leads out of"):
        store.read_weights(store.find("dog"))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="it is a named pipe, not a file"):
        store.read_weights(store.find("dog"))


def test_what_cannot_be_removed_is_said(monkeypatch):
    save()

    def refuse(place):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(removal.shutil, "rmtree", refuse)
    with pytest.raises(EnvironmentFault, match="Permission denied"):
        remove("dog")


def test_a_lock_changes_nothing_that_is_linked(tmp_path):
    (tmp_path / "mine").write_text("mine")
    lock = tmp_path / "a.lock"
    lock.symlink_to(tmp_path / "mine")
    with pytest.raises(EnvironmentFault), locked(lock, wait=True):
        pass
    assert (tmp_path / "mine").read_text() == "mine"
    lock.unlink()
    lock.write_text("left")
    with locked(lock, wait=False) as first, locked(lock, wait=False) as second:
        assert (first, second) == (True, False)
    assert lock.read_text() == "left"


def test_a_folder_can_be_locked(tmp_path):
    with locked(tmp_path, wait=False) as first, locked(tmp_path, wait=False) as second:
        assert (first, second) == (True, False)
    with locked(tmp_path, wait=False) as again:
        assert again and not list(tmp_path.iterdir())
