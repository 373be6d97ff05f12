import pytest

from stickerforge.runtime.text import plural, printable


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 pictures"), (1, "1 picture"), (2, "2 pictures")]
)
def test_plurals(count, text):
    assert plural(count, "picture") == text


def test_control_characters_are_replaced():
    assert printable("a\x1b[31m\nü") == "a�[31m�ü"
