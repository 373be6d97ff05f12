import pytest

from stickerforge.stickers.platforms import PLATFORMS

RULES = {platform.name: platform for platform in PLATFORMS}


@pytest.mark.parametrize(
    ("name", "form", "pixels", "size", "taken"),
    [
        ("whatsapp", "WEBP", (512, 512), 100_000, True),
        ("whatsapp", "WEBP", (512, 512), 100_001, False),
        ("whatsapp", "WEBP", (512, 500), 9_000, False),
        ("whatsapp", "PNG", (512, 512), 9_000, False),
        ("telegram", "PNG", (300, 512), 9_000, True),
        ("telegram", "PNG", (300, 511), 9_000, False),
        ("signal", "PNG", (200, 300), 9_000, True),
        ("signal", "PNG", (200, 513), 9_000, False),
        ("imessage", "PNG", (408, 408), 9_000, True),
        ("discord", "PNG", (320, 320), 9_000, True),
    ],
)
def test_what_platforms_take(name, form, pixels, size, taken):
    assert RULES[name].takes(form, pixels, size) is taken


def test_the_rules_in_words():
    assert RULES["imessage"].about == (
        "share that can be sent as they are: PNG or GIF or JPEG, square 300 or 408 or 618 px, "
        "at most 500 kB"
    )
    assert "longer side at most 512 px" in RULES["signal"].about
