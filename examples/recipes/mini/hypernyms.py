"""Words below the things of sticker-mini in WordNet, to be looked through by hand.

python -m examples.recipes.mini.hypernyms [--depth 4]     "thing: word, word, ..." by thing

What is worth keeping goes into hypernyms.txt: a proposal follows the first sense of a word alone,
and knows nothing of what people type. Needs `fetch.py`.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from examples.recipes.mini.art import load_subjects, withheld_names
from examples.recipes.mini.settings import DATA
from examples.recipes.mini.vocabulary import short_name

DICTIONARY = DATA / "wordnet" / "dict"
# Numbers of WordNet's files of what can be drawn: animals, artefacts, bodies, food, objects,
# people, phenomena, plants, substances.
DRAWABLE = {5, 6, 8, 13, 17, 18, 19, 20, 27}


@dataclass(frozen=True)
class Synset:
    """A sense: the file of WordNet that it is in, and the senses above it."""

    file: int
    above: tuple[str, ...]


def rows(name: str) -> Iterator[list[str]]:
    """The fields of each line of a file of WordNet, without its licence."""
    for line in (DICTIONARY / name).read_text(encoding="latin1").splitlines():
        if not line.startswith(" "):
            yield line.split(" | ")[0].split()


def read_synsets() -> dict[str, Synset]:
    """{offset: sense} of all nouns; of an instance (Mozart) without the senses above it."""
    result = {}
    for fields in rows("data.noun"):
        at = 4 + 2 * int(fields[3], 16)  # behind the words, each with its number
        pointers = fields[at + 1 : at + 1 + 4 * int(fields[at])]
        above = [pointers[i + 1] for i in range(0, len(pointers), 4) if pointers[i] == "@"]
        result[fields[0]] = Synset(int(fields[1]), tuple(above))
    return result


def read_senses() -> dict[str, list[str]]:
    """{noun: offsets of its senses, the most frequent first}."""
    return {
        fields[0].replace("_", " "): fields[6 + int(fields[3]) :] for fields in rows("index.noun")
    }


def nearest_anchor(
    start: str, synsets: dict[str, Synset], anchors: dict[str, str], depth: int
) -> str:
    """The thing of the first sense above another that names one; "" within `depth` for none."""
    level = {start}
    for _ in range(depth + 1):
        for offset in level:
            if offset in anchors:
                return anchors[offset]
        level = {above for offset in level for above in synsets[offset].above}
    return ""


def proposals(depth: int) -> dict[str, list[str]]:
    """{thing: words below it, that name no thing themselves}."""
    synsets, senses = read_synsets(), read_senses()
    names: dict[str, str] = {}
    for subject in load_subjects(3)[0]:
        if subject.name not in withheld_names(3):
            names.setdefault(short_name(subject.name).lower(), subject.name)
    anchors: dict[str, str] = {}
    for name, thing in names.items():
        drawable = [o for o in senses.get(name, ()) if synsets[o].file in DRAWABLE]
        if drawable:
            anchors.setdefault(drawable[0], thing)
    result: dict[str, list[str]] = {}
    for word, offsets in senses.items():
        if word not in names and synsets[offsets[0]].file in DRAWABLE:
            thing = nearest_anchor(offsets[0], synsets, anchors, depth)
            if thing:
                result.setdefault(thing, []).append(word)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=4, help="senses between, at most")
    for thing, words in sorted(proposals(parser.parse_args().depth).items()):
        print(f"{thing}: {', '.join(words)}")
