"""Where the settings of a call come from, and what becomes of their earlier names."""

import pytest
from PIL import Image

from stickerforge.cli.command import Call, read_settings_file
from stickerforge.config.schema import CustomizeConfig, GenerateConfig
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console


def call(kind=GenerateConfig, command="generate", **changes) -> Call:
    """A call without anything given but the changes."""
    usual = {
        "flags": {},
        "config_file": "",
        "assignments": [],
        "dry_run": False,
        "offline": True,
        "console": Console(quiet=True),
    }
    return Call(command, kind, **(usual | changes))


def test_flags_win_over_set_over_the_file_over_what_is_remembered(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('count = 3\nstyle = "flat"\nmodel = "of-the-file"\n')
    config = call(
        flags={"count": 5}, config_file=str(file), assignments=["count=4", "style=noto"]
    ).resolve({"count": 2, "style": "sticker", "model": "remembered", "seed": 9})
    assert (config.count, config.style, config.model, config.seed) == (5, "noto", "of-the-file", 9)


def test_an_earlier_configuration_file_loads_with_a_warning_for_each_name(tmp_path):
    file = tmp_path / "customize.toml"
    file.write_text(
        'command = "customize"\nwords = "dog"\n[training]\ndraws = 3\n'
        '[watch]\nevery = 7\nencoder = "clip"\n'
    )
    console = Console(quiet=True)
    config = call(CustomizeConfig, "customize", config_file=str(file), console=console).resolve()
    assert config.class_words == "dog"
    assert config.training.cached_noise == 3
    assert (config.validation.every, config.validation.encoder) == (7, "clip")
    assert console.warnings == [
        "the setting words is now called class_words",
        "the setting training.draws is now called training.cached_noise",
        "the setting watch.every is now called validation.every",
        "the setting watch.encoder is now called validation.encoder",
    ]


def test_a_later_source_wins_whichever_name_it_uses():
    config = call(
        CustomizeConfig, "customize", assignments=["validation.every=3", "seed=1"]
    ).resolve({"watch.every": 9})
    assert config.validation.every == 3
    config = call(CustomizeConfig, "customize", assignments=["watch.every=3"]).resolve(
        {"validation.every": 9}
    )
    assert config.validation.every == 3


def test_both_names_at_once_are_an_error():
    both = call(CustomizeConfig, "customize", assignments=["validation.every=3", "watch.every=4"])
    with pytest.raises(InputError, match="given twice, as watch.every too"):
        both.resolve()


def test_the_warning_is_on_stderr_and_in_the_json(cli, tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    result = cli(
        "caption", tmp_path, "--set", "words=dog", "--subject", "rex", "--dry-run", "--json"
    )
    line = "the setting words is now called class_words"
    assert result.err == f"warning: {line}\n"
    assert result.json["warnings"] == [line]


def test_a_file_of_settings_is_utf_8_with_or_without_a_mark(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "c.toml").write_bytes('\ufeffnegative = "é"\r\n'.encode())
    assert read_settings_file("~/c.toml", "generate") == {"negative": "é"}
    for content in ('negative = "é"'.encode("latin-1"), "count = 1".encode("utf-16")):
        (tmp_path / "c.toml").write_bytes(content)
        with pytest.raises(InputError, match=r"c\.toml is not TOML: it is no UTF-8"):
            read_settings_file("~/c.toml", "generate")
    with pytest.raises(InputError, match="no configuration file"):
        read_settings_file("~/gone.toml", "generate")
