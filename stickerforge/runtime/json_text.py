"""JSON of files that anybody may have written: finite numbers, and no nesting without end."""

import json
import math
from typing import Any

MAX_DEPTH = 64  # of lists and objects in each other; descriptions of ours have under ten


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text, in UTF-8 where it is bytes.

    Raises:
        ValueError: it is not JSON, holds NaN or a number that is not finite, or lists and objects
            nested deeper than `MAX_DEPTH`.
    """
    try:
        value = json.loads(text, parse_constant=refuse_constant, parse_float=finite_float)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    check_depth(value)
    return value


def refuse_constant(name: str) -> float:
    """For NaN and the infinities, which Python's reader would take although JSON has none.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is no number of JSON")


def finite_float(text: str) -> float:
    """A number with a point or an exponent.

    Raises:
        ValueError: it is too large to be one, as 1e999.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def check_depth(value: Any) -> None:
    """Make sure that whatever reads a value may recurse.

    Raises:
        ValueError: it is nested deeper than `MAX_DEPTH`.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError("it is nested too deep")
