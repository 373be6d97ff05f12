"""From a file, `--set` and flags to a checked configuration.

Later sources win: defaults < file < `--set` < flags. A setting may be given by its earlier name.
"""

import math
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from stickerforge.config.setting import Setting, settings_of
from stickerforge.config.user_paths import to_nfc, user_path
from stickerforge.errors import InputError, brief, nearest

Config = TypeVar("Config")

TYPE_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def warn_caller(message: str) -> None:
    """Warn whoever calls from Python."""
    warnings.warn(message, FutureWarning, stacklevel=5)


def resolve(
    kind: type[Config],
    *sources: Mapping[str, Any],
    warn: Callable[[str], None] = warn_caller,
) -> Config:
    """A checked configuration from {dotted name: value} sources, later ones winning.

    Args:
        warn: gets a line for each setting that is given by an earlier name.

    Raises:
        InputError: an unknown name, a setting given twice by one source under both of its names,
            a value of the wrong type, or one out of bounds.
    """
    settings = settings_of(kind)
    values: dict[str, Any] = {}
    for source in sources:
        for name, value in current_names(source, settings, warn).items():
            values[name] = check_value(settings[name], value)
    return build(kind, values)


def current_names(
    source: Mapping[str, Any], settings: Mapping[str, Setting], warn: Callable[[str], None]
) -> dict[str, Any]:
    """The values of one source by the names that their settings have now.

    Raises:
        InputError: an unknown name, or one setting under both of its names.
    """
    renamed = {setting.alias: name for name, setting in settings.items() if setting.alias}
    values: dict[str, Any] = {}
    for given, value in source.items():
        name = renamed.get(given, given)
        if name not in settings:
            raise InputError(f"unknown setting {brief(given)}", nearest(given, settings))
        if given != name:
            if name in source:
                raise InputError(
                    f"{name} is given twice, as {given} too", f"leave {given} out, its earlier name"
                )
            warn(f"the setting {given} is now called {name}")
        values[name] = value
    return values


def build(kind: type[Config], values: Mapping[str, Any], prefix: str = "") -> Config:
    """The dataclass with these values by dotted name; what is not named keeps its default."""
    annotations, arguments = get_type_hints(kind), {}
    for item in fields(kind):  # type: ignore[arg-type]
        name, annotation = prefix + item.name, annotations[item.name]
        if is_dataclass(annotation):
            arguments[item.name] = build(annotation, values, f"{name}.")  # type: ignore[arg-type]
        elif name in values:
            arguments[item.name] = values[name]
    return kind(**arguments)


def check_value(setting: Setting, value: Any) -> Any:
    """The value in the type of its setting, within its bounds.

    Raises:
        InputError: it is of another type, out of bounds, none of the setting's choices, or a path
            that cannot be one.
    """
    if value is None and setting.default is None:
        return None
    normalize = user_path if setting.path else to_nfc
    value = convert(setting.name, value, setting.annotation, normalize)
    if setting.low is not None and isinstance(value, int | float) and not setting.allows(value):
        text = "a huge number" if isinstance(value, int) and abs(value) > 10**40 else value
        raise InputError(
            f"{setting.name} = {text} is out of range", f"give {setting.low} to {setting.high}"
        )
    return value


def convert(name: str, value: Any, annotation: Any, normalize: Callable[[str], str]) -> Any:
    """The value as the annotation has it: whole numbers as float, lists as tuples.

    Args:
        normalize: what becomes of a text.

    Raises:
        InputError: it is of another type.
    """
    if get_origin(annotation) in (Union, types.UnionType):
        return convert_union(name, value, get_args(annotation), normalize)
    if get_origin(annotation) is Literal:
        if value not in get_args(annotation):
            choices = ", ".join(map(str, get_args(annotation)))
            raise InputError(f"{name} = {brief(value)} is not possible", f"choose one of {choices}")
        return value
    if get_origin(annotation) is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
            raise InputError(
                f"{name} = {brief(value)} is not a list of texts", f'for example {name} = ["cat"]'
            )
        return tuple(convert(name, item, str, normalize) for item in items)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 10**300 else math.inf
    if isinstance(value, str) and not is_encodable(value):
        raise InputError(
            f"{name} = {brief(value)} holds bytes that are no text",
            "rename it with letters that are",
        )
    if type(value) is not annotation:
        raise InputError(
            f"{name} = {brief(value)} is not {TYPE_NAMES[annotation]}", "change its value"
        )
    return normalize(value) if isinstance(value, str) else value


def convert_union(
    name: str, value: Any, annotations: tuple[Any, ...], normalize: Callable[[str], str]
) -> Any:
    """The value of a setting that is optional, or takes a number or one of a few words."""
    choices = [
        word
        for annotation in annotations
        if get_origin(annotation) is Literal
        for word in get_args(annotation)
    ]
    plain = [
        annotation
        for annotation in annotations
        if annotation is not types.NoneType and get_origin(annotation) is not Literal
    ]
    if choices and (isinstance(value, str) or not plain):
        if value in choices:
            return value
        number = "give a number, or " if plain else "choose "
        raise InputError(
            f"{name} = {brief(value)} is not possible", f"{number}{' or '.join(choices)}"
        )
    return convert(name, value, plain[0], normalize)


def is_encodable(text: str) -> bool:
    """Whether a text can be written; file names of other systems may hold what cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
