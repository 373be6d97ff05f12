"""Texts for people: counts of things, and what a terminal may be given."""

from collections.abc import Sequence


def plural(count: int, noun: str) -> str:
    """A count of things whose plural ends in "s": "1 picture", "3 pictures"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def printable(text: str) -> str:
    """The text with "�" for each control character, as file names and prompts may hold them."""
    return "".join(character if character.isprintable() else "�" for character in text)


def shorten_list(names: Sequence[str], limit: int) -> str:
    """The first names, with an ellipsis where there are more."""
    return ", ".join(names[:limit]) + (" …" if len(names) > limit else "")
