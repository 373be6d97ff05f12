"""From a TOML file, `--set` and flags to a checked configuration; and back to TOML.

Later sources win: defaults < file < `--set` < flags. An unknown key is an error that names the nearest one.
"""

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from stickerforge.errors import InputError, nearest

Config = TypeVar("Config")

ALIASES = {  # the names that settings had before
    "words": "class_words",
    "training.draws": "training.cached_noise",
    "watch.every": "validation.every",
    "watch.encoder": "validation.encoder",
}


def resolve(kind: type[Config], *sources: Mapping[str, Any]) -> Config:
    """A checked configuration from {dotted name: value} sources, later ones winning.

    Raises:
        InputError: an unknown key, a value of the wrong type, or one out of bounds.
    """
    known = leaves(kind)
    values: dict[str, Any] = {}
    for source in sources:
        for given, value in source.items():
            name = given if given in known else ALIASES.get(given, given)
            if name not in known:
                raise InputError(f"unknown setting {name!r}", nearest(name, list(known)))
            values[name] = check_value(
                name, value, known[name], getattr(kind, "BOUNDS", {}).get(name)
            )
    return build(kind, values)


def leaves(kind: type, prefix: str = "") -> dict[str, Any]:
    """{dotted name: annotation} of every setting."""
    found: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for item in fields(kind):
        annotation = hints[item.name]
        if is_dataclass(annotation):
            found |= leaves(annotation, f"{prefix}{item.name}.")  # type: ignore[arg-type]
        else:
            found[prefix + item.name] = annotation
    return found


def build(kind: type[Config], values: Mapping[str, Any], prefix: str = "") -> Config:
    """The dataclass with these values; what is not named keeps its default."""
    hints, given = get_type_hints(kind), {}
    for item in fields(kind):  # type: ignore[arg-type]
        if is_dataclass(hints[item.name]):
            given[item.name] = build(hints[item.name], values, f"{prefix}{item.name}.")
        elif prefix + item.name in values:
            given[item.name] = values[prefix + item.name]
    return kind(**given)


def check_value(name: str, value: Any, annotation: Any, bounds: tuple[float, float] | None) -> Any:
    """The value in the type of its setting, within its bounds."""
    if get_origin(annotation) in (Union, types.UnionType):
        if value is None:
            return None
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        said = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
        if len(kinds) > 1 and isinstance(value, str):  # a number, or one of a few words
            if value in said:
                return value
            raise InputError(
                f"{name} = {value!r} is not possible", f"give a number, or {' or '.join(said)}"
            )
        annotation = kinds[0]
    if get_origin(annotation) is Literal:
        if value not in get_args(annotation):
            choices = ", ".join(map(str, get_args(annotation)))
            raise InputError(f"{name} = {value!r} is not possible", f"choose one of {choices}")
        return value
    if get_origin(annotation) is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise InputError(
                f"{name} = {value!r} is not a list of texts", f'for example {name} = ["cat"]'
            )
        return tuple(check_value(name, item, str, None) for item in items)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 10**300 else math.inf
    if isinstance(value, str) and not is_encodable(value):
        raise InputError(
            f"{name} = {value!r} holds bytes that are no text", "rename it with letters that are"
        )
    if type(value) is not annotation:
        wanted = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise InputError(f"{name} = {value!r} is not {wanted[annotation]}", "change its value")
    if bounds and not bounds[0] <= value <= bounds[1]:  # not a number is outside, too
        much = "a huge number" if isinstance(value, int) and abs(value) > 10**40 else value
        raise InputError(f"{name} = {much} is out of range", f"give {bounds[0]} to {bounds[1]}")
    return value


def is_encodable(text: str) -> bool:
    """Whether a text can be written; file names of other systems may hold what cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
