"""From a TOML file, `--set` and flags to a checked configuration; and back to TOML.

Later sources win: defaults < file < `--set` < flags. An unknown key is an error that names the nearest one.
"""

import difflib
import json
import math
import tomllib
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from stickerforge.errors import InputError

Config = TypeVar("Config")
MAX_BYTES = 1_000_000  # a configuration longer than this is a mistake


def read_toml(path: Path, command: str) -> dict[str, Any]:
    """The settings of a TOML file as {dotted name: value}.

    Raises:
        InputError: the file is missing, not TOML, too long, or was saved by another command.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has over {MAX_BYTES} bytes", "give a configuration file")
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no configuration file {path}", "check the path") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "give a readable TOML file") from None
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or nested without end
        raise InputError(f"{path} is not TOML: {str(error)[:120]}", "mend that line") from None
    saved_by = tree.pop("command", command)
    if saved_by != command:
        raise InputError(f"{path} holds settings of {saved_by!r}", f"use it with that command, not {command!r}")
    return dict(flattened(tree))


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """{"sampling": {"steps": 20}} as ("sampling.steps", 20), one pair per leaf."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def read_assignment(text: str) -> tuple[str, Any]:
    """`key=value` of `--set`; the value is read as TOML where it is TOML, else as text."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {text!r} is not key=value", "for example --set sampling.steps=30")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return key.strip(), value


def resolve(kind: type[Config], *sources: Mapping[str, Any]) -> Config:
    """A checked configuration from {dotted name: value} sources, later ones winning.

    Raises:
        InputError: an unknown key, a value of the wrong type, or one out of bounds.
    """
    known = leaves(kind)
    values: dict[str, Any] = {}
    for source in sources:
        for name, value in source.items():
            if name not in known:
                raise InputError(f"unknown setting {name!r}", nearest(name, list(known)))
            values[name] = checked(name, value, known[name], getattr(kind, "BOUNDS", {}).get(name))
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


def checked(name: str, value: Any, annotation: Any, bounds: tuple[float, float] | None) -> Any:
    """The value in the type of its setting, within its bounds."""
    if get_origin(annotation) in (Union, types.UnionType):
        if value is None:
            return None
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        said = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
        if len(kinds) > 1 and isinstance(value, str):  # a number, or one of a few words
            if value in said:
                return value
            raise InputError(f"{name} = {value!r} is not possible", f"give a number, or {' or '.join(said)}")
        annotation = kinds[0]
    if get_origin(annotation) is Literal:
        if value not in get_args(annotation):
            choices = ", ".join(map(str, get_args(annotation)))
            raise InputError(f"{name} = {value!r} is not possible", f"choose one of {choices}")
        return value
    if get_origin(annotation) is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise InputError(f"{name} = {value!r} is not a list of texts", f'for example {name} = ["cat"]')
        return tuple(checked(name, item, str, None) for item in items)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 10**300 else math.inf
    if isinstance(value, str) and not encodable(value):
        raise InputError(f"{name} = {value!r} holds bytes that are no text", "rename it with letters that are")
    if type(value) is not annotation:
        wanted = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise InputError(f"{name} = {value!r} is not {wanted[annotation]}", "change its value")
    if bounds and not bounds[0] <= value <= bounds[1]:  # not a number is outside, too
        much = "a huge number" if isinstance(value, int) and abs(value) > 10**40 else value
        raise InputError(f"{name} = {much} is out of range", f"give {bounds[0]} to {bounds[1]}")
    return value


def encodable(text: str) -> bool:
    """Whether a text can be written; file names of other systems may hold what cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def nearest(name: str, names: list[str]) -> str:
    """A hint that names what may have been meant; dotted names match by their last part too."""
    tails = {full.split(".")[-1]: full for full in names}
    if (tail := name.split(".")[-1]) in tails:
        return f"did you mean {tails[tail]!r}?"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    close = close or [tails[near] for near in difflib.get_close_matches(tail, list(tails), n=1)]
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(names))}"


def as_tree(config: Any) -> dict[str, Any]:
    """A configuration as nested plain values, what is None left out; `resolve` reads it back."""
    tree: dict[str, Any] = {}
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            tree[item.name] = as_tree(value)
        elif value is not None:
            tree[item.name] = list(value) if isinstance(value, tuple) else value
    return tree


def as_toml(config: Any, command: str) -> str:
    """The configuration as TOML that `--config` accepts."""
    tree = as_tree(config)
    lines = [f"command = {json.dumps(command)}"]
    lines += [f"{key} = {toml_value(value)}" for key, value in tree.items() if not isinstance(value, dict)]
    for key, table in tree.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]", *(f"{name} = {toml_value(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """JSON's texts, numbers, lists and booleans are TOML's, but for the DEL character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
