"""The labels of sticker-judge: subjects that a small drawing does not tell apart share one.

python -m examples.recipes.judge.labels      every label that several subjects share
"""

import re

from examples.recipes.mini.art import Subject, load_subjects

COLOURED = r"(red|orange|yellow|green|light blue|blue|purple|brown|black|grey|white|pink)"
SHARED = (
    (r".* o’clock|.*[- ]thirty|.*o’clock", "clock face"),
    (rf"{COLOURED} heart|heart suit", "heart"),
    (rf"{COLOURED} book|closed book", "book"),
    (rf"{COLOURED} circle", "circle"),
    (rf"{COLOURED} (large )?square", "square"),
    (r"(black|white) (small|medium-small|medium) square", "small square"),
    (r"large (orange|blue) diamond", "large diamond"),
    (r"small (orange|blue) diamond", "small diamond"),
    (r"(red|green) apple", "apple"),
    (r"(1st|2nd|3rd) place medal", "medal"),
    (r"(Mrs\. |Mx |Santa )Claus", "Claus"),
    (
        r"(slightly smiling|kissing|neutral|confused|frowning|slightly frowning) face"
        r"|face without mouth|face with diagonal mouth",
        "plain face",
    ),
    (r"grinning face( with big eyes)?", "grinning face"),
    (
        r"grinning face with smiling eyes|grinning squinting face|beaming face with smiling eyes",
        "grinning face with smiling eyes",
    ),
    (r"(worried|hushed|astonished|anguished) face", "worried face"),
    (r"(smiling|angry) face with horns", "face with horns"),
    (r"empty nest|nest with eggs", "nest"),
    (r"person|man|woman", "person"),
    (r"older person|old man|old woman", "older person"),
    (r"pregnant (person|man|woman)", "pregnant person"),
)
GENDERED = re.compile(r"(?:man|woman|person) ")


def label(name: str, names: set[str]) -> str:
    """The label of a subject among all the subjects that there are.

    "teacher" for "woman teacher".
    """
    for pattern, shared in SHARED:
        if re.fullmatch(pattern, name):
            return shared
    bare = GENDERED.sub("", name, count=1) if GENDERED.match(name) else name
    variants = {
        other
        for other in (f"man {bare}", f"woman {bare}", f"person {bare}", bare)
        if other in names
    }
    if len(variants) < 2:
        return name
    return bare if bare in names else f"person {bare}"


def all_labels(subjects: list[Subject]) -> tuple[list[str], list[int]]:
    """The labels in the order in which they first occur, and the label of every subject."""
    names = {subject.name for subject in subjects}
    labels = [label(subject.name, names) for subject in subjects]
    result = list(dict.fromkeys(labels))
    place = {name: number for number, name in enumerate(result)}
    return result, [place[name] for name in labels]


if __name__ == "__main__":
    everything, _ = load_subjects()
    labels, given = all_labels(everything)
    shared: dict[str, list[str]] = {}
    for subject, number in zip(everything, given, strict=True):
        shared.setdefault(labels[number], []).append(subject.name)
    for name, members in shared.items():
        if len(members) > 1:
            print(f"{name}: {'; '.join(members)}")
    print(f"{len(everything)} subjects, {len(labels)} labels")
