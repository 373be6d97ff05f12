"""Settings as TOML, read and written."""

import json
import tomllib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from stickerforge.errors import InputError, brief


def parse_toml(text: str, path: Path, command: str) -> dict[str, Any]:
    """The settings of a TOML file as {dotted name: value}.

    Args:
        path: for messages.

    Raises:
        InputError: it is not TOML, or was saved by another command.
    """
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: nested without end
        raise InputError(f"{path} is not TOML: {str(error)[:120]}", "mend that line") from None
    saved_by = tree.pop("command", command)
    if saved_by != command:
        raise InputError(
            f"{path} holds settings of {saved_by!r}", f"use it with that command, not {command!r}"
        )
    return dict(flatten(tree))


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """{"sampling": {"steps": 20}} as ("sampling.steps", 20), one pair per leaf, however deep."""
    left = deque((prefix + key, value) for key, value in tree.items())
    while left:
        name, value = left.popleft()
        if isinstance(value, Mapping):
            inner = [(f"{name}.{key}", part) for key, part in value.items()]
            left.extendleft(reversed(inner))
        else:
            yield name, value


def read_assignment(text: str) -> tuple[str, Any]:
    """`key=value` of `--set`; the value is read as TOML where it is TOML, else as text."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(
            f"--set {brief(text)} is not key=value", "for example --set sampling.steps=30"
        )
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return key.strip(), value


def to_tree(config: Any) -> dict[str, Any]:
    """A configuration as nested plain values, what is None left out; `resolve` reads it back."""
    tree: dict[str, Any] = {}
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            tree[item.name] = to_tree(value)
        elif value is not None:
            tree[item.name] = list(value) if isinstance(value, tuple) else value
    return tree


def to_toml(config: Any, command: str) -> str:
    """The configuration as TOML that `--config` accepts."""
    tree = to_tree(config)
    lines = [f"command = {json.dumps(command)}"]
    lines += [
        f"{key} = {toml_value(value)}" for key, value in tree.items() if not isinstance(value, dict)
    ]
    for key, table in tree.items():
        if isinstance(table, dict):
            lines += [
                "",
                f"[{key}]",
                *(f"{name} = {toml_value(value)}" for name, value in table.items()),
            ]
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML writes it: as JSON does, but for the DEL character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
