"""What a small model can draw: its things by group, and the words that people have for them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

from stickerforge.config.description import Pattern
from stickerforge.models.card import ModelCard, read_schema

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
Link = Annotated[str, Pattern(r"[a-z ]{0,100}", "a word")]
SOMEBODY = ("people and hands", "animals and plants")
Whole = Annotated[str, Pattern(r"[^\x00-\x1f\x7f-\x9f<>]{0,200}", "some words")]
Words = Annotated[str, Pattern(r"[^\x00-\x1f\x7f-\x9f<>]{1,200}", "some words")]


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text in lower case; a hyphen parts two words."""
    return tuple(word.lower().replace("’", "'") for word in WORD.findall(text))


@dataclass(frozen=True)
class Things:
    """The table of a model's things, as its folder holds it.

    Args:
        groups: {group: {thing: what a prompt calls it}}.
        nouns: {word or words: the thing that is drawn for them}.
        phrases: likewise for what is said by itself ("thank you").
        emoji: {characters: thing}.
        colours: {shade: the colour that the model knows}.
        attributes: words that change a picture: colours, numbers, sizes.
        spans: what is kept as it stands: places, grounds, what is worn, styles.
        relations: {link between two things: how the model's captions say it}; "" for any other.
        ground_colours: colours that a ground may have, and no thing.
        worn: things that are worn.
        wearers: who may wear them; nobody in particular where it is empty.
        suits: things that somebody may be dressed as ("cat astronaut").
        holders, held: who may hold something, and what; likewise.
        containers: things that another may be inside of.
        parts: {thing, "" for any: things that it is drawn with in any case}.
        fillers: words that may be left out without a word about it.
    """

    groups: dict[Words, dict[Words, Words]]
    nouns: dict[Words, Words] = field(default_factory=dict)
    phrases: dict[Words, Words] = field(default_factory=dict)
    emoji: dict[Words, Words] = field(default_factory=dict)
    colours: dict[Words, Words] = field(default_factory=dict)
    attributes: tuple[Words, ...] = ()
    spans: tuple[Words, ...] = ()
    relations: dict[Link, Words] = field(default_factory=dict)
    ground_colours: tuple[Words, ...] = ()
    worn: tuple[Words, ...] = ()
    wearers: tuple[Words, ...] = ()
    suits: tuple[Words, ...] = ()
    holders: tuple[Words, ...] = ()
    held: tuple[Words, ...] = ()
    containers: tuple[Words, ...] = ()
    parts: dict[Whole, tuple[Words, ...]] = field(default_factory=dict)
    fillers: tuple[Words, ...] = ()

    @cached_property
    def names(self) -> Mapping[str, str]:
        """{thing: what a prompt calls it}."""
        return {thing: name for group in self.groups.values() for thing, name in group.items()}

    def may_wear(self, thing: str) -> bool:
        """Whether the model was shown what is called so with something on it.

        What was taught to it, which the table does not know, may wear anything.
        """
        return thing not in self.names or self.is_called_like(thing, self.wearers)

    def may_hold(self, thing: str, other: str) -> bool:
        """Whether the model was shown the one holding the other; see `may_wear`."""
        return (thing not in self.names or self.is_called_like(thing, self.holders)) and (
            other not in self.names or self.is_called_like(other, self.held)
        )

    def is_called_like(self, thing: str, others: Sequence[str]) -> bool:
        """Whether a thing has the name of one of others ("cat", "cat face"), if there are any."""
        return not others or self.names.get(thing) in [
            self.names.get(other, other) for other in others
        ]

    def is_somebody(self, thing: str) -> bool:
        """Whether a thing is a person or an animal, going by its group."""
        return any(thing in self.groups.get(group, ()) for group in SOMEBODY)

    @cached_property
    def by_name(self) -> dict[tuple[str, ...], str]:
        """{words of a full or short name: thing}; the first of several that share a name."""
        result: dict[tuple[str, ...], str] = {}
        for thing in self.names:
            result.setdefault(words_of(thing), thing)
        for thing, name in self.names.items():
            result.setdefault(words_of(name), thing)
        return result

    @cached_property
    def by_noun(self) -> dict[tuple[str, ...], str]:
        """{words that name a thing otherwise: thing}."""
        return {words_of(noun): thing for noun, thing in self.nouns.items()}

    @cached_property
    def by_emoji(self) -> Mapping[str, str]:
        """{characters without joiners: thing}."""
        return {emoji.replace("\u200d", ""): thing for emoji, thing in self.emoji.items()}

    @cached_property
    def by_phrase(self) -> Mapping[tuple[str, ...], str]:
        """{words said by themselves: thing}."""
        return {words_of(phrase): thing for phrase, thing in self.phrases.items()}


def read_things(card: ModelCard) -> Things | None:
    """The table of a model's things; None where its card names none.

    Raises:
        InputError: it is broken.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    if not card.things_file:
        return None
    path = card.folder / card.things_file
    try:
        found = path.stat()
    except OSError:
        return read_schema(path, Things)
    return read_table(path, (found.st_ino, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=4)
def read_table(path: Path, state: tuple[int, int, int]) -> Things:
    """The table in a file, which a call asks for more than once, and takes a while to check.

    Args:
        state: inode, time of change and size of the file; another is read again.

    Raises:
        InputError: it is broken.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    return read_schema(path, Things)
