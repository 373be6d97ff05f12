"""Texts divided into parts that a text encoder can read whole: sentences, clauses, words.

Nothing of a text is lost but white space, and no placeholder ("<dog>") falls apart. How many tokens
a part has is said by a function of the caller, so that any tokenizer will do.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from stickerforge.sampling.text_boundaries import (
    comma_ends,
    enclosed_positions,
    grapheme_starts,
    script_changes,
    sentence_ends,
)

CountTokens = Callable[[str], int]
Span = tuple[int, int]  # of characters, the end not included

PLACEHOLDER = re.compile(r"<[^<>\s]+>")
# What the released code of LongAlign (arXiv:2410.11817) splits at: written as if for four marks of
# punctuation, it splits at two of them and at two pairs of characters.
OFFICIAL = re.compile(r'"!|\.|\?|;"')


def sentences(text: str, whole: Sequence[str] = ()) -> list[str]:
    """The sentences of a text of any language, without white space around them.

    Args:
        whole: further texts that must not fall apart, beside placeholders.
    """
    division = Division(text, whole)
    return division.texts(division.sentences)


def official_sentences(text: str) -> list[str]:
    """The segments of the released LongAlign, with its flaws: decimals and "Mr." end sentences.

    Each has a full stop at its end, whatever stood there; an empty text is one empty segment.
    """
    return [f"{part}." for part in OFFICIAL.split(text) if part] or [""]


def fit(
    parts: Iterable[str], count: CountTokens, limit: int, whole: Sequence[str] = ()
) -> list[str]:
    """The parts, those of more than `limit` tokens divided.

    They are divided where sentences end, else at commas, else between words, and within a word only
    where that alone has too many tokens.

    Args:
        whole: see `sentences`.
    """
    return [
        piece
        for part in parts
        for division in [Division(part, whole)]
        for piece in division.texts(division.fit((0, len(part)), count, limit))
    ]


def windows(text: str, count: CountTokens, limit: int, whole: Sequence[str] = ()) -> list[str]:
    """A text in as few parts as whole sentences of at most `limit` tokens allow.

    A sentence that has more is divided as `fit` does it.

    Args:
        whole: see `sentences`.
    """
    division = Division(text, whole)
    spans = [
        span for sentence in division.sentences for span in division.fit(sentence, count, limit)
    ]
    return division.texts(division.pack(spans, count, limit))


@dataclass(frozen=True)
class Division:
    """Where a text may be divided.

    Args:
        whole: see `sentences`.
    """

    text: str
    whole: Sequence[str] = ()

    def texts(self, spans: Iterable[Span]) -> list[str]:
        """What stands in some spans, without white space around it, and without empty ones."""
        parts = (self.text[start:end].strip() for start, end in spans)
        return [part for part in parts if part]

    @cached_property
    def inside_whole(self) -> frozenset[int]:
        """The positions within placeholders, and within what else must not fall apart."""
        spans = [match.span() for match in PLACEHOLDER.finditer(self.text)]
        for part in filter(None, self.whole):
            spans += [match.span() for match in re.finditer(re.escape(part), self.text)]
        return frozenset(at for start, end in spans for at in range(start + 1, end))

    @cached_property
    def sentences(self) -> list[Span]:
        """The whole text, sentence by sentence; what is quoted or in brackets stays together."""
        enclosed = enclosed_positions(self.text)
        return spans_between(
            (0, len(self.text)),
            self.divisible(sentence_ends(self.text, enclosed)),
        )

    @cached_property
    def levels(self) -> list[list[int]]:
        """Positions at which a part may be divided, the best ones first, each list in order."""
        ends = sentence_ends(self.text, frozenset())
        spaces = [match.end() for match in re.finditer(r"\s+", self.text)]
        careful = (ends, comma_ends(self.text), spaces, script_changes(self.text))
        graphemes = grapheme_starts(self.text)
        anywhere = list(range(1, len(self.text)))
        return [*map(self.divisible, (*careful, graphemes)), graphemes, anywhere]

    def divisible(self, positions: Iterable[int]) -> list[int]:
        """Those of some positions that are not within what must not fall apart."""
        return [at for at in positions if at not in self.inside_whole]

    def fit(self, span: Span, count: CountTokens, limit: int) -> list[Span]:
        """A span in parts of at most `limit` tokens."""
        return self.pack(self.divide(span, count, limit, 0), count, limit)

    def divide(self, span: Span, count: CountTokens, limit: int, level: int) -> list[Span]:
        """The same without joining what was divided at different levels."""
        if self.fits(span, count, limit) or level == len(self.levels):
            return [span]
        parts, result, at = spans_between(span, self.levels[level]), list[Span](), 0
        while at < len(parts):
            if together := self.most_that_fit(parts, at, count, limit):
                result.append((parts[at][0], parts[at + together - 1][1]))
            else:
                result += self.divide(parts[at], count, limit, level + 1)
            at += max(1, together)
        return result

    def fits(self, span: Span, count: CountTokens, limit: int) -> bool:
        """Whether what stands in a span has at most `limit` tokens."""
        return count(self.text[slice(*span)].strip()) <= limit

    def pack(self, spans: Sequence[Span], count: CountTokens, limit: int) -> list[Span]:
        """Adjacent spans, joined as long as they have at most `limit` tokens together."""
        packed, at = list[Span](), 0
        while at < len(spans):
            together = max(1, self.most_that_fit(spans, at, count, limit))
            packed.append((spans[at][0], spans[at + together - 1][1]))
            at += together
        return packed

    def most_that_fit(self, spans: Sequence[Span], at: int, count: CountTokens, limit: int) -> int:
        """How many adjacent spans from an index on have at most `limit` tokens together.

        It is searched in growing steps, then by halves: counting is what takes time.
        """
        most, too_many, step = 0, len(spans) - at + 1, 1
        while too_many - most > 1:
            tried = most + step if most + step < too_many else (most + too_many) // 2
            if self.fits((spans[at][0], spans[at + tried - 1][1]), count, limit):
                most, step = tried, step * 2
            else:
                too_many, step = tried, max(1, (tried - most) // 2)
        return most


def spans_between(span: Span, positions: Sequence[int]) -> list[Span]:
    """A span, divided at those of some ordered positions that lie within it."""
    start, end = span
    inner = positions[bisect_right(positions, start) : bisect_left(positions, end)]
    edges = [start, *inner, end]
    return list(zip(edges, edges[1:], strict=False))
