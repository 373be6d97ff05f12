"""What a prompt claims that can be checked: things, their colours, how many, in which style."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stickerforge.data.english import NUMBERS
from stickerforge.evaluation.metrics.base import MetricInput, metric

if TYPE_CHECKING:
    from stickerforge.models.judge.model import Judge

PRESENT = 0.2  # chance from which the judge counts as having seen a thing or a colour
ATTRIBUTES = tuple(
    "plain solid patterned striped checked dotted pale light dark bright soft clear "
    "small large big".split()
)
WORD = re.compile(r"[\w’-]+")


@dataclass(frozen=True)
class Claims:
    """The claims of one prompt.

    Args:
        things: labels, each once.
        colours: of things, not of the ground.
        count: of all things together, where one of them has a number; 0 where none has, or where
            something unknown has.
        style: "" where none is named.
    """

    things: tuple[str, ...]
    colours: tuple[str, ...]
    count: int
    style: str


@metric(
    "facts",
    group="prompt",
    better="higher",
    about="share of what the prompt claims that the judge sees",
    needs=("prompt",),
    encoded=True,
    paired=True,
)
def facts(data: MetricInput) -> NDArray[np.float64] | None:
    """Share of the claims of each prompt that are true, (N,); NaN where the judge knows none."""
    judge = data.encoder.judge
    if judge is None:
        return None
    names = vocabulary(judge.label_of)
    claims = {
        prompt: parse_claims(prompt, names, judge.colours, judge.styles)
        for prompt in dict.fromkeys(data.texts)
    }
    shares = []
    for item, prompt in zip(data.pictures, data.texts, strict=True):
        checks = check_claims(item.readings, claims[prompt], judge)
        shares.append(float(np.mean(checks)) if checks else np.nan)
    return np.array(shares)


def check_claims(readings: NDArray[np.float32], claims: Claims, judge: "Judge") -> list[bool]:
    """Whether each claim is true of a picture.

    Args:
        readings: the judge's chances of labels, styles, colours and counts, one after another.
    """
    ends = np.cumsum([len(judge.labels), len(judge.styles), len(judge.colours)])
    things, styles, colours, counts = np.split(readings, ends)
    checks = [bool(things[judge.labels.index(thing)] >= PRESENT) for thing in claims.things]
    checks += [bool(colours[judge.colours.index(colour)] >= PRESENT) for colour in claims.colours]
    if claims.count:
        checks.append(int(counts.argmax()) + 1 == claims.count)
    if claims.style:
        checks.append(judge.styles[int(styles.argmax())] == claims.style)
    return checks


def vocabulary(label_of: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """{words of a name in lower case: label}.

    Names are full ones, "cat" for "cat face", and the plainest plurals.
    """
    result: dict[tuple[str, ...], str] = {}
    # "dragon" stays the dragon, whatever its face
    ranked = sorted(label_of.items(), key=lambda item: item[0].endswith(" face"))
    other = {"T-Rex": "dinosaur", "ear of corn": "corn"}
    for name, label in ranked:
        for spoken in (name, name.removesuffix(" face"), other.get(name, name)):
            for form in (spoken, *plurals(spoken)):
                result.setdefault(words_of(form), label)
    return result


def words_of(text: str) -> tuple[str, ...]:
    """In lower case, with the apostrophe of typesetters, which CLDR uses."""
    return tuple(WORD.findall(text.lower().replace("'", "’")))


def plurals(name: str) -> tuple[str, ...]:
    """How more than one may be written."""
    stem = name[:-1] + "ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else name + "s"
    return (stem, name + "es") if name.endswith(("s", "x", "z", "ch", "sh", "o")) else (stem,)


def without_ground(text: str, colours: Sequence[str]) -> str:
    """A prompt in lower case without what it says of the ground."""
    adjectives = "|".join(map(re.escape, (*ATTRIBUTES, *colours)))
    more = r"(?: that fades from [\w ]+? to [\w ]+?(?=[,.]|$)| with [\w ]+?(?=[,.]|$))?"
    return re.sub(
        rf"\b(?:on|before|against|in) an? (?:(?:{adjectives}|and) )*(?:ground|background)\b{more}",
        ",",
        text,
    )


def parse_claims(
    prompt: str, names: Mapping[tuple[str, ...], str], colours: Sequence[str], styles: Sequence[str]
) -> Claims:
    """Read a prompt; the longest name wins wherever several begin.

    Args:
        names: what `vocabulary` makes.
        colours, styles: names of those that the judge knows.
    """
    text = prompt.lower()
    style = next((name for name in styles if re.search(rf"\b{re.escape(name)} style\b", text)), "")
    text = without_ground(text.replace(f"{style} style", ",") if style else text, colours)
    words = words_of(text)
    longest = max(map(len, names), default=0)
    things: list[str] = []
    claimed_colours: list[str] = []
    total, number, numbered, unsure, start = 0, 0, False, False, 0
    while start < len(words):
        lengths = range(min(longest, len(words) - start), 0, -1)
        length = next((n for n in lengths if words[start : start + n] in names), 0)
        if length:
            name = words[start : start + length]
            things.append(names[name])
            claimed_colours += [word for word in name if word in colours]
            total, numbered, number = total + (number or 1), numbered or bool(number), 0
        elif words[start] in NUMBERS:
            number = NUMBERS[words[start]]
        elif words[start] in colours:
            claimed_colours.append(words[start])
        elif words[start] not in ATTRIBUTES:
            unsure, number = unsure or bool(number), 0  # a number of something that nobody knows
        start += length or 1
    count = total if numbered and not unsure and total <= max(NUMBERS.values()) else 0
    return Claims(tuple(dict.fromkeys(things)), tuple(dict.fromkeys(claimed_colours)), count, style)
