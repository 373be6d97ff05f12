"""Which pictures stay, once each was measured by itself: shares, copies, the best of a prompt."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stickerforge.config.schema.picture_sets import GatesConfig, PictureFilters
from stickerforge.curation.near_duplicates import Fingerprints, Likeness, near_duplicates
from stickerforge.curation.screening import Entry, Removal, Screened


@dataclass(frozen=True)
class Selection:
    """What stays of some pictures, and what does not.

    Args:
        kept: numbers of entries, in their order.
        removed: in the order of the entries.
        unreadable: a line for each picture that cannot be read.
    """

    kept: list[int]
    removed: list[Removal]
    unreadable: list[str]


def select_pictures(
    entries: Sequence[Entry], settings: PictureFilters, screened: Screened
) -> Selection:
    """Take out what can only be judged beside others, after `screen_pictures`.

    Pictures with the lowest scores first, then those that are nearly the same as another one of
    their group, then, of a group, all but the best.
    """
    removed = dict(screened.removed)

    def left() -> list[int]:
        return [
            number
            for number in range(len(entries))
            if number not in removed and number not in screened.unreadable
        ]

    for fault in lowest_scores(left(), settings, screened):
        removed[fault.entry] = fault
    for fault in copies(left(), entries, settings, screened):
        removed[fault.entry] = fault
    for fault in all_but_best(left(), entries, settings, screened):
        removed[fault.entry] = fault
    return Selection(
        left(),
        [removed[number] for number in sorted(removed)],
        [screened.unreadable[number] for number in sorted(screened.unreadable)],
    )


def lowest_scores(
    left: Sequence[int], settings: PictureFilters, screened: Screened
) -> Iterator[Removal]:
    """The share with the lowest cosines; of equal ones the later pictures."""
    count = int(settings.prompt_share * len(left))
    ranked = sorted(left, key=lambda number: (screened.scores.get(number, 0.0), -number))
    for number in ranked[:count]:
        limit = screened.scores[ranked[count]]
        yield Removal(
            number,
            "prompt share",
            screened.scores[number],
            limit,
            f"among the lowest {settings.prompt_share:.0%}",
        )


def copies(
    left: Sequence[int],
    entries: Sequence[Entry],
    settings: PictureFilters,
    screened: Screened,
) -> Iterator[Removal]:
    """Pictures that are nearly the same as another one of their group."""
    if settings.duplicates == "off" or not left:
        return
    likeness = Likeness(settings.duplicates, settings.hash_distance, settings.duplicate_cosine)
    prints = fingerprints(left, screened)
    for group in groups(range(len(left)), [entries[number].group for number in left]):
        order = list(group)
        if settings.keep == "larger":
            order.sort(key=lambda at: -screened.pixels[left[at]])
        for found in near_duplicates(order, prints, likeness):
            name = entries[left[found.original]].path.name
            limit = likeness.cosine if found.is_cosine else likeness.hash_distance
            what = "cosine" if found.is_cosine else "bits"
            note = f"like {name} ({what})"
            yield Removal(left[found.picture], "duplicate", found.value, limit, note, name)


def fingerprints(left: Sequence[int], screened: Screened) -> Fingerprints:
    """What the pictures that are left are compared by, in their order."""
    vectors = [screened.vectors[number] for number in left if number in screened.vectors]
    return Fingerprints(
        np.array([screened.hashes[number] for number in left], np.uint64),
        np.stack([screened.grids[number] for number in left]),
        np.stack(vectors) if vectors else np.zeros((len(left), 0), np.float16),
    )


def all_but_best(
    left: Sequence[int],
    entries: Sequence[Entry],
    settings: PictureFilters,
    screened: Screened,
) -> Iterator[Removal]:
    """Of each group, all but the pictures with the best cosines."""
    if not isinstance(settings, GatesConfig) or not settings.best:
        return
    for group in groups(left, [entries[number].group for number in left]):
        ranked = sorted(group, key=lambda number: (-screened.scores[number], number))
        for rank, number in enumerate(ranked[settings.best :], settings.best + 1):
            limit = screened.scores[ranked[settings.best - 1]]
            yield Removal(
                number, "best", screened.scores[number], limit, f"number {rank} of its prompt"
            )


def groups(numbers: Iterable[int], names: Sequence[str]) -> Iterator[list[int]]:
    """Numbers by the names of their groups, in the order in which those come first."""
    found: dict[str, list[int]] = defaultdict(list)
    for number, name in zip(numbers, names, strict=True):
        found[name].append(number)
    yield from found.values()
