import pytest

from stickerforge.errors import EnvironmentFault, Interrupted, StickerforgeError, nearest


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("stiker", ["noto", "sticker"], "did you mean 'sticker'?"),
        ("steps", ["sampling.steps", "seed"], "did you mean 'sampling.steps'?"),
        ("sampling.stepz", ["sampling.steps", "seed"], "did you mean 'sampling.steps'?"),
        ("other.stepz", ["sampling.steps", "seed"], "did you mean 'sampling.steps'?"),
        ("zzz", ["b", "a"], "known: a, b"),
    ],
)
def test_a_hint_names_what_is_near(name, names, hint):
    assert nearest(name, names) == hint
    assert nearest(name, iter(names)) == hint


def test_a_hint_where_nothing_is_near():
    assert nearest("zzz", ["a"], "give a folder") == "give a folder"
    assert nearest("aa", ["aa"], "give a folder") == "did you mean 'aa'?"


def test_an_error_is_one_line():
    assert str(StickerforgeError("no model", "give one")) == "no model; give one"
    assert str(EnvironmentFault("disk full")) == "disk full"
    assert not issubclass(Interrupted, Exception)
