"""The cache: what was written is read, and nothing else is believed."""

import numpy as np
import pytest

from stickerforge.evaluation.cache import Cache


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def read(cache, key):
    return cache.read(key, lambda arrays: arrays["values"].tolist())


def test_an_entry_is_read_back_by_the_same_model_only(home):
    Cache("a/b", "123", 1).write("key", {"values": np.array([1.5, 2])})
    assert read(Cache("a/b", "123", 1), "key") == [1.5, 2]
    assert read(Cache("a/b", "123", 1), "other") is None
    assert read(Cache("a/b", "124", 1), "key") is None
    assert read(Cache("a/b", "123", 2), "key") is None
    assert [path.name for path in (home / "cache" / "evaluate" / "a-b-123-1").iterdir()] == [
        "key.safetensors"
    ]


@pytest.mark.parametrize("harm", [b"", b"PK", b"\x93NUMPY", b"\xff" * 100])
def test_a_damaged_entry_is_a_miss(home, harm):
    cache = Cache("judge", "123", 1)
    cache.write("key", {"values": np.zeros(9)})
    assert cache.folder is not None
    (cache.folder / "key.safetensors").write_bytes(harm)
    assert read(cache, "key") is None


def test_an_entry_of_another_form_is_a_miss(home):
    cache = Cache("judge", "123", 1)
    cache.write("key", {"others": np.zeros(9)})
    assert read(cache, "key") is None
    cache.write("key", {"values": np.zeros(9)})
    assert cache.read("key", lambda arrays: arrays["values"].item()) is None


def test_where_nothing_can_be_written_nothing_is_kept(home):
    home.write_text("no folder can be here")
    cache = Cache("judge", "123", 1)
    cache.write("key", {"values": np.zeros(9)})
    assert cache.folder is None and read(cache, "key") is None


def test_after_a_failed_write_no_other_is_tried(home, monkeypatch):
    from stickerforge.errors import EnvironmentFault

    calls = []

    def fail(path, content, durable):
        calls.append(path)
        raise EnvironmentFault("full")

    monkeypatch.setattr("stickerforge.evaluation.cache.write_whole", fail)
    cache = Cache("judge", "123", 1)
    for key in "ab":
        cache.write(key, {"values": np.zeros(9)})
    assert len(calls) == 1
