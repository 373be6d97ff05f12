"""Everything that can go wrong, as the user sees it: one line, and an exit code.

StickerforgeError
├── InputError        2   something given is wrong: a prompt, a file, a setting, a name
├── EnvironmentFault  3   something is missing here: weights, memory, disk, network, a device
├── PartlyDone        4   some items failed, the others are finished
└── CheckFailed       5   a check that was asked for did not pass
KeyboardInterrupt
└── Interrupted     130   stopped by Ctrl-C (143 by SIGTERM); what was finished is saved

Only `cli` catches them for good. Any other exception is our bug: exit 1, traceback to a file. So is
a `StickerforgeError` itself, without one: something made here was tried, and is not as it must be.
"""

import difflib
import reprlib
from collections.abc import Iterable

LONGEST = 800  # characters of a message
BRIEF = reprlib.Repr()
BRIEF.maxstring = BRIEF.maxother = 100
BRIEF.maxlevel = 4


def brief(value: object) -> str:
    """What a user gave, as Python writes it, for a message: shortened, however deep and long."""
    try:
        return BRIEF.repr(value)
    except ValueError:  # Python writes no whole number of thousands of digits
        return "a huge number"


def nearest(name: str, names: Iterable[str], otherwise: str = "") -> str:
    """A hint that names what may have been meant; dotted names match by their last part too.

    Args:
        otherwise: the hint where nothing is near; "" for one that lists all names.
    """
    names = list(names)
    last_parts = {full.split(".")[-1]: full for full in names}
    last_part = name.split(".")[-1]
    if last_part in last_parts:
        return f"did you mean {last_parts[last_part]!r}?"
    if matches := difflib.get_close_matches(name, names, n=1, cutoff=0.5):
        return f"did you mean {matches[0]!r}?"
    if matches := difflib.get_close_matches(last_part, list(last_parts), n=1):
        return f"did you mean {last_parts[matches[0]]!r}?"
    return otherwise or f"known: {', '.join(sorted(names))}"


class StickerforgeError(Exception):
    """What, where, and what to do about it.

    Args:
        message: what is wrong, and where, without a final full stop.
        hint: what to do; empty where the message says it all.
    """

    code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        if len(message) > LONGEST:  # what a user gave may be as long as they like
            message = f"{message[: LONGEST // 2]} … {message[-LONGEST // 2 :]}"
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class InputError(StickerforgeError):
    """The user gave something that cannot work."""

    code = 2


class EnvironmentFault(StickerforgeError):
    """The machine lacks something."""

    code = 3


class PartlyDone(StickerforgeError):
    """Some items failed; the result lists them and what the others became."""

    code = 4


class CheckFailed(StickerforgeError):
    """A check that was asked for did not pass."""

    code = 5


class Interrupted(KeyboardInterrupt):
    """Stopped from outside; `code` says how.

    No `Exception`, or a library that is being imported would take it for its own failure.
    """

    def __init__(
        self, message: str = "interrupted", code: int = 130, hint: str = "what is finished stays"
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.hint = message, code, hint
