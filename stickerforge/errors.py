"""Everything that can go wrong, as the user sees it: one line, and an exit code.

StickerforgeError
├── InputError        2   something given is wrong: a prompt, a file, a setting, a name
├── EnvironmentFault  3   something is missing here: weights, memory, disk, network, a device
├── PartlyDone        4   some items failed, the others are finished
└── CheckFailed       5   a check that was asked for did not pass
KeyboardInterrupt
└── Interrupted     130   stopped by Ctrl-C (143 by SIGTERM); what was finished is saved

Only `reporting.py` and `cli` catch them for good. Any other exception is our bug: exit 1, traceback
to a file.
"""

import difflib
from collections.abc import Sequence


def nearest(name: str, names: Sequence[str], *, otherwise: str = "") -> str:
    """A hint that names what may have been meant; dotted names match by their last part too.

    Args:
        otherwise: the hint where nothing is near; by default it lists all names.
    """
    tails = {tail: full for full in names if (tail := full.rpartition(".")[2]).isidentifier()}
    if (tail := name.rpartition(".")[2]) in tails:
        return f"did you mean {tails[tail]!r}?"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    close = close or [tails[near] for near in difflib.get_close_matches(tail, list(tails), n=1)]
    if close:
        return f"did you mean {close[0]!r}?"
    return otherwise or f"known: {', '.join(sorted(names))}"


class StickerforgeError(Exception):
    """What, where, and what to do about it.

    Args:
        message: what was found, and where, without a final full stop.
        hint: what to do; empty where the message says it all.
    """

    code = 1

    def __init__(self, message: str, hint: str = "") -> None:
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
