import pytest

from stickerforge.runtime.text import plural, printable, shorten_list


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 pictures"), (1, "1 picture"), (2, "2 pictures")]
)
def test_plurals(count, text):
    assert plural(count, "picture") == text


def test_control_characters_are_replaced():
    assert printable("a\x1b[31m\nü") == "a�[31m�ü"


@pytest.mark.parametrize(
    ("limit", "text"), [(1, "a …"), (2, "a, b …"), (3, "a, b, c"), (4, "a, b, c")]
)
def test_long_lists_are_cut(limit, text):
    assert shorten_list(["a", "b", "c"], limit) == text
