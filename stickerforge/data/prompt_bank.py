"""A bank of prompts that stickers are asked for by: emotions, pairs of objects, activities.

Every family is a product of lists of words (prompt_bank.toml), said by templates. The attributes of
a prompt are those of StickerBench (arXiv:2604.26883): appearance, emotion, action, composition,
style, background; a prompt has those that it speaks of.
"""

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from itertools import combinations, product
from typing import Any

from stickerforge.data.english import with_article
from stickerforge.runtime.seeds import derive_seed

FAMILIES = ("emotion", "pair", "activity")
ARTICLE = re.compile(r"\ba ([\w-]+)")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
CARRIERS = 3  # subjects that a setting is tried with
ARTICLES = frozenset(("a", "an", "the"))
Reword = Callable[[str, int], str]


@dataclass(frozen=True)
class BankPrompt:
    """A prompt of the bank.

    Args:
        family: one of `FAMILIES`, or "file" for a prompt of the user's own.
        attributes: what it speaks of, by the names of StickerBench.
    """

    text: str
    family: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Combination:
    """Words of a family that make one prompt.

    Args:
        words: by the names that stand in the templates.
        core: the shortest text that holds what matters of them; where it cannot be said, no
            template can say them.
        things: how many things they name.
        attributes: as those of the prompt.
    """

    words: Mapping[str, str]
    core: str
    things: int
    attributes: Mapping[str, str]


def bank_prompts(
    seed: int,
    families: Sequence[str] = FAMILIES,
    reword: Reword = lambda text, things: text,
) -> Iterator[BankPrompt]:
    """All different prompts of the bank, the families in turn.

    They depend on the arguments alone, and more of them begin with the same ones.

    Args:
        reword: says a prompt, and how many things it names, in the words of a model; "" for one
            that the model cannot draw, which is then left out.
    """
    seen: set[str] = set()
    sources = [family_prompts(family, seed, reword) for family in dict.fromkeys(families)]
    while sources:
        for source in list(sources):
            prompt = next((one for one in source if normalize(one.text) not in seen), None)
            if prompt is None:
                sources.remove(source)
            else:
                seen.add(normalize(prompt.text))
                yield prompt


def normalize(text: str) -> str:
    """What two prompts share that say the same: words without case, articles and punctuation.

    What stands on both sides of "and" is put in order: "cat and dog" is "dog and cat".
    """
    words = [word.lower().replace("’", "'") for word in WORD.findall(text)]
    plain = " ".join(word for word in words if word not in ARTICLES)
    return " and ".join(sorted(part.strip() for part in re.split(r"\band\b", plain)))


@lru_cache(maxsize=1)
def read_bank() -> dict[str, Any]:
    """The words and templates that ship."""
    file = resources.files("stickerforge.data").joinpath("prompt_bank.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def family_prompts(family: str, seed: int, reword: Reword) -> Iterator[BankPrompt]:
    """The prompts of a family in an order that the seed decides; some may say the same.

    A combination is said once by one template, then, in later rounds, by the others.
    """
    rng = random.Random(derive_seed(seed, f"prompt bank {family}"))
    vocabulary = Vocabulary(read_bank()["words"], reword)
    templates: list[str] = read_bank()["templates"][family]
    start = rng.randrange(len(templates))
    for combined in COMBINATIONS[family](vocabulary, rng):
        for turn in range(start, start + len(templates)):
            for at, combination in enumerate(combined):
                if vocabulary.knows(combination.core, combination.things):
                    template = templates[(turn + at) % len(templates)]
                    text = say(combination, template, reword)
                    if text := text or say(combination, templates[0], reword):
                        yield BankPrompt(text, family, combination.attributes)


def say(combination: Combination, template: str, reword: Reword) -> str:
    """A combination as a template says it, in the words of the model; "" where it has none."""
    text = ARTICLE.sub(lambda match: with_article(match[1]), template.format(**combination.words))
    return reword(" ".join(text.split()), combination.things)


class Vocabulary:
    """The words of the bank that a model has words for."""

    def __init__(self, words: Mapping[str, Sequence[str]], reword: Reword) -> None:
        self.words, self.reword = words, reword
        self.known: dict[str, bool] = {}

    def knows(self, text: str, things: int = 1) -> bool:
        """Whether a text can be said."""
        if text not in self.known:
            self.known[text] = bool(self.reword(text, things))
        return self.known[text]

    def names(self, kind: str) -> list[str]:
        """The names of things of a list that can be said."""
        return [name for name in self.words[kind] if self.knows(with_article(name))]

    def phrases(self, kind: str) -> list[str]:
        """Settings or extras: those that can be said of one of some subjects."""
        subjects = self.names("subjects")[:CARRIERS]
        return [
            phrase
            for phrase in self.words[kind]
            if any(self.knows(f"{with_article(name)} {phrase}") for name in subjects)
        ]


def emotions(vocabulary: Vocabulary, rng: random.Random) -> Iterator[list[Combination]]:
    """Emotion x subject; then again with something that is worn, held or around."""
    subjects = [*vocabulary.words["faces"], *vocabulary.names("subjects")]
    pairs = shuffled(list(product(subjects, vocabulary.words["emotions"])), rng)
    yield [emotion(subject, feeling) for subject, feeling in pairs]
    for extra in shuffled(vocabulary.phrases("extras"), rng):
        yield [emotion(subject, feeling, extra) for subject, feeling in pairs]


def emotion(subject: str, feeling: str, extra: str = "") -> Combination:
    """Somebody with a feeling."""
    noun = f"{subject} {extra}".strip()
    return Combination(
        {"subject": noun, "emotion": feeling},
        with_article(f"{feeling} {subject}"),
        1,
        {"appearance": noun, "emotion": feeling},
    )


def object_pairs(vocabulary: Vocabulary, rng: random.Random) -> Iterator[list[Combination]]:
    """Relation x two objects: every pair with one relation, then with the others."""
    pairs = shuffled(list(combinations(vocabulary.names("objects"), 2)), rng)
    pairs = [pair if rng.random() < 0.5 else pair[::-1] for pair in pairs]
    relations = shuffled(vocabulary.words["relations"], rng)
    for turn in range(len(relations)):
        yield [
            object_pair(first, second, relations[(turn + at) % len(relations)])
            for at, (first, second) in enumerate(pairs)
        ]


def object_pair(first: str, second: str, relation: str) -> Combination:
    """Two objects, and how they stand."""
    return Combination(
        {"first": first, "second": second, "relation": relation},
        f"{with_article(first)} {relation} {with_article(second)}",
        2,
        {"appearance": f"{first}, {second}", "composition": relation},
    )


def activities(vocabulary: Vocabulary, rng: random.Random) -> Iterator[list[Combination]]:
    """Activity x setting x subject."""
    words = (vocabulary.names("subjects"), vocabulary.words["activities"])
    everything = list(product(*words, vocabulary.phrases("settings")))
    yield [activity(*words) for words in shuffled(everything, rng)]


def activity(subject: str, action: str, setting: str) -> Combination:
    """Somebody who does something somewhere."""
    return Combination(
        {"subject": subject, "activity": action, "setting": setting},
        f"{with_article(subject)} {action}",
        1,
        {"appearance": subject, "action": action, "background": setting},
    )


def shuffled(items: Sequence[Any], rng: random.Random) -> list[Any]:
    """The items in another order."""
    return rng.sample(items, len(items))


COMBINATIONS: dict[str, Callable[[Vocabulary, random.Random], Iterator[list[Combination]]]] = {
    "emotion": emotions,
    "pair": object_pairs,
    "activity": activities,
}
