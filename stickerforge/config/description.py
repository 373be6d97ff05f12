"""Descriptions that are read from files: data with a schema, declared once.

A schema is a dataclass. The annotation of a field says what its value may be: str, bool, None,
Any, a Literal, a tuple or list of one type, a dict from texts to one type, another schema, a union
of these; numbers and texts may be `Annotated` with `Bounds` or a `Pattern`. A field without a
default must be there; what a schema has no field for is ignored, since a newer version may have
written it.
"""

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from stickerforge.config.resolve import is_encodable
from stickerforge.errors import brief

Schema = TypeVar("Schema")

MAX_TEXT = 100_000  # characters of one text
MAX_ITEMS = 1_000_000  # of one list or table
PLAIN_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Bounds:
    """What a number must be within, both ends included."""

    low: float
    high: float


@dataclass(frozen=True)
class Pattern:
    """What a text must match as a whole.

    Args:
        about: such a text in words, with its article.
        surrogates: whether the names of files that are no UTF-8 are such texts, too.
    """

    regex: str
    about: str
    surrogates: bool = False


FileName = Annotated[str, Pattern(r"(?!\.{1,2}$)[^/\\\x00-\x1f]{1,255}", "a file's name")]
Sha256 = Annotated[str, Pattern(r"[0-9a-f]{64}", "a sha256")]


class DescriptionError(ValueError):
    """A description does not follow its schema; the message names the field and what it must be.

    Args:
        about: what the field must be; "" where it is missing, or fails as a whole.
    """

    def __init__(self, message: str, about: str = "") -> None:
        super().__init__(message)
        self.about = about


def read_description(schema: type[Schema], value: Any) -> Schema:
    """A parsed JSON value as its schema has it.

    Raises:
        DescriptionError: a field is missing, of another type, or out of bounds.
    """
    result: Schema = convert(schema, value, "")
    return result


def convert(annotation: Any, value: Any, where: str) -> Any:
    """A value as an annotation has it.

    Args:
        where: the field's dotted name, for the message; "" for the whole.

    Raises:
        DescriptionError: it is something else.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return value
    if origin is Annotated:
        base, limit = arguments[:2]
        if not (isinstance(limit, Pattern) and limit.surrogates and isinstance(value, str)):
            value = convert(base, value, where)
        return check_limit(limit, value, where)
    if origin in (Union, types.UnionType):
        return convert_union(arguments, value, where)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool) != isinstance(arguments[0], bool):
            raise fault(where, value, f"one of {', '.join(map(str, arguments))}")
        return value
    if origin in (tuple, list):
        items = check_size(value, list, "a list", where)
        made = [convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items)]
        return tuple(made) if origin is tuple else made
    if origin in (dict, Mapping):
        table = check_size(value, dict, "a table", where)
        return {
            convert(arguments[0], key, where): convert(arguments[1], item, join(where, key))
            for key, item in table.items()
        }
    if is_dataclass(annotation):
        return convert_fields(annotation, check_size(value, dict, "a table", where), where)
    return convert_plain(annotation, value, where)


def convert_union(annotations: tuple[Any, ...], value: Any, where: str) -> Any:
    """A value as the first of several annotations that has it.

    Raises:
        DescriptionError: none has.
    """
    if value is None and types.NoneType in annotations:
        return None
    about: list[str] = []
    for annotation in annotations:
        if annotation is not types.NoneType:
            try:
                return convert(annotation, value, where)
            except DescriptionError as error:
                last = error
                about.append(error.about)
    if len(about) == 1 or not all(about):
        raise last
    raise fault(where, value, " or ".join(dict.fromkeys(about)))


def convert_fields(schema: Any, table: Mapping[str, Any], where: str) -> Any:
    """A table as a schema has it; what it has no field for is left out.

    Raises:
        DescriptionError: a field is missing, or holds something else.
    """
    annotations, values = annotations_of(schema), {}
    for item in fields(schema):
        name = join(where, item.name)
        if item.name in table:
            values[item.name] = convert(annotations[item.name], table[item.name], name)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise DescriptionError(f"there is no {name}")
    return schema(**values)


@lru_cache(maxsize=256)
def annotations_of(schema: type) -> dict[str, Any]:
    """The annotations of a schema's fields; tables have a row of one schema a line."""
    return get_type_hints(schema, include_extras=True)


def convert_plain(kind: type, value: Any, where: str) -> Any:
    """A text, number or truth value.

    Raises:
        DescriptionError: it is something else, or a text that cannot be written.
    """
    if kind is float and type(value) is int and abs(value) < 10**300:
        value = float(value)
    if type(value) is not kind:
        raise fault(where, value, PLAIN_NAMES[kind])
    if isinstance(value, str) and (len(value) > MAX_TEXT or not is_encodable(value)):
        raise fault(where, value, f"a text of at most {MAX_TEXT} characters")
    return value


def check_limit(limit: Bounds | Pattern, value: Any, where: str) -> Any:
    """The value, if it keeps to a limit.

    Raises:
        DescriptionError: it does not.
    """
    if isinstance(limit, Bounds) and not limit.low <= value <= limit.high:
        raise fault(where, value, f"a number from {limit.low:g} to {limit.high:g}")
    if isinstance(limit, Pattern) and not re.fullmatch(limit.regex, value):
        raise fault(where, value, limit.about)
    return value


def check_size(value: Any, kind: type, about: str, where: str) -> Any:
    """A list or table that is not longer than one can be.

    Raises:
        DescriptionError: it is something else.
    """
    if not isinstance(value, kind):
        raise fault(where, value, about)
    if len(value) > MAX_ITEMS:  # type: ignore[arg-type]
        raise DescriptionError(f"{where or 'it'} has over {MAX_ITEMS} entries")
    return value


def fault(where: str, value: Any, about: str) -> DescriptionError:
    """The error of a value that is not what it must be."""
    return DescriptionError(f"{where or 'it'} is {brief(value)}, not {about}", about)


def join(where: str, name: Any) -> str:
    """The dotted name of a field within another."""
    name = str(name)[:60]
    return f"{where}.{name}" if where else name
