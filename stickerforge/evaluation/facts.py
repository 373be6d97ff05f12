"""What a prompt claims that can be checked: which things, in which colours, how many, in which style."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "2": 2, "3": 3, "4": 4, "5": 5}
GROUND = re.compile(
    r"\b(on|before|against|in) an? [\w -]*?\b(ground|background)\b( that fades from [\w ]+? to [\w ]+?(?=[,.]|$)| with [\w ]+?(?=[,.]|$))?"
)
WORD = re.compile(r"[\w’'-]+")


@dataclass(frozen=True)
class Facts:
    """The claims of one prompt.

    Args:
        things: labels, each once.
        colours: said of things, not of the ground.
        count: of all things together, where a number was said; 0 where none was.
        style: "" where none was said.
    """

    things: tuple[str, ...]
    colours: tuple[str, ...]
    count: int
    style: str


def vocabulary(label_of: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """{words of a name in lower case: label}: full names, "cat" for "cat face", and the plainest plurals."""
    found: dict[tuple[str, ...], str] = {}
    ranked = sorted(label_of.items(), key=lambda item: item[0].endswith(" face"))  # "dragon" stays the dragon, whatever its face
    for name, label in ranked:
        for spoken in (
            name,
            name.removesuffix(" face"),
            "dinosaur" if name == "T-Rex" else name,
            "corn" if name == "ear of corn" else name,
        ):
            for form in (spoken, *plurals(spoken)):
                found.setdefault(tuple(WORD.findall(form.lower())), label)
    return found


def plurals(name: str) -> tuple[str, ...]:
    """How more than one may be written."""
    stem = name[:-1] + "ies" if name.endswith("y") and name[-2:-1] not in "aeiou" else name + "s"
    return (stem, name + "es") if name.endswith(("s", "x", "z", "ch", "sh", "o")) else (stem,)


def facts_in(prompt: str, names: Mapping[tuple[str, ...], str], colours: Iterable[str], styles: Iterable[str]) -> Facts:
    """Read a prompt; the longest name wins wherever several begin."""
    text = prompt.lower()
    style = next((name for name in styles if re.search(rf"\b{re.escape(name)} style\b", text)), "")
    words = WORD.findall(GROUND.sub(",", text).replace(f"{style} style", " ") if style else GROUND.sub(",", text))
    longest = max(map(len, names), default=0)
    things: list[str] = []
    said: list[str] = []
    total, numbered, start, before = 0, False, 0, 1
    while start < len(words):
        length = next((n for n in range(min(longest, len(words) - start), 0, -1) if tuple(words[start : start + n]) in names), 0)
        if length:
            things.append(names[tuple(words[start : start + length])])
            said += [word for word in words[start : start + length] if word in colours]
            total, before = total + before, 1
            start += length
            continue
        if words[start] in NUMBERS:
            before, numbered = NUMBERS[words[start]], True
        elif words[start] in colours:
            said.append(words[start])
        start += 1
    count = total if numbered and things and total <= 5 else 0
    return Facts(tuple(dict.fromkeys(things)), tuple(dict.fromkeys(said)), count, style)
