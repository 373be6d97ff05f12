"""What a card says, and what follows from cards that do not say it."""

import json
import shutil

import pytest

from stickerforge.errors import InputError
from stickerforge.models.card import read_card
from stickerforge.models.registry import find_model
from tests.conftest import one_line


def write_card(folder, **entries):
    (folder / "stickerforge.json").write_text(json.dumps(entries))
    return read_card(folder, "name")


def test_sticker_mini_knows_styles_and_others_do_not(tiny_sd):
    mini, other = find_model("sticker-mini"), find_model(str(tiny_sd))
    assert mini.knows_styles and mini.class_prompt == "a {}"
    assert not other.knows_styles and other.class_prompt == "a photo of a {}"
    assert other.knows_photographs and not mini.knows_photographs


def test_a_card_may_say_it_itself(tmp_path):
    card = write_card(tmp_path, words="words.txt", knows_styles=False, class_prompt="one {}")
    assert not card.knows_styles and card.class_prompt == "one {}"
    assert write_card(tmp_path, knows_photographs=False).knows_photographs is False
    assert write_card(tmp_path, words="words.txt", knows_photographs=True).knows_photographs
    assert write_card(tmp_path, knows_styles=True).knows_styles


@pytest.mark.parametrize(
    "entries",
    [
        {"version": []},
        {"version": True},
        {"name": "a\nb"},
        {"licence": 5},
        {"alpha": "yes"},
        {"words": "/etc/passwd"},
        {"words": "../words.txt"},
        {"inks": ["a"]},
        {"knows_styles": "yes"},
        {"class_prompt": "{0.__class__}"},
        {"class_prompt": "no words"},
        {"class_prompt": "{} and {}"},
        {"sampling": 3},
        {"sampling": {"steps": 10**9}},
        {"sampling": {"steps": None}},
        {"sampling": {"guidance": "7"}},
        {"sampling": {"pixels": 128.5}},
        {"customizing": "x"},
        {"customizing": {"subject": 5}},
        {"customizing": {"subject": {"lr": -1}}},
        {"customizing": {"style": {"layers": "none"}}},
        {"wordings": {"": "x"}},
        {"wordings": {"a": 5}},
        {"files": {"../x": "0" * 64}},
        {"files": {"/etc/passwd": "0" * 64}},
        {"files": {"unet/config.json": 5}},
        {"files": []},
    ],
)
def test_a_broken_card(tmp_path, entries):
    with pytest.raises(InputError, match=r"stickerforge\.json is broken: "):
        write_card(tmp_path, **entries)


@pytest.mark.parametrize("text", ["[]", "null", '{"a":' * 50_000, '{"version": NaN}', "\x00", ""])
def test_commands_say_that_a_card_is_broken(cli, copied, text):
    (copied / "stickerforge.json").write_text(text)
    for arguments in (
        ("models", "show", copied),
        ("generate", "a cat", "--model", copied),
        ("generate", "a cat", "--model", copied, "--dry-run"),
    ):
        ended = cli(*arguments)
        assert ended.code == 2 and "stickerforge.json" in one_line(ended)


def test_words_of_a_card_are_text_and_no_pattern(tmp_path):
    card = write_card(tmp_path, wordings={"cat": r"\g<9>\1"})
    assert card.reword("a cat") == r"a \g<9>\1"


@pytest.fixture
def copied(tiny_sd, tmp_path):
    return shutil.copytree(tiny_sd, tmp_path / "copy")


@pytest.mark.parametrize(
    ("prompt", "spoken"),
    [
        ("a cat, on a blue background", "a cat, on a blue ground"),
        ("Background: pink", "ground: pink"),
        ("backgrounds", "backgrounds"),
        ("a cat", "a cat"),
        ("", ""),
        ("a <blue-background> on a background", "a <blue-background> on a ground"),
    ],
)
def test_a_model_is_told_in_the_words_of_its_captions(tiny_sd, prompt, spoken):
    assert find_model("sticker-mini").reword(prompt) == spoken
    assert find_model(str(tiny_sd)).reword(prompt) == prompt


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("a cat, in flat style", "flat"),
        ("a cat, Twemoji style", "twemoji"),
        ("It is in flat style, not in twemoji style.", "flat"),
        ("a cat, in noto style", ""),
        ("a flat cat in noto style", ""),
        ("flat stylebook", ""),
        ("", ""),
        ("cat, flat style", "flat"),
        ("in the flat style", "flat"),
        ("flat style", "flat"),
        ("a cat in soft-flat style", ""),
        ("in non-flat style", ""),
        ("no flat style please, in noto style", ""),
        ("in my twemoji style", ""),
        ("cat, in twemojı style", ""),
        ("cat in TWEMOJİ style", ""),
    ],
)
def test_styles_without_shading_are_recognised(tiny_sd, prompt, style):
    assert find_model("sticker-mini").flat_style(prompt) == style
    assert find_model(str(tiny_sd)).flat_style(prompt) == ""


@pytest.mark.parametrize(
    "content",
    [
        '{"flat": ["ff0000", "red"]}',
        '{"flat": []}',
        '{"flat": "ff0000"}',
        "[]",
        "{}",
        '{"": ["ff0000"]}',
    ],
)
def test_broken_inks(copied, content):
    (copied / "inks.json").write_text(content)
    (copied / "stickerforge.json").write_text('{"inks": "inks.json"}')
    with pytest.raises(InputError, match=r"inks\.json"):
        find_model(str(copied))
