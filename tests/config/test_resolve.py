import dataclasses
import tomllib

import pytest

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.config.style_presets import style_presets
from stickerforge.config.toml import flatten, read_assignment, read_toml, to_toml
from stickerforge.errors import InputError


def test_later_sources_win():
    config = resolve(GenerateConfig, {"count": 2, "sampling.steps": 5}, {"count": 3})
    assert (config.count, config.sampling.steps, config.output.size) == (3, 5, 512)


def test_a_saved_configuration_is_read_back_the_same(tmp_path):
    odd = 'tab\t"quotes" \\ back\nline \x7f ünï <dog>'
    config = resolve(
        GenerateConfig,
        {"prompt": [odd, "b"], "seed": 7, "sampling.guidance": 3, "output.prompt": False},
    )
    path = tmp_path / "generate.toml"
    path.write_text(to_toml(config, "generate"), encoding="utf-8")
    assert resolve(GenerateConfig, read_toml(path, "generate")) == config


def test_every_default_survives_the_round_trip():
    tree = tomllib.loads(to_toml(GenerateConfig(), "generate"))
    assert tree.pop("command") == "generate"
    assert resolve(GenerateConfig, dict(flatten(tree))) == GenerateConfig()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"sampling.stepz": 3}, "did you mean 'sampling.steps'"),
        ({"steps": 3}, "did you mean 'sampling.steps'"),
        ({"count": 0}, "give 1 to 10000"),
        ({"count": "many"}, "not a whole number"),
        ({"count": True}, "not a whole number"),
        ({"seed": -1}, "out of range"),
        ({"sampling.guidance": float("nan")}, "out of range"),
        ({"output.format": "gif"}, "choose one of png, webp"),
        ({"output.prompt": "yes"}, "true or false"),
        ({"prompt": 7}, "not a list of texts"),
    ],
)
def test_wrong_settings_are_named(source, said):
    with pytest.raises(InputError, match="(?s).*") as caught:
        resolve(GenerateConfig, source)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("a.b=3", ("a.b", 3)),
        ("a=x y", ("a", "x y")),
        ("a=false", ("a", False)),
        ('a="3"', ("a", "3")),
    ],
)
def test_assignments_are_read_as_toml_where_they_are(text, pair):
    assert read_assignment(text) == pair


@pytest.mark.parametrize("text", ["steps", "=3", ""])
def test_an_assignment_needs_a_key_and_a_value(text):
    with pytest.raises(InputError, match="key=value"):
        read_assignment(text)


@pytest.mark.parametrize("content", [b"count = ", b"\xff\xfe", b"count = 1\ncount = 2"])
def test_a_broken_file_is_one_error(tmp_path, content):
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"c\.toml"):
        read_toml(path, "generate")


def test_settings_of_another_command_are_refused(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('command = "merge"\n')
    with pytest.raises(InputError, match="merge"):
        read_toml(path, "generate")


def test_styles_are_complete():
    for name, preset in style_presets().items():
        assert preset.words.startswith("in ")
        assert "{prompt}" in preset.template
        assert all(dataclasses.astuple(preset)), name
