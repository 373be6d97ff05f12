"""Ratings: one answer of one rater about one picture, or about two; ratings.jsonl holds them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from stickerforge.config.description import Pattern
from stickerforge.config.user_paths import to_nfc
from stickerforge.data.prompt_tables import is_blank
from stickerforge.errors import InputError
from stickerforge.rating.json_lines import read_rows, write_rows
from stickerforge.rating.rating_set import Question

Answer = bool | Literal["left", "right", "tie"]
Time = Annotated[
    str,
    Pattern(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)",
        "a time with its zone, as 2026-01-31T12:00:00Z",
    ),
]
PictureName = Annotated[str, Pattern(r"[^\x00-\x1f]{1,4000}", "the name of a picture")]

RATINGS = "ratings.jsonl"
MAX_RATER = 80  # characters of a rater's name


@dataclass(frozen=True)
class Rating:
    """What a rater decided; its fields are the keys of the JSON.

    Args:
        picture: its file name; of two that of the first.
        answer: True or False about one picture; "left" (the first is better), "right" or "tie"
            about two, whichever side they were shown on.
        rater: name of whoever decided.
        time: in UTC.
        other: file name of the second picture of two.
        sha256, other_sha256: of their files when they were shown; "" where nothing is known.
        model: hash of the model that drew the picture; "" where nothing is known.
    """

    picture: PictureName
    question: Question
    answer: Answer
    rater: str
    time: Time
    other: PictureName | None = None
    sha256: str = ""
    other_sha256: str = ""
    model: str = ""

    @property
    def item(self) -> tuple[str, str | None]:
        """What was decided about."""
        return self.picture, self.other

    @property
    def moment(self) -> datetime:
        """The time."""
        return datetime.fromisoformat(self.time)


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rater_name(text: str) -> str:
    """A rater's name with composed accents and single blanks.

    Raises:
        InputError: it is empty, invisible, too long, or holds characters that are not seen.
    """
    name = " ".join(to_nfc(text).split())
    if is_blank(name):
        raise InputError("the name of the rater is empty", "give --rater NAME")
    if len(name) > MAX_RATER:
        raise InputError(
            f"the name of the rater has {len(name)} characters", f"give at most {MAX_RATER}"
        )
    if not name.isprintable():
        raise InputError(
            f"the name of the rater, {ascii(name)[:100]}, holds a character that is not seen",
            "take it out",
        )
    return name


def latest(ratings: Iterable[Rating]) -> list[Rating]:
    """Of several answers of one rater to one question about one picture the latest.

    Of answers of one time that which comes last. In the order in which the pictures first came.
    """
    kept: dict[tuple[object, ...], Rating] = {}
    for rating in ratings:
        key = (*rating.item, rating.question, rating.rater)
        if key not in kept or rating.moment >= kept[key].moment:
            kept[key] = rating
    return list(kept.values())


def numbered_ratings(path: Path) -> list[tuple[int, Rating]]:
    """(number of its line, rating) of each rating of a file.

    Raises:
        InputError: it is missing or empty, or a line of it is broken, which is named.
    """
    rows = list(read_rows(path, Rating))
    for number, rating in rows:
        if fault := rating_fault(rating):
            raise InputError(f"{path} line {number}: {fault}", "mend or remove that line")
    if not rows:
        raise InputError(f"{path} holds no ratings", "give what --export wrote")
    return rows


def read_ratings(path: Path) -> list[Rating]:
    """Every rating of a file.

    Raises:
        InputError: as `numbered_ratings`.
    """
    return [rating for _, rating in numbered_ratings(path)]


def rating_fault(rating: Rating) -> str:
    """Why a row that follows the schema is no rating; "" where it is one."""
    if (rating.question == "pair") != (rating.other is not None):
        return 'a pair has an "other" picture, and nothing else has'
    if (rating.question == "pair") != isinstance(rating.answer, str) or (
        not isinstance(rating.answer, bool) and rating.answer not in ("left", "right", "tie")
    ):
        return f"{rating.answer!r} is no answer to the question {rating.question!r}"
    if rating.picture == rating.other:
        return "both pictures of the pair are the same"
    try:
        if rater_name(rating.rater) != rating.rater:
            return f"the rater's name {rating.rater!r} has blanks too many, or parted accents"
        _ = rating.moment
    except InputError as error:
        return error.message
    except ValueError:
        return f"{rating.time!r} is no time"
    return ""


def write_ratings(path: Path, ratings: Sequence[Rating]) -> None:
    """Write a file of ratings as a whole.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    write_rows(path, ratings)
