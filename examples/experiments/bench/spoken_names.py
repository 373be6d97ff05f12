"""Whether what a reader says of a picture names the thing that was asked for.

A thing answers its CLDR name, the last word of it, everyday words for it, and those of its keywords
that few other things share ("fist", but neither "hand" nor "green"). An answer is read from left to
right, the longest known words first, so that "a hot dog" names no dog; articles, plurals and spaces
make no difference.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from examples.recipes.mini.art import Subject
from examples.recipes.mini.caption_sampler import everyday_words
from examples.recipes.mini.things import COLOURS
from examples.recipes.mini.vocabulary import GROUNDS, HUES, short_name
from stickerforge.data.english import plural

MAX_SHARED = 5  # things that may share a keyword or the last word of a name
MAX_WORDS = 6  # of a name that is looked for in an answer
NO_NAMES = {*GROUNDS, *HUES, *COLOURS, "face", "sign", "symbol", "button", "mark"}


def stems(text: str) -> list[str]:
    """The words of a text without accents, signs and endings of plurals."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).replace("'", "")
    words = re.findall(r"[a-z0-9]+", plain)
    return [re.sub(r"(?<=[a-z]{2}[^su])s$", "", word) for word in words]


def spelling(name: str) -> str:
    """A name as it is compared: "Hot dogs" and "hotdog" are the same."""
    return "".join(stems(name))


class SpokenNames:
    """What people may call each of the things.

    Args:
        subjects: all things, also those that no model learns, as answers may name them.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.spellings: Mapping[str, frozenset[str]] = {
            name: frozenset(spelling(form) for word in words for form in (word, plural(word)))
            for name, words in words_by_name(subjects).items()
        }
        self.known = frozenset().union(*self.spellings.values())

    def said(self, answer: str) -> set[str]:
        """The names that an answer holds, as they are compared."""
        words, found, start = stems(answer), set(), 0
        while start < len(words):
            ends = range(min(len(words), start + MAX_WORDS), start, -1)
            spans = ((end, "".join(words[start:end])) for end in ends)
            end, span = next((each for each in spans if each[1] in self.known), (start + 1, ""))
            found.add(span)
            start = end
        return found - {""}

    def is_named(self, answer: str, names: Iterable[str]) -> bool:
        """Whether an answer names one of the things, given by their CLDR names."""
        said = self.said(answer)
        return any(said & self.spellings[name] for name in names)


def words_by_name(subjects: Sequence[Subject]) -> dict[str, set[str]]:
    """{CLDR name: all that a thing may be called}."""
    loose = {s.name: {s.name.split()[-1].lower(), *map(str.lower, s.keywords)} for s in subjects}
    shared = Counter(word for words in loose.values() for word in words)
    everyday = everyday_words()
    return {
        name: {name, short_name(name), *(w for part in everyday.get(name, ()) for w in part)}
        | {w for w in words if shared[w] <= MAX_SHARED and len(w) > 2 and w not in NO_NAMES}
        for name, words in loose.items()
    }
