"""How two things of a prompt stand to each other, in the words of a small model's captions.

"A skull with flowers" fell apart where "a skull to the left of a bouquet" shows both.
"""

from collections.abc import Sequence
from typing import Literal

from stickerforge.data.english import with_article
from stickerforge.generation.prompt_units import Unit
from stickerforge.models.things import Things

WITH = ("with", "in", "wearing")  # what is worn may follow these
SIDE_BY_SIDE = frozenset(["", ",", "and", "with", "or", "next to", "beside", "near", "by", "of"])
Role = Literal["thing", "worn", "part", "none"]  # a part is drawn in any case
Noun = tuple[Unit, ...]  # a thing with what stands before it


def relate(units: Sequence[Unit], things: Things) -> tuple[list[Unit], list[str]]:
    """(the units with known relations between two things, words that are left out).

    What is worn belongs to the thing before it, and its own parts are drawn with it ("a rabbit with
    ears"); of other things the model knows no more than two.
    """
    nouns, rest = noun_phrases(units)
    if not nouns:
        return list(units), []
    result: list[Unit] = []
    left_out: list[str] = []
    kept: list[str] = []  # things that are not worn
    dressed = False  # whether the noun before is worn
    for link, noun in nouns:
        noun, strange = without_ground_colours(noun, things)
        left_out += strange
        said = link.text.lower() if link else ""
        role = role_of(noun, said, kept, things)
        worn = noun[-1].thing in things.worn
        if said == "and" and dressed and worn:
            role = "none"  # of what is worn the model knows no more than one thing
        dressed = worn and bool(kept) and said in (*WITH, "and")
        if role == "none":
            left_out += [unit.said for unit in noun if unit.kind != "determiner"]
        elif role == "worn":
            result += [Unit("link", "", "wearing"), *noun]
        elif role == "thing":
            kept.append(noun[-1].thing)
            if len(kept) == 2:
                result = [*with_articles(tuple(result)), relation(said, kept[0], kept[1], things)]
                noun = with_articles(noun)
            result += noun
    return [*result, *rest], left_out


def role_of(noun: Noun, said: str, kept: Sequence[str], things: Things) -> Role:
    """What a noun phrase is in the picture of the things before it.

    Args:
        said: the link before it.
        kept: things before it that are not worn.
    """
    thing = noun[-1].thing
    if kept and thing in things.worn and said in WITH:
        return "worn" if things.may_wear(kept[-1]) else "none"
    if len(kept) == 1 and said == "with":
        if thing in things.parts.get(kept[0], ()):
            return "part"
        if thing in things.parts.get("", ()) or noun[-1].said.lower().endswith("face"):
            return "none" if any(unit.kind == "attribute" for unit in noun) else "part"
    return "none" if len(kept) == 2 or (kept and said == "of") else "thing"


def without_ground_colours(noun: Noun, things: Things) -> tuple[Noun, list[str]]:
    """(a noun phrase in colours that a thing may have, those that are left out).

    What was taught, and is in no table, may have any colour.
    """
    if noun[-1].thing not in things.names:
        return noun, []
    strange = [unit for unit in noun if unit.text in things.ground_colours]
    return tuple(unit for unit in noun if unit not in strange), [unit.said for unit in strange]


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


def is_noun(units: Sequence[Unit]) -> bool:
    """Whether there is a thing among them."""
    return any(unit.kind == "thing" for unit in units)


def relation(said: str, first: str, second: str, things: Things) -> Unit:
    """The relation of two things that stands for a link."""
    usual = things.relations.get("", said)
    text = things.relations.get(said, usual)
    if said in ("in", "inside", "into") and second not in things.containers:
        text = usual
    if said == "holding" and not things.may_hold(first, second):
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
