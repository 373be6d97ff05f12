"""A setting is declared once, and a declaration that contradicts itself is found on import."""

from dataclasses import dataclass, fields, is_dataclass
from typing import get_args, get_type_hints

import pytest

import stickerforge
from stickerforge.config import schema
from stickerforge.config.reference import CONFIGS
from stickerforge.config.resolve import resolve
from stickerforge.config.setting import UNSET, Setting, fill_unset, setting, settings_of
from stickerforge.errors import InputError

SETTINGS = [
    pytest.param(declaration, id=f"{command} {name}")
    for command, kind in CONFIGS.items()
    for name, declaration in settings_of(kind).items()
]
NUMBERS = [
    case
    for case in SETTINGS
    if {int, float} & {case.values[0].annotation, *get_args(case.values[0].annotation)}
]


@pytest.mark.parametrize("declaration", SETTINGS)
def test_every_setting_has_a_help_text_and_its_name(declaration):
    assert declaration.help[-1] in ".)" and declaration.help.strip() == declaration.help
    assert declaration.name and declaration.annotation


@pytest.mark.parametrize("declaration", NUMBERS)
def test_every_number_has_bounds_that_resolve_keeps(declaration):
    assert declaration.low < declaration.high
    (kind,) = [kind for kind in CONFIGS.values() if declaration in settings_of(kind).values()][:1]
    for value in (declaration.low, declaration.high):
        config = resolve(kind, {declaration.name: value})
        for part in declaration.name.split("."):
            config = getattr(config, part)
        assert config == value
    for value in (declaration.low - 1, declaration.high * 2 + 1, float("nan")):
        with pytest.raises(InputError, match=declaration.name):
            resolve(kind, {declaration.name: value})


def test_there_are_numbers_in_each_command_that_computes():
    assert len(NUMBERS) == 17 + 21 + 22 + 45 + 35 + 20 + 21 + 1


def test_every_field_of_the_schema_is_a_setting_or_a_section():
    kinds = [kind for kind in vars(schema).values() if is_dataclass(kind)]
    assert len(kinds) == 40
    for kind in kinds:
        annotations = get_type_hints(kind)
        for item in fields(kind):
            assert is_dataclass(annotations[item.name]) or item.metadata["setting"]


@pytest.mark.parametrize("kind", CONFIGS.values())
def test_earlier_names_are_no_present_ones_and_mean_one_setting(kind):
    settings = settings_of(kind)
    aliases = [declaration.alias for declaration in settings.values() if declaration.alias]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & set(settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"default": 1, "help": ""}, "help"),
        ({"default": 1, "help": "x", "low": 0}, "both bounds"),
        ({"default": 1, "help": "x", "high": 2}, "both bounds"),
        ({"default": 5, "help": "x", "low": 0, "high": 4}, "out of bounds"),
    ],
)
def test_a_declaration_that_contradicts_itself_fails(arguments, message):
    with pytest.raises(TypeError, match=message):
        setting(**arguments)


def test_a_bound_that_is_misspelt_fails():
    """With a table of bounds beside the fields, a wrong letter dropped the bound silently."""
    with pytest.raises(TypeError, match="lowest"):
        setting(1, "x", lowest=0, high=4)


@dataclass(frozen=True)
class Part:
    """A section."""

    steps: int = setting(UNSET, "Steps.", low=1, high=9, alias="old.steps")
    rate: float | None = setting(None, "Rate.", low=0.0, high=1.0)
    kind: str = setting("plain", "Kind.")


@dataclass(frozen=True)
class Example:
    """A configuration."""

    name: str = setting("", "Name.")
    part: Part = Part()


def test_settings_are_named_through_their_sections():
    settings = settings_of(Example)
    assert list(settings) == ["name", "part.steps", "part.rate", "part.kind"]
    steps = settings["part.steps"]
    assert (steps.name, steps.annotation, steps.low, steps.high) == ("part.steps", int, 1, 9)


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        (Setting(UNSET, "x", annotation=int), "the model's"),
        (Setting(None, "x", annotation=int | None), ""),
        (Setting(UNSET, "x", default_text="a fifth of lr", annotation=float), "a fifth of lr"),
        (Setting("", "x", annotation=str), ""),
        (Setting((), "x", annotation=tuple[str, ...]), ""),
        (Setting(0, "x", annotation=int), "0"),
        (Setting(True, "x", annotation=bool), "true"),
        (Setting("png", "x", annotation=str), "png"),
    ],
)
def test_defaults_in_words(declaration, words):
    assert declaration.default_in_words == words


def test_what_is_unset_may_stay_so_and_is_filled_in_later():
    config = resolve(Example, {"part.steps": None, "part.rate": None})
    assert config == Example()
    part = fill_unset(config.part, {"steps": 3, "kind": "other", "unknown": 1})
    assert part == Part(steps=3)
    assert fill_unset(Part(steps=2), {"steps": 3}) == Part(steps=2)


def test_none_is_no_value_of_what_has_a_default():
    with pytest.raises(InputError, match="not a text"):
        resolve(Example, {"part.kind": None})


def test_from_python_an_earlier_name_is_a_warning():
    with pytest.warns(FutureWarning, match=r"the setting old\.steps is now called part\.steps"):
        assert resolve(Example, {"old.steps": 4}).part.steps == 4


def test_the_warning_names_the_line_that_calls_the_command(tmp_path):
    with pytest.warns(FutureWarning, match="now called class_words") as caught:
        with pytest.raises(InputError):
            stickerforge.caption(tmp_path / "gone", settings={"words": "dog"})
    assert [warning.filename for warning in caught] == [__file__]


def test_both_names_of_a_setting_are_an_error():
    with pytest.raises(InputError, match=r"part\.steps is given twice, as old\.steps too"):
        resolve(Example, {"old.steps": 4, "part.steps": 4})
