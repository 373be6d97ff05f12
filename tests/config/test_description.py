"""Schemas of descriptions: types, bounds, and what a newer version may have added."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from stickerforge.config.description import (
    Bounds,
    DescriptionError,
    FileName,
    Pattern,
    read_description,
)


@dataclass(frozen=True)
class Part:
    weight: Annotated[float, Bounds(0, 1)]


@dataclass(frozen=True)
class Whole:
    name: Annotated[str, Pattern(r"[a-z]+", "a name")]
    steps: Annotated[int, Bounds(1, 100)] = 1
    kind: Literal["a", "b"] = "a"
    size: int | tuple[int, ...] | None = None
    on: bool = False
    file: FileName = "x"
    words: dict[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    rest: Any = None


def test_what_follows_its_schema_is_read():
    value = {"name": "x", "size": [1, 2], "parts": [{"weight": 1, "new": 2}], "words": {"a": "b"}}
    whole = read_description(Whole, value | {"of_tomorrow": 1, "rest": [None]})
    assert whole == Whole("x", size=(1, 2), parts=(Part(1.0),), words={"a": "b"}, rest=[None])
    assert type(whole.parts[0].weight) is float


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "name is None, not a text"),
        ({"name": "X"}, "name is 'X', not a name"),
        ({"name": "\ud800"}, "name is"),
        ({"steps": True}, "steps is True, not a whole number"),
        ({"steps": 1.0}, "steps is 1.0, not a whole number"),
        ({"steps": 101}, "steps is 101, not a number from 1 to 100"),
        ({"steps": 10**4000}, "steps is"),
        ({"kind": "c"}, "kind is 'c', not one of a, b"),
        ({"kind": ["a"]}, "kind is"),
        ({"size": "x"}, "size is 'x', not a whole number or a list"),
        ({"size": [1, None]}, "size is"),
        ({"on": 1}, "on is 1, not true or false"),
        ({"file": "../x"}, "file is '../x', not a file's name"),
        ({"file": ".."}, "not a file's name"),
        ({"words": {"a": 1}}, "words.a is 1, not a text"),
        ({"words": []}, "words is [], not a table"),
        ({"parts": [{}]}, "there is no parts[0].weight"),
        ({"parts": [{"weight": float("nan")}]}, "parts[0].weight is nan, not a number from 0 to 1"),
        ({"parts": [{"weight": 10**400}]}, "parts[0].weight is"),
    ],
)
def test_what_does_not_is_named(changes, said):
    with pytest.raises(DescriptionError) as caught:
        read_description(Whole, {"name": "x"} | changes)
    assert said in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [None, 5, "x", [], [{"name": "x"}]])
def test_a_description_is_a_table(value):
    with pytest.raises(DescriptionError, match="not a table"):
        read_description(Whole, value)
