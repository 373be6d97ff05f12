"""A prompt reduced to what a small model can draw: its things, and what changes a picture."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stickerforge.data.english import plural, with_article
from stickerforge.generation.prompt_units import PromptParser, Unit
from stickerforge.generation.relations import relate
from stickerforge.models.things import Things, words_of

NUMBERS = frozenset("two three four five 2 3 4 5".split())
STRETCH = re.compile(r"(\w)\1{2,}")  # "goood"
ALIKE = 0.8  # of letters, from which a word of a prompt without a thing is taken for a misspelt one
MIN_LETTERS = 5  # of such a word
CONTENT = ("thing", "attribute", "span")


@dataclass(frozen=True)
class ReducedPrompt:
    """What became of a prompt.

    Args:
        text: as the model is to read it; "" where there is nothing to draw.
        things: that it names, in order.
        replaced: (words of the user, what is drawn for them), in order.
        left_out: words of the user that draw nothing.
    """

    text: str
    things: tuple[str, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()

    def line(self) -> str:
        """What was replaced or left out, as one line; "" where nothing was."""
        parts = [f"{said} → {text}" for said, text in self.replaced]
        if self.left_out:
            parts.append(f"left out: {', '.join(self.left_out)}")
        return "; ".join(parts)

    def record(self) -> dict[str, object]:
        """What was replaced or left out, as plain values."""
        return {"replaced": dict(self.replaced), "left_out": list(self.left_out)}


def reduce_prompt(text: str, things: Things, phrases: tuple[str, ...] = ()) -> ReducedPrompt:
    """A prompt without what the model cannot draw, in the words that it knows.

    Args:
        phrases: words of adapters, which are kept as they stand.

    Returns:
        Without a text where nothing is left that could be drawn.
    """
    parser = PromptParser(things, phrases)
    units = parser.units(text)
    said = " ".join(unit.said for unit in units if unit.kind != "span")
    words = words_of(STRETCH.sub(r"\1\1", said))
    if words not in things.by_name and (thing := things.by_phrase.get(words)):
        return say_phrase(thing, units, words, things)
    for own in (parser, PromptParser(things, phrases, with_fillers=False)):
        units = list(mark_modifiers(own.units(text), things))
        if any(unit.kind == "thing" for unit in units):
            return assemble(units, things)
    if found := longest_phrase(words, things) or misspelt(words, things):
        return say_phrase(found[0], units, found[1], things)
    left_out = tuple(unit.said for unit in units if unit.kind in ("unknown", "filler"))
    return ReducedPrompt("", left_out=left_out)


def longest_phrase(words: tuple[str, ...], things: Things) -> tuple[str, tuple[str, ...]] | None:
    """(thing, words) of the longest phrase that some words hold; None for none."""
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            part = words[start : start + length]
            if thing := things.by_phrase.get(part):
                return thing, part
    return None


def misspelt(words: Sequence[str], things: Things) -> tuple[str, tuple[str, ...]] | None:
    """(thing, word) of the word that looks most like a thing's name, where it is much like it."""
    best: tuple[float, str, tuple[str, ...]] = (ALIKE, "", ())
    names = {" ".join(name): thing for name, thing in (things.by_noun | things.by_name).items()}
    for word in words:
        for name in difflib.get_close_matches(word, names, n=1, cutoff=ALIKE):
            ratio = difflib.SequenceMatcher(None, word, name).ratio()
            if len(word) >= MIN_LETTERS and word[0] == name[0] and ratio >= best[0]:
                best = (ratio, names[name], (word,))
    return best[1:] if best[1] else None


def say_phrase(
    thing: str, units: Sequence[Unit], said: tuple[str, ...], things: Things
) -> ReducedPrompt:
    """The thing that is drawn for a phrase, with the style and the ground that were asked for."""
    spans = [unit.text for unit in units if unit.kind == "span" and unit.text]
    left_out = [
        unit.said
        for unit in units
        if unit.kind == "unknown" and not set(words_of(unit.said)) <= set(said)
    ]
    text = ", ".join([things.names[thing], *spans])
    return ReducedPrompt(text, (thing,), ((" ".join(said), things.names[thing]),), tuple(left_out))


def assemble(units: Sequence[Unit], things: Things) -> ReducedPrompt:
    """A prompt of the units that can be drawn: at most two kinds of things, and how they stand.

    Links and determiners that lost what they belong to go as well. Between two things stands a
    relation that the model knows, where it knows any.
    """
    left_out = [unit.said for unit in units if unit.kind == "unknown"]
    kept = list(mark_gaps(units))
    lost = lonely_attributes(kept)
    left_out += [kept[at].said for at in lost]
    kept = [unit for at, unit in enumerate(kept) if at not in lost]
    kept = drop_links(merge_repeats(kept))
    if things.relations:
        kept, more = relate(kept, things)
        left_out += more
    replaced = dict.fromkeys(
        (unit.said, unit.text)
        for unit in kept
        if unit.kind in ("thing", "attribute", "link")
        and unit.said
        and words_of(unit.text) != words_of(unit.said)
    )
    named = tuple(dict.fromkeys(unit.thing for unit in kept if unit.thing))
    return ReducedPrompt(join_units(kept), named, tuple(replaced), tuple(dict.fromkeys(left_out)))


