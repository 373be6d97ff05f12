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
    "code",
    [*range(32), *range(0x7F, 0xA0), 0x200B, 0x200E, 0x2028, 0x2029, *range(0x202A, 0x202F)]
    + [0x061C, *range(0x2066, 0x206A), 0xFEFF, 0xE0041, 0xE007F],
)
def test_no_control_character_is_left(code):
    assert printable(f"a{chr(code)}b") == "a�b"


@pytest.mark.parametrize(
    "text", ["café", "👩\u200d🎨", "👍🏽", "❤️", "猫 1\xa0cm", "نمی\u200cخواهم"]
)
def test_what_is_seen_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("limit", "text"), [(1, "a …"), (2, "a, b …"), (3, "a, b, c"), (4, "a, b, c")]
)
def test_long_lists_are_cut(limit, text):
    assert shorten_list(["a", "b", "c"], limit) == text
