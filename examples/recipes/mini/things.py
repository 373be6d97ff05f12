"""The table of things that sticker-mini draws, and of the words that people have for them.

python -m examples.recipes.mini.things     stickerforge/models/mini/things.json

Names are CLDR's; words for them come from everyday.txt, which captions used, and from
hypernyms.txt, which none did. Groups are those of the Noto set.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from examples.recipes.mini.art import Subject, load_subjects, noto_icons, withheld_names
from examples.recipes.mini.dataset_3 import FRONTAL
from examples.recipes.mini.phrase_lists import KINDS, POLITE, REQUESTS, VERBS
from examples.recipes.mini.settings import DATA, HERE, STYLES
from examples.recipes.mini.vocabulary import (
    CONTAINERS,
    EYEWEAR,
    GROUNDS,
    HATS,
    HELD,
    HOLDERS,
    HUES,
    short_name,
)
from stickerforge.models.registry import EMBEDDED

FILE = "things.json"
GROUPS = {
    "Smileys & Emotion": "faces and feelings",
    "People & Body": "people and hands",
    "Animals & Nature": "animals and plants",
    "Food & Drink": "food and drink",
    "Travel & Places": "travel, places and sky",
    "Activities": "activities",
    "Objects": "objects and clothes",
    "Symbols": "signs",
}
# Shades that people name, and the colour of captions that is nearest to each.
COLOURS = {
    "blue": "navy, azure, cobalt, sky blue, navy blue, baby blue, royal blue, light blue, "
    "dark blue, turquoise, cyan, teal, aqua",
    "green": "mint green, lime green, forest green, dark green, light green, emerald green, "
    "olive green, neon green",
    "red": "crimson, scarlet, maroon, dark red, ruby red, cherry red, burgundy",
    "pink": "magenta, fuchsia, hot pink, light pink, baby pink, neon pink, rose pink, pastel pink",
    "purple": "violet, indigo, lilac, lavender purple, dark purple, light purple",
    "yellow": "gold, golden, light yellow, lemon yellow, neon yellow, blonde",
    "orange": "dark orange, light orange, peach orange",
    "grey": "gray, silver, dark grey, light grey, dark gray, light gray",
    "brown": "beige, tan, dark brown, light brown, bronze",
    "black": "jet black, pitch black",
    "white": "ivory, snow white, off-white",
}
FACE = re.compile(r"\b(face|eyes)\b")  # hats and glasses fit
NUMBERS = ("two", "three", "four", "five", "2", "3", "4", "5")
PLACES = (
    *(f"at the {along}{across}" for along in ("top", "bottom") for across in (" left", " right")),
    *(f"at the {side}" for side in ("top", "bottom", "left", "right")),
    "in the middle",
    "mirrored",
    "flipped",
    "facing the other way",
    "in a meadow",
    "on a beach",
    "before a night sky",
    "on a snowy hill",
    "in a space suit",
)
# What is drawn where it stands by itself, and in other prompts is a verb or an occasion.
ALONE = frozenset(
    "hug hugs smile kiss wave drink party birthday love toast drop check cycle".split()
)
# "A cup of tea" is drawn as tea.
MEASURES = """
    cup glass mug bowl plate bottle slice piece bunch pair stack pile bag box can lots lot group
    couple ball bucket basket
""".split()
# Links that people write, and the relation of captions that is nearest; "" for all others.
RELATIONS = {
    "": "to the left of",
    "on": "above",
    "on top of": "above",
    "onto": "above",
    "over": "above",
    "above": "above",
    "riding": "above",
    "under": "below",
    "below": "below",
    "behind": "behind",
    "in front of": "in front of",
    "in": "inside",
    "inside": "inside",
    "into": "inside",
    "holding": "holding",
    "to the left of": "to the left of",
    "to the right of": "to the right of",
}
# What a drawing has anyway: parts of anybody, and of single things.
PARTS = {
    "": "ear, eye, eyes, nose, mouth, tongue, tooth, leg, foot, wing, feather, paw prints, brain",
    "birthday cake": "candle",
    "shortcake": "strawberry",
    "pizza": "cheese wedge",
    "hamburger": "cheese wedge, tomato, bacon",
    "snowman": "carrot",
    "snowman without snow": "carrot",
    "house": "door, window",
    "automobile": "wheel",
    "evergreen tree": "leaf fluttering in wind",
    "Christmas tree": "star, glowing star, sparkles, wrapped gift",
}
FILLERS = """
    i me we us you he she it they who is are was be am do does did can could would will want need
    like please lets let's just also very really so too more there here as than then no not one
    im i'm id i'd ive it's its ur u pls plz thanks thank lol haha ok okay hello hi hey im
    wearing on top