def is_modifier(unit: Unit, after: Unit, things: Things) -> bool:
    """Whether a thing only says what kind of another one is meant, which the model cannot draw."""
    return (
        after.kind == "thing"
        and after.thing != unit.thing
        and bool(words_of(unit.said) and words_of(after.said))  # two emoji are two things
        and {unit.thing, after.thing} <= things.names.keys()  # what was taught is more than a kind
        and things.names[unit.thing] != things.names[after.thing]  # "siamese cat"
        and not (after.thing in things.suits and things.is_somebody(unit.thing))
    )


def mark_modifiers(units: Sequence[Unit], things: Things) -> Iterator[Unit]:
    """The units, with what is no thing in its place.

    "Birthday balloons" are balloons, and a "rainbow unicorn" is a unicorn: a thing before another
    is left out, but for somebody who may be dressed as it ("puppy astronaut"). "To hug" is a verb,
    and an orange is a thing where nothing follows that it could colour.
    """
    lonely = lonely_attributes(units)
    for at, unit in enumerate(units):
        after = units[at + 1] if at + 1 < len(units) else None
        before = units[at - 1].said.lower() if at else ""
        if at in lonely and (thing := things.by_noun.get(words_of(unit.said))):
            yield Unit("thing", unit.said, things.names[thing], thing)
        elif unit.kind != "thing":
            yield unit
        elif (before == "to" and words_of(unit.text) != words_of(unit.said)) or (
            after is not None and is_modifier(unit, after, things)
        ):
            yield Unit("unknown", unit.said)
        else:
            yield unit


def mark_gaps(units: Sequence[Unit]) -> Iterator[Unit]:
    """The units that are kept; one without a text where others were left out."""
    gap = False
    for unit in units:
        if unit.kind in ("unknown", "filler"):
            gap = True
            continue
        if gap:
            yield Unit("unknown", "")
        gap = False
        yield unit


def lonely_attributes(units: Sequence[Unit]) -> set[int]:
    """Indices of attributes that no thing follows before a link, punctuation or the end."""
    lost: set[int] = set()
    for at, unit in enumerate(units):
        if unit.kind != "attribute":
            continue
        after = (other.kind for other in units[at + 1 :] if other.kind not in ("attribute",))
        kind = next((kind for kind in after if kind not in ("unknown", "determiner")), "end")
        if kind != "thing":
            lost.add(at)
    return lost


def merge_repeats(units: Sequence[Unit]) -> list[Unit]:
    """Units without a thing that is named again at once ("corgi puppy"); numbers in the plural."""
    result: list[Unit] = []
    for unit in units:
        before = next((other for other in reversed(result) if other.kind != "unknown"), None)
        if unit.kind == "thing" and before is not None:
            same = unit.thing == before.thing or unit.text == before.text
            if before.kind == "thing" and same:
                continue
            one = words_of(unit.text) != words_of(unit.said)
            if before.kind == "attribute" and before.said.lower() in NUMBERS and one:
                unit = Unit(unit.kind, unit.said, plural(unit.text), unit.thing)
        result.append(unit)
    return result


def drop_links(units: Sequence[Unit]) -> list[Unit]:
    """Units without determiners, links and punctuation that have nothing to belong to."""
    result: list[Unit] = []
    for at, unit in enumerate(units):
        after = [other.kind for other in units[at + 1 :]]
        following = next((kind for kind in after if kind != "unknown"), "end")
        content = any(other.kind in CONTENT for other in result)
        if unit.kind == "determiner" and following not in ("thing", "attribute"):
            continue
        if unit.kind == "link":
            target = next(
                (kind for kind in after if kind in (*CONTENT, "punctuation", "link")), "end"
            )
            if not content or target not in CONTENT:
                continue
        if unit.kind == "punctuation" and (
            not content or not any(kind in CONTENT for kind in after)
        ):
            continue
        last = next((other.kind for other in reversed(result) if other.kind != "unknown"), "")
        if unit.kind == "punctuation" and last == "punctuation":
            continue
        result.append(unit)
    return result


def join_units(units: Sequence[Unit]) -> str:
    """The text of units, with articles that fit."""
    text, article, gap, joined = "", "", False, False
    for unit in units:
        if unit.kind == "unknown":
            gap = True
            continue
        if unit.kind == "determiner":
            article = unit.text
            continue
        if unit.kind == "punctuation":
            text, joined = f"{text},", False
            gap = False
            continue
        words = unit.text
        if article.lower() in ("a", "an"):
            words = with_article(words)
        elif article:
            words = f"{article} {words}"
        if unit.kind == "thing":
            text += " and" if joined and gap else ""
            joined = True
        elif unit.kind in ("link", "span"):
            joined = False
        article, gap = "", gap and unit.kind == "attribute"
        text = f"{text} {words}".strip()
    return text


def nearest_things(text: str, things: Things) -> list[str]:
    """The three things whose names look most like words of a text."""
    choices = {" ".join(words): thing for words, thing in things.by_name.items()}
    choices |= {" ".join(words): thing for words, thing in things.by_noun.items()}
    scores: dict[str, float] = {}
    for word in words_of(text)[:20] or ("",):
        for match in difflib.get_close_matches(word, choices, n=5, cutoff=0.0):
            name = things.names[choices[match]]
            ratio = difflib.SequenceMatcher(None, word, match).ratio()
            scores[name] = max(scores.get(name, 0.0), ratio)
    return sorted(scores, key=lambda name: -scores[name])[:3]
