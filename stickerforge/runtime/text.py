"""Texts for people: counts of things, and what a terminal may be given."""

import unicodedata
from collections.abc import Sequence

CONTROL = {"Cc", "Cf", "Zl", "Zp"}  # Unicode's general categories
JOINERS = "\u200c\u200d"


def plural(count: int, noun: str) -> str:
    """A count of things whose plural ends in "s": "1 picture", "3 pictures"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def printable(text: str) -> str:
    """The text with "�" for each character that would steer a terminal or turn text around.

    File names, prompts and what files say of themselves may hold them: control characters (C0, C1),
    line separators, overrides of the writing direction and other invisible formats.
    """
    return "".join("�" if steers_terminal(character) else character for character in text)


def steers_terminal(character: str) -> bool:
    """Whether a character is not seen; joiners are part of emoji and of some scripts."""
    return unicodedata.category(character) in CONTROL and character not in JOINERS


def shorten_list(names: Sequence[str], limit: int) -> str:
    """The first names, with an ellipsis where there are more."""
    return ", ".join(names[:limit]) + (" …" if len(names) > limit else "")
