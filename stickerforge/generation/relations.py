"""How two things of a prompt stand to each other, in the words of a small model's captions.

"A skull with flowers" fell apart where "a skull to the left of a bouquet" shows both.
"""

from collections.abc import Sequence

from stickerforge.data.english import with_article
from stickerforge.generation.prompt_units import Unit
from stickerforge.models.things import Things

WITH = ("with", "in", "wearing")  # what is worn may follow these
SIDE_BY_SIDE = frozenset(["", ",", "and", "with", "or", "next to", "beside", "near", "by", "of"])
Noun = tuple[Unit, ...]  # a thing with what stands before it


def relate(units: Sequence[Unit], things: Things) -> tuple[list[Unit], list[str]]:
    """(the units with known relations between two things, words of things that are left out).

    What is worn belongs to the thing before it, and its own parts are drawn with it ("a rabbit with
    long ears"); of other things the model knows no more than two.
    """
    nouns, rest = noun_phrases(units)
    if not nouns:
        return list(units), []
    result: list[Unit] = []
    left_out: list[str] = []
    number = 0  # of things that are not worn
    for link, noun in nouns:
        last = noun[-1]
        said = link.text.lower() if link else ""
        if number and last.thing in things.worn and said in WITH:
            result += [Unit("link", "", "wearing"), *noun]
            continue
        number += 1
        if number > 2 or (
            number == 2 and (said == "of" or is_own(nouns[0][1], said, last, things))
        ):
            left_out += [unit.said for unit in noun if unit.kind != "determiner"]
            number -= 1
            continue
        if number == 2:
            result.append(relation(said, last.thing, things))
            noun = with_articles(noun)
        result += noun
    if number == 2:
        first = nouns[0][1]
        result = [*with_articles(first), *result[len(first) :]]
    return [*result, *rest], left_out


def noun_phrases(units: Sequence[Unit]) -> tuple[list[tuple[Unit | None, Noun]], list[Unit]]:
    """([(the link before it, a noun phrase)], the spans with the punctuation before them)."""
    nouns: list[tuple[Unit | None, Noun]] = []
    spans: list[Unit] = []
    noun: list[Unit] = []
    link: Unit | None = None
    end = Unit("unknown", "")
    for unit in (*units, end):
        if unit.kind == "determiner" and is_noun(noun):
            nouns.append((link, tuple(noun)))
            noun, link = [], None
        if unit.kind in ("determiner", "attribute", "thing"):
            noun.append(unit)
            continue
        if unit.kind == "unknown" and unit is not end and not is_noun(noun):
            continue  # "three little pigs": what was left out stood before the thing
        if is_noun(noun):
            nouns.append((link, tuple(noun)))
            link = None
        noun = []
        if unit.kind == "span":
            spans += [link, unit] if link and link.kind == "punctuation" else [unit]
            link = None
        elif unit.kind in ("link", "punctuation") and not (link and link.kind == "link"):
            link = unit
    return nouns, spans


def is_own(first: Noun, said: str, second: Unit, things: Things) -> bool:
    """Whether the second thing is drawn with the first in any case: its ears, a happy face."""
    has_face = second.said.lower().endswith("face")
    return said == "with" and (has_face or things.has(first[-1].thing, second.thing))


def is_noun(units: Sequence[Unit]) -> bool:
    """Whether there is a thing among them."""
    return any(unit.kind == "thing" for unit in units)


def relation(said: str, thing: str, things: Things) -> Unit:
    """The relation that stands for a link."""
    usual = things.relations.get("", said)
    text = things.relations.get(said, usual)
    if said in ("in", "inside", "into") and thing not in things.containers:
        text = usual
    return Unit("link", "" if said in SIDE_BY_SIDE else said, text)


def with_articles(noun: Noun) -> Noun:
    """A noun phrase with an article, where it has neither that nor a number."""
    if noun[0].kind == "determiner" or noun[0].text[0].isdigit():
        return noun
    if noun[0].text.lower() in ("two", "three", "four", "five"):
        return noun
    words = " ".join(unit.text for unit in noun)
    article = with_article(words)[: -len(words)].strip()
    return (Unit("determiner", "", article), *noun) if article else noun
