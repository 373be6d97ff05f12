"""Captions of references, with the new word and without."""

from pathlib import Path

import pytest

from stickerforge.data.captions import (
    are_words,
    mentions,
    read_caption,
    style_caption,
    subject_caption,
)
from stickerforge.errors import InputError


@pytest.mark.parametrize(
    ("said", "photo", "style", "text", "base"),
    [
        ("", True, "", "a photo of a <rex>", "a photo of a dog"),
        ("", False, "in flat style", "a <rex>, in flat style", "a dog, in flat style"),
        ("", False, "", "a <rex>", "a dog"),
        ("my Dog on a sofa", True, "", "my <rex> on a sofa", "my dog on a sofa"),
        ("<rex> asleep, a dog", True, "", "<rex> asleep, a dog", "dog asleep, a dog"),
        ("asleep on hotdogs", True, "", "<rex>, asleep on hotdogs", "dog, asleep on hotdogs"),
    ],
)
def test_the_subject(said, photo, style, text, base):
    caption = subject_caption(said, "<rex>", "dog", photo=photo, style=style)
    assert (caption.text, caption.base) == (text, base)
    assert caption.base == caption.text.replace("<rex>", "dog")


@pytest.mark.parametrize(
    ("said", "stem", "text"),
    [
        ("", "red-apple", "red apple, in crayon style"),
        ("", "IMG_2041", "in crayon style"),
        ("", "scan 3", "in crayon style"),
        ("", "zzyzx", "in crayon style"),
        ("a tall house", "IMG_1", "a tall house, in crayon style"),
        ("house in crayon style", "x", "house in crayon style"),
    ],
)
def test_the_style(said, stem, text):
    caption = style_caption(
        said, Path(f"{stem}.png"), "in crayon style", lambda words: "zzyzx" not in words
    )
    assert caption.text == caption.base == text


def test_words_are_whole_words():
    assert (
        mentions("A Dog!", "dog")
        and not mentions("hotdogs", "dog")
        and mentions("a french bulldog", "french bulldog")
    )


def test_captions_beside_pictures(tmp_path):
    assert read_caption(tmp_path / "a.png") == ""
    (tmp_path / "a.txt").write_text("\ufeffa  dog\n on a sofa \n", encoding="utf-8")
    assert read_caption(tmp_path / "a.png") == "a dog on a sofa"
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read the caption"):
        read_caption(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("x" * 3000)
    with pytest.raises(InputError, match="no caption"):
        read_caption(tmp_path / "a.png")


@pytest.mark.parametrize("text", ["\u200b", "\u3164 \u2060", "\u200e\n\u2800"])
def test_what_nobody_sees_is_no_caption_and_no_class(tmp_path, text):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert read_caption(tmp_path / "a.png") == ""
    assert not are_words(text) and are_words("f\u00fcchse")
