"""What a prompt claims that can be checked: which things, in which colours, how many, in which style."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stickerforge.data.english import NUMBERS

ATTRIBUTES = tuple(
    "plain solid patterned striped checked dotted pale light dark bright soft clear small large big".split()
)
WORD = re.compile(r"[\w’-]+")


@dataclass(frozen=True)
class Claims:
    """The claims of one prompt.

    Args:
        things: labels, each once.
        colours: said of things, not of the ground.
        count: of all things together, where a number was said of one of them; 0 where none was, or of something unknown.
        style: "" where none was said.
    """

    things: tuple[str, ...]
    colours: tuple[str, ...]
    count: int
    style: str


def vocabulary(label_of: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """{words of a name in lower case: label}: full names, "cat" for "cat face", and the plainest plurals."""
    found: dict[tuple[str, ...], str] = {}
    ranked = sorted(
        label_of.items(), key=lambda item: item[0].endswith(" face")
    )  # "dragon" stays the dragon, whatever its face
    other = {"T-Rex": "dinosaur", "ear of corn": "corn"}
    for name, label in ranked:
        for spoken in (name, name.removesuffix(" face"), other.get(name, name)):
            for form in (spoken, *plurals(spoken)):
                found.setdefault(words_of(form), label)
    return found


def words_of(text: str) -> tuple[str, ...]:
    """In lower case, with the apostrophe of typesetters, which CLDR uses."""
    return tuple(WORD.findall(text.lower().replace("'", "’")))


def plurals(name: str) -> tuple[str, ...]:
    """How more than one may be written."""
    stem = name[:-1] + "ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else name + "s"
    return (stem, name + "es") if name.endswith(("s", "x", "z", "ch", "sh", "o")) else (stem,)


def without_ground(text: str, colours: Sequence[str]) -> str:
    """A prompt in lower case without what it says of the ground."""
    said = "|".join(map(re.escape, (*ATTRIBUTES, *colours)))
    more = r"(?: that fades from [\w ]+? to [\w ]+?(?=[,.]|$)| with [\w ]+?(?=[,.]|$))?"
    return re.sub(
        rf"\b(?:on|before|against|in) an? (?:(?:{said}|and) )*(?:ground|background)\b{more}",
        ",",
        text,
    )


def parse_claims(
    prompt: str, names: Mapping[tuple[str, ...], str], colours: Sequence[str], styles: Sequence[str]
) -> Claims:
    """Read a prompt; the longest name wins wherever several begin."""
    text = prompt.lower()
    style = next((name for name in styles if re.search(rf"\b{re.escape(name)} style\b", text)), "")
    text = without_ground(text.replace(f"{style} style", ",") if style else text, colours)
    words = words_of(text)
    longest = max(map(len, names), default=0)
    things: list[str] = []
    said: list[str] = []
    total, number, numbered, unsure, start = 0, 0, False, False, 0
    while start < len(words):
        length = next(
            (
                n
                for n in range(min(longest, len(words) - start), 0, -1)
                if words[start : start + n] in names
            ),
            0,
        )
        if length:
            things.append(names[words[start : start + length]])
            said += [word for word in words[start : start + length] if word in colours]
            total, numbered, number = total + (number or 1), numbered or bool(number), 0
        elif words[start] in NUMBERS:
            number = NUMBERS[words[start]]
        elif words[start] in colours:
            said.append(words[start])
        elif words[start] not in ATTRIBUTES:
            unsure, number = unsure or bool(number), 0  # a number of something that nobody knows
        start += length or 1
    count = total if numbered and not unsure and total <= max(NUMBERS.values()) else 0
    return Claims(tuple(dict.fromkeys(things)), tuple(dict.fromkeys(said)), count, style)
