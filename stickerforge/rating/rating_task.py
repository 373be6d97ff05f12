"""What raters are asked: pictures, or pairs of them, and where their answers are kept."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.rating.rating_set import Candidate, Question
from stickerforge.rating.ratings import Answer, Rating, now
from stickerforge.runtime.bounded_files import open_regular

MAX_PAIRS = 1_000_000


@dataclass(frozen=True)
class Item:
    """What one answer is about: a picture, or two of them; `other` is None where it is one."""

    picture: Candidate
    other: Candidate | None = None

    @property
    def key(self) -> tuple[str, str | None]:
        """Its file names."""
        return self.picture.file_name, self.other.file_name if self.other else None

    @property
    def pictures(self) -> list[Candidate]:
        """The picture, or both."""
        return [self.picture] if self.other is None else [self.picture, self.other]


@dataclass(frozen=True)
class RatingTask:
    """What is asked of raters.

    Args:
        title: of the set, for people.
        items: in the order of the set.
        paths: where each picture lies, by its file name.
        arms: what each picture stands for where pairs are compared, by its file name: a model, a
            folder, or the picture itself.
        folder: of the answers and of what follows from them.
        failed: a line for each picture that cannot be shown.
        digests: sha256 of pictures by file name, as far as they have been read.
    """

    title: str
    question: Question
    guideline: str
    items: list[Item]
    paths: Mapping[str, Path]
    arms: Mapping[str, str]
    folder: Path
    failed: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def candidates(self) -> list[Candidate]:
        """The pictures, each once, in the order of the items."""
        by_name = {one.file_name: one for item in self.items for one in item.pictures}
        return list(by_name.values())

    def digest(self, file_name: str) -> str:
        """Sha256 of a picture's file.

        Raises:
            OSError: it cannot be read.
        """
        if file_name not in self.digests:
            with open_regular(self.paths[file_name]) as file:
                self.digests[file_name] = hashlib.file_digest(file, "sha256").hexdigest()
        return self.digests[file_name]

    def rating(self, item: Item, answer: Answer, rater: str) -> Rating:
        """An answer that is given now.

        Raises:
            OSError: a picture cannot be read any more.
        """
        name, other = item.key
        return Rating(
            name,
            self.question,
            answer,
            rater,
            now(),
            other,
            self.digest(name),
            self.digest(other) if other else "",
            item.picture.model,
        )

    def fail(self, line: str) -> None:
        """Note why a picture cannot be shown."""
        if line not in self.failed:
            self.failed.append(line)

    def outcome_name(self, file_name: str) -> str:
        """How a table in `folder` names a picture: as the set does, or by its whole path."""
        path = self.paths[file_name]
        if path == self.folder / file_name:
            return file_name
        return str(path.absolute())


def known_digest(task: RatingTask, file_name: str | None) -> str:
    """Sha256 of a picture's file; "" of none, and of one that has gone."""
    try:
        return task.digest(file_name) if file_name else ""
    except OSError:
        return ""


def pairs_of_prompts(candidates: Sequence[Candidate]) -> list[Item]:
    """Every two pictures of one prompt; of several models, two of different ones only.

    Raises:
        InputError: there are no two such pictures, or far too many.
    """
    by_prompt: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_prompt.setdefault(candidate.prompt_id, []).append(candidate)
    several = len({candidate.model for candidate in candidates}) > 1
    items = [
        Item(*pair)
        for group in by_prompt.values()
        for pair in bounded_pairs(group)
        if not several or pair[0].model != pair[1].model
    ]
    if not items:
        of = "of different models" if several else "of one prompt"
        raise InputError(
            f"there are no two pictures {of} to be compared",
            "give --against FOLDER, or draw several pictures a prompt",
        )
    return items


def bounded_pairs(group: Sequence[Candidate]) -> Iterator[tuple[Candidate, Candidate]]:
    """Every two pictures of a group.

    Raises:
        InputError: there are far too many.
    """
    if len(group) * (len(group) - 1) // 2 > MAX_PAIRS:
        raise InputError(
            f"{len(group)} pictures share the prompt {group[0].text[:60]!r}: too many to compare "
            "every two",
            "give fewer, or --against FOLDER",
        )
    return combinations(group, 2)
