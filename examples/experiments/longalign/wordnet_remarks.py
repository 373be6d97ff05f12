"""Sentences in other people's words: the examples in WordNet's glosses, read where it was fetched.

They say nothing about a picture: none is kept that names a thing, a colour, a number, a style or a
ground that sticker-mini knows, or that speaks of pictures.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache

from examples.experiments.longalign.remarks import Part
from examples.recipes.mini.captions import NUMBERS
from examples.recipes.mini.hypernyms import DICTIONARY
from stickerforge.generation.prompt_units import PromptParser
from stickerforge.models.registry import find_model
from stickerforge.models.things import Things, read_things, words_of

FILES = ("data.noun", "data.verb", "data.adj", "data.adv")
EVALUATION_SHARE = 4  # one sentence of so many is in no training caption
FEWEST, MOST = 3, 25
QUOTED = re.compile(r'"([^"]+)"')
PLAIN = re.compile(r"[A-Za-z][A-Za-z ,'-]*[A-Za-z][.!?]?")
# Where a phrase begins with one of these, or holds one of those, it is nearly always a sentence.
SUBJECTS = frozenset("he she they we i you there who what why how".split())
VERBS = frozenset(
    "is are was were has had have did does do will would can could should must may might".split()
)
# It says something about a picture, or might.
ABOUT_PICTURES = re.compile(
    r"\b(it|this|these|those|pictures?|photo\w*|paint\w*|draw\w*|drew|sketch\w*|portrait\w*|"
    r"images?|stickers?|colou?r\w*|style\w*|background\w*|wear\w*|wore|worn|dressed|one|faces?|hands?|heads?|persons?)\b",
    re.IGNORECASE,
)
LONGEST_NAME = 4  # words of a thing's name that are looked for


def mini_things() -> Things:
    """The table of what sticker-mini draws."""
    things = read_things(find_model("sticker-mini"))
    assert things is not None
    return things


def example_phrases() -> Iterator[str]:
    """The example phrases of all glosses, in the order of the files."""
    for name in FILES:
        for line in (DICTIONARY / name).read_text(encoding="latin1").splitlines():
            if not line.startswith(" "):  # its licence
                yield from QUOTED.findall(line.partition(" | ")[2])


def as_sentence(phrase: str) -> str:
    """A phrase with a capital letter and a full stop; "" where it is no plain sentence."""
    phrase = " ".join(phrase.split())
    words = words_of(phrase)
    if not PLAIN.fullmatch(phrase) or not FEWEST <= len(words) <= MOST:
        return ""
    if words[0] not in SUBJECTS and not VERBS & set(words[1:]):
        return ""
    return f"{phrase[0].upper()}{phrase[1:]}{'' if phrase[-1] in '.!?' else '.'}"


def names_nothing_drawn(text: str, parser: PromptParser) -> bool:
    """Whether a sentence holds nothing that sticker-mini draws, nor speaks of pictures."""
    if ABOUT_PICTURES.search(text) or set(words_of(text)) & set(NUMBERS.values()):
        return False
    return not parser.span.search(text) and not any(
        (unit := parser.known(part, "")) and unit.kind in ("thing", "attribute")
        for part in word_runs(words_of(text))
    )


def word_runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All runs of one to `LONGEST_NAME` words."""
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST_NAME, len(words)) + 1):
            yield tuple(words[start:end])


def is_kept_for_evaluation(text: str) -> bool:
    """Whether a sentence is in no training caption; by its own words, whatever the others are."""
    digest = hashlib.sha256(" ".join(words_of(text)).encode()).digest()
    return digest[0] % EVALUATION_SHARE == 0


@cache
def wordnet_remarks(part: Part) -> tuple[str, ...]:
    """The sentences of a part; no sentence is in both.

    Raises:
        FileNotFoundError: WordNet was not fetched.
    """
    parser = PromptParser(mini_things(), (), with_fillers=False)
    own = {words_of(text): text for text in map(as_sentence, example_phrases()) if text}
    return tuple(
        text
        for text in own.values()
        if is_kept_for_evaluation(text) == (part == "evaluation")
        and names_nothing_drawn(text, parser)
    )
