"""Settings as TOML, read and written."""

import tomllib
from pathlib import Path

import pytest

from stickerforge.config.reference import CONFIGS
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import GenerateConfig
from stickerforge.config.toml import flatten, parse_toml, read_assignment, to_toml, to_tree
from stickerforge.errors import InputError

FILE = Path("c.toml")


def test_a_saved_configuration_is_read_back_the_same():
    odd = 'tab\t"quotes" \\ back\nline \x7f ünï <dog>'
    config = resolve(
        GenerateConfig,
        {"prompt": [odd, "b"], "seed": 7, "sampling.guidance": 3, "output.prompt": False},
    )
    text = to_toml(config, "generate")
    assert resolve(GenerateConfig, parse_toml(text, FILE, "generate")) == config


def test_every_default_survives_the_round_trip():
    tree = tomllib.loads(to_toml(GenerateConfig(), "generate"))
    assert tree.pop("command") == "generate"
    assert resolve(GenerateConfig, dict(flatten(tree))) == GenerateConfig()


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


@pytest.mark.parametrize("content", ["count = ", "[" * 9999, "count = 1\ncount = 2"])
def test_a_broken_file_is_one_error(content):
    with pytest.raises(InputError, match=r"c\.toml"):
        parse_toml(content, FILE, "generate")


def test_settings_of_another_command_are_refused():
    with pytest.raises(InputError, match="merge"):
        parse_toml('command = "merge"\n', FILE, "generate")


@pytest.mark.parametrize("kind", CONFIGS.values())
def test_what_is_unset_is_left_out(kind):
    """A saved configuration leaves to the model what the call left to it."""
    names = dict(flatten(to_tree(kind())))
    assert None not in names.values()
    assert resolve(kind, names) == kind()
    assert "sampling.steps" not in names and "training.steps" not in names