""".split()


def table() -> dict[str, object]:
    """What things.json holds."""
    subjects = [s for s in load_subjects(3)[0] if s.name not in withheld_names(3)]
    nouns, phrases = words_for(subjects)
    return {
        "groups": grouped(subjects),
        "nouns": nouns,
        "phrases": phrases,
        "emoji": {
            "".join(chr(int(code, 16)) for code in s.codepoints.split("-")): s.name
            for s in subjects
        },
        "colours": {
            shade: colour for colour, shades in COLOURS.items() for shade in shades.split(", ")
        },
        "attributes": sorted({*GROUNDS, *HUES, *NUMBERS, "small"}),
        "spans": [*PLACES, *(f"in {s} style" for s in STYLES), *(f"{s} style" for s in STYLES)],
        "relations": RELATIONS,
        "ground_colours": sorted({*GROUNDS} - {*HUES}),
        "worn": sorted({*HATS, *EYEWEAR}),
        "wearers": sorted({*FRONTAL, *(s.name for s in subjects if FACE.search(s.name))}),
        "suits": ["astronaut"],
        "containers": sorted(CONTAINERS),
        "holders": sorted(HOLDERS),
        "held": sorted(HELD),
        "parts": known_parts({subject.name for subject in subjects}),
        "fillers": fillers(),
    }


def known_parts(names: set[str]) -> dict[str, list[str]]:
    """{thing, "" for any: things that are parts of it}.

    Raises:
        SystemExit: PARTS names what is no thing.
    """
    result = {whole: parts.split(", ") for whole, parts in PARTS.items()}
    if unknown := {*result, *sum(result.values(), [])} - names - {""}:
        raise SystemExit(f"PARTS: no things: {', '.join(sorted(unknown))}")
    return result


def fillers() -> list[str]:
    """Words of requests, which may go without a word."""
    words = " ".join([*VERBS, *POLITE, *REQUESTS, *KINDS, *FILLERS]).replace("-", " ").split()
    return sorted({*words, *(f"{measure} of" for measure in MEASURES)})


def grouped(subjects: list[Subject]) -> dict[str, dict[str, str]]:
    """{group: {thing: what a prompt calls it}}."""
    categories = json.loads((DATA / "noto" / "metadata.json").read_text())["categories"]
    group_of = {icon: GROUPS[group] for group in GROUPS for icon in categories[group]}
    icons, _ = noto_icons()
    result: dict[str, dict[str, str]] = {group: {} for group in GROUPS.values()}
    for subject in subjects:
        result[group_of[icons[subject.codepoints]]][subject.name] = short_name(subject.name)
    return result


def words_for(subjects: list[Subject]) -> tuple[dict[str, str], dict[str, str]]:
    """({noun: thing}, {what is said by itself: thing}), the nearest thing first in each line."""
    names = {subject.name for subject in subjects}
    nouns: dict[str, str] = {}
    phrases: dict[str, str] = {}
    for words, listed in lines():
        things = [name for name in listed.split("; ") if name in names]
        if not things:
            continue
        for part, to in zip(words.partition("|")[::2], (nouns, phrases), strict=True):
            for word in filter(None, (word.strip() for word in part.split(","))):
                (phrases if word in ALONE else to).setdefault(word, things[0])
    return nouns, phrases


def lines() -> Iterator[tuple[str, str]]:
    """(words, things) of each line of the lists."""
    for name in ("hypernyms.txt", "everyday.txt"):
        for line in (HERE / name).read_text().splitlines():
            if line and not line.startswith("#"):
                words, _, listed = line.partition(": ")
                yield words, listed


def write_table(folder: Path) -> Path:
    """Write the table into a model's folder, and its sha256 into the model's card."""
    path, card_path = folder / FILE, folder / "stickerforge.json"
    path.write_text(json.dumps(table(), ensure_ascii=False, indent=0) + "\n")
    card = json.loads(card_path.read_text())
    files = card["files"] | {FILE: hashlib.sha256(path.read_bytes()).hexdigest()}
    card |= {"things": FILE, "files": dict(sorted(files.items()))}
    card_path.write_text(json.dumps(card, indent=1) + "\n")
    return path


if __name__ == "__main__":
    path = write_table(EMBEDDED["sticker-mini"])
    print(f"{path}, {path.stat().st_size} bytes")
