"""A prompt taken apart: things, what changes a picture, links between them, and what is unknown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from stickerforge.data.captions import PLACEHOLDER
from stickerforge.data.english import IRREGULAR, plural
from stickerforge.models.things import Things, words_of

Kind = Literal[
    "thing", "attribute", "determiner", "link", "span", "punctuation", "filler", "unknown"
]

MAX_WORDS = 8  # of a name
MAX_TYPED = 0x2000  # characters below are punctuation and currencies, which draw nothing
MIN_TYPO = 6  # letters of a word that may be a known one with a typing error
MIN_DOUBLED = 4  # likewise with a letter that is there twice
DETERMINERS = frozenset("a an the my your his her its our their this that these those some".split())
LINKS = frozenset(
    "and or with of in on at by for from to into onto over under above below behind inside between"
    " beside near holding wearing riding".split()
) | {"to the left of", "to the right of", "in front of", "next to", "on top of"}
NO_GROUND = frozenset("transparent plain clear clean empty no without any isolated".split())
SINGULAR = {many: one for one, many in IRREGULAR.items() if many != one}
WORD = r"[^\W_]+(?:['’][^\W_]+)*"
MARKED = re.compile(r"[^\w\s'’-]")  # "Mrs. Claus"
TOKEN = re.compile(rf"{PLACEHOLDER.pattern}|{WORD}|[,.;:!?]+|[^\w\s,.;:!?'’<>-]+")
MODIFIER = re.compile("[\u200d\ufe0f\U0001f3fb-\U0001f3ff]")  # how an emoji is shown, not which


@dataclass(frozen=True)
class Unit:
    """A part of a prompt.

    Args:
        said: as the user wrote it.
        text: as the model is to read it; "" where it is left out.
        thing: that is meant; "" for none.
    """

    kind: Kind
    said: str
    text: str = ""
    thing: str = ""


@dataclass(frozen=True)
class PromptParser:
    """Takes prompts apart by a table of things.

    Args:
        phrases: words of adapters, which are kept as they stand.
        with_fillers: whether words that say nothing are passed over, even if they name a thing.
    """

    things: Things
    phrases: tuple[str, ...] = ()
    with_fillers: bool = True

    @cached_property
    def attributes(self) -> frozenset[str]:
        """Words that change a picture."""
        return frozenset(self.things.attributes)

    @cached_property
    def fillers(self) -> frozenset[str]:
        """Words that say nothing."""
        return frozenset(self.things.fillers) if self.with_fillers else frozenset()

    @cached_property
    def span(self) -> re.Pattern[str]:
        """What is kept as it stands, and grounds."""
        colours = "|".join(
            re.escape(word) for word in sorted({*self.attributes, *self.things.colours}, key=len)
        )
        spans = sorted([*self.things.spans, *self.phrases], key=len, reverse=True)
        kept = "|".join(rf"(?<!\w){re.escape(span)}(?!\w)" for span in spans) or "(?!)"
        lead = r"(?:on|against|with|in front of)(?: an?| the)?"
        marked = [name for name in self.things.names.values() if MARKED.search(name)]
        names = (
            "|".join(re.escape(name) for name in sorted(marked, key=len, reverse=True)) or "(?!)"
        )
        return re.compile(
            rf"(?P<name>{names})|(?P<kept>{kept})"
            r"|(?P<manner>(?<!\w)in the (?:style|manner) of [^,.;:!?]+)"
            rf"|(?<!\w)(?:{lead} (?P<shade>(?:[a-z]+[ -]){{1,3}}?)"
            rf"|(?P<plain>(?:no|{colours}) ))"
            r"(?:background|ground|backdrop)s?(?!\w)"
            r"(?P<more> that fades from [a-z ]+? to (?:pale )?[a-z]+"
            r"| with [a-z]+ (?:dots|stripes|checks))?",
            re.IGNORECASE,
        )

    def units(self, text: str) -> list[Unit]:
        """The parts of a prompt, in order."""
        result: list[Unit] = []
        start = 0
        for match in self.span.finditer(text):
            result += self.words(text[start : match.start()])
            result += self.span_unit(match)
            start = match.end()
        return result + list(self.words(text[start:]))

    def span_unit(self, match: re.Match[str]) -> Iterator[Unit]:
        """A span that is kept, or a ground in the colour that the model knows."""
        if match["name"] is not None:
            yield Unit("thing", match[0], match[0], self.things.by_name[words_of(match[0])])
            return
        if match["kept"] is not None:
            yield Unit("span", match[0], match[0])
            return
        if match["manner"] is not None:
            yield Unit("unknown", match[0].strip())
            return
        words = words_of(match["shade"] or match["plain"])
        known = [
            self.things.colours.get(word, word)
            for word in words
            if word in self.attributes or word in self.things.colours
        ]
        if known:
            shade = " ".join(words[-2:]) if " ".join(words[-2:]) in self.attributes else known[-1]
            yield Unit("span", match[0], f"on a {shade} ground{match['more'] or ''}")
            words = words[: -len(shade.split())]
        for word in words:
            if word not in self.attributes | NO_GROUND | DETERMINERS | self.things.colours.keys():
                yield Unit("unknown", word)

    def words(self, text: str) -> Iterator[Unit]:
        """The parts of a text without spans."""
        tokens = list(TOKEN.finditer(text))
        at = 0
        while at < len(tokens):
            token = tokens[at][0]
            if token.startswith("<"):
                yield Unit("thing", token, token, token)
            elif token[0] in ",.;:!?":
                yield Unit("punctuation", token, ",")
            elif not token[0].isalnum():
                yield from self.emoji(token)
            else:
                run = word_run(tokens[at : at + MAX_WORDS])
                unit, length = self.longest(run, text)
                yield unit
                at += length - 1
            at += 1

    def emoji(self, token: str) -> Iterator[Unit]:
        """The things that emoji stand for; other characters are left out."""
        rest, table = MODIFIER.sub("", token), self.things.by_emoji
        while rest:
            length = next((n for n in range(min(8, len(rest)), 0, -1) if rest[:n] in table), 0)
            yield Unit("filler", "")  # two emoji in a row are two things
            if length:
                thing = table[rest[:length]]
                yield Unit("thing", rest[:length], self.things.names[thing], thing)
            elif ord(rest[0]) > MAX_TYPED:
                yield Unit("unknown", rest[0])
            rest = rest[length or 1 :]

    def longest(self, run: Sequence[re.Match[str]], text: str) -> tuple[Unit, int]:
        """(the unit of the longest known beginning of some words, how many words it has)."""
        words = [token[0].lower().replace("’", "'") for token in run]
        for length in range(len(run), 0, -1):
            said = text[run[0].start() : run[length - 1].end()]
            if unit := self.known(tuple(words[:length]), said):
                return unit, length
        return self.correct(run[0][0], words[0]) or Unit("unknown", run[0][0]), 1

    def known(self, words: tuple[str, ...], said: str) -> Unit | None:
        """The unit of words that are known as a whole; None where they are not."""
        joined = " ".join(words)
        if joined in self.attributes:
            return Unit("attribute", said, said)
        if joined in DETERMINERS:
            return Unit("determiner", said, said)
        if joined in LINKS:
            return Unit("link", said, said)
        if joined in self.things.colours:
            return Unit("attribute", said, self.things.colours[joined])
        if words in self.things.by_name:
            return Unit("thing", said, said, self.things.by_name[words])
        if joined in self.fillers:
            return Unit("filler", said)
        return self.noun(words, said)

    def noun(self, words: tuple[str, ...], said: str) -> Unit | None:
        """The unit of words that name a thing otherwise, or of a plural."""
        singular = [(*words[:-1], one) for one in singulars(words[-1])]
        for key in singular:
            if thing := self.things.by_name.get(key):
                return Unit("thing", said, said, thing)
        if thing := self.things.by_noun.get(words):
            return Unit("thing", said, self.things.names[thing], thing)
        for key in singular:
            if thing := self.things.by_noun.get(key):
                return Unit("thing", said, plural(self.things.names[thing]), thing)
        return None

    def correct(self, said: str, word: str) -> Unit | None:
        """The unit of a word with two letters swapped, one too few, or one too many."""
        if len(word) < MIN_DOUBLED or not word.isalpha():
            return None
        found = {}
        for other in misspellings(word):
            unit = self.known((other,), said)
            if unit is not None and unit.kind == "thing":
                text = other if unit.text == said else unit.text
                found[unit.thing] = Unit("thing", said, text, unit.thing)
        return next(iter(found.values())) if len(found) == 1 else None


def word_run(tokens: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """The words that follow each other without anything but a space or a hyphen between."""
    run: list[re.Match[str]] = []
    for token in tokens:
        between = token.string[run[-1].end() : token.start()] if run else ""
        if not token[0][0].isalnum() or between.strip(" -\t\n\u00a0"):
            break
        run.append(token)
    return run


def singulars(word: str) -> Iterator[str]:
    """What a word may be the plural of."""
    if word in SINGULAR:
        yield SINGULAR[word]
    for end, one in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", "")):
        if word.endswith(end) and len(word) > len(end) + 1 and not word.endswith("'s"):
            yield word[: -len(end)] + one


def misspellings(word: str) -> Iterable[str]:
    """Words of which this one may be a typing error, each once."""
    doubled = [word[:i] + word[i + 1 :] for i in range(1, len(word)) if word[i] == word[i - 1]]
    if len(word) < MIN_TYPO:
        return dict.fromkeys(doubled)
    letters = "abcdefghijklmnopqrstuvwxyz"
    swapped = (
        word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        for i in range(len(word) - 1)
        if word[i] != word[i + 1]
    )
    missing = (word[:i] + letter + word[i:] for i in range(1, len(word) + 1) for letter in letters)
    return dict.fromkeys([*swapped, *doubled, *missing])
