"""A set: a folder of pictures that people decide about, and the tables beside them.

candidates.jsonl    a row a picture: `Candidate`
drawn.jsonl         a row a picture that no gate has judged yet
removed.jsonl       a row a picture that a gate took out before people saw it: `Removal`
set.json            what is asked about the pictures: `SetInfo`
ratings.sqlite      every answer, `answer_store`; ratings.jsonl is what follows from it
content.jsonl       the pictures that show their prompt: `Accepted`
style.jsonl         the pictures that match the house style, likewise
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from stickerforge.config.description import Bounds, Pattern, read_description
from stickerforge.config.schema import MAX_SEED
from stickerforge.data.captions import caption_fault
from stickerforge.data.prompt_tables import is_blank
from stickerforge.errors import InputError
from stickerforge.rating.json_lines import read_rows, write_rows
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.files import home, write_whole
from stickerforge.runtime.json_text import parse_json

Question = Literal["match", "style", "pair"]
SingleQuestion = Literal["match", "style"]  # about one picture, not two
# A path that stays in the folder of its table.
InnerPath = Annotated[
    str, Pattern(r"(?!/)(?!(.*/)?\.{1,2}(/|$))[^\x00-\x1f\\]{1,1000}", "a path within the set")
]
Seed = Annotated[int, Bounds(0, MAX_SEED)]

CANDIDATES, REMOVED, INFO = "candidates.jsonl", "removed.jsonl", "set.json"
PICTURES, REMOVED_PICTURES = "pictures", "removed"  # folders of a set
OUTCOMES: dict[SingleQuestion, str] = {"match": "content.jsonl", "style": "style.jsonl"}
SET_FOLDERS: dict[SingleQuestion, str] = {"match": "content", "style": "style"}
GUIDELINES: dict[Question, str] = {
    "match": "Does the picture show what its prompt says, all of it, and without a fault?",
    "style": "Does the picture match the house style?",
    "pair": "Which of the two pictures is the better sticker for the prompt?",
}
MAX_INFO_BYTES = 1_000_000


@dataclass(frozen=True)
class Candidate:
    """A picture to be decided about; its fields are the keys of the JSON.

    Args:
        file_name: of the picture, from the set's folder.
        text: the prompt.
        prompt: id that the pictures of one prompt share; "" for the text itself.
        seed: that it was drawn from, where it is known.
        model: hash of the model, with its adapter, that drew it; "" where nothing is known.
        family: of prompts: "emotion", "pair", "activity", …
        given: whether its user chose it: it passes until a rater says otherwise.
    """

    file_name: InnerPath
    text: str
    prompt: str = ""
    seed: Seed | None = None
    model: str = ""
    family: str = ""
    given: bool = False

    @property
    def prompt_id(self) -> str:
        """What the pictures of one prompt share."""
        return self.prompt or self.text


@dataclass(frozen=True)
class Removal:
    """A picture that a gate took out.

    Args:
        gate: its name.
        value, limit: what was measured, and what it had to keep to.
        other: file name of the picture that it repeats, of gates that compare two.
    """

    file_name: InnerPath
    text: str
    gate: str
    value: float
    limit: float
    other: str = ""


@dataclass(frozen=True)
class Accepted:
    """A picture that people accepted; `data/captioned_pictures` reads a table of these.

    Args:
        passes, fails: how many raters accepted it, and how many did not.
    """

    file_name: str
    text: str
    passes: int
    fails: int


@dataclass(frozen=True)
class SetInfo:
    """What is asked about the pictures of a set; "" as guideline for the usual one."""

    question: Question
    guideline: str = ""


@dataclass(frozen=True)
class RatingSet:
    """Pictures, and what is asked about them.

    Args:
        folder: from which the candidates' file names count.
        question: "match" (does it show its prompt?), "style" (does it match the house style?) or
            "pair" (which of two is better?).
        guideline: what raters go by, in words.
    """

    folder: Path
    question: Question
    guideline: str
    candidates: list[Candidate]

    def path(self, candidate: Candidate) -> Path:
        """Where a picture lies."""
        return self.folder / candidate.file_name


def sets_folder(name: str) -> Path:
    """Folder of the sets of a name, which need not be there."""
    return home() / "sets" / name


def set_folder(name: str, question: SingleQuestion) -> Path:
    """Folder of the set of a name and question, which need not be there."""
    return sets_folder(name) / SET_FOLDERS[question]


def is_set(folder: Path) -> bool:
    """Whether a folder says that it is a set."""
    return (folder / CANDIDATES).is_file()


def read_set(folder: Path) -> RatingSet:
    """The set in a folder.

    Raises:
        InputError: there is none, it is empty, or a line of it is broken.
    """
    info = read_info(folder)
    guideline = info.guideline or GUIDELINES[info.question]
    return RatingSet(folder, info.question, guideline, read_candidates(folder))


def read_candidates(folder: Path) -> list[Candidate]:
    """The pictures of a set.

    Raises:
        InputError: the table is missing or empty, a line of it is broken, or two name one picture.
    """
    path, lines, candidates = folder / CANDIDATES, dict[str, int](), list[Candidate]()
    for number, candidate in read_rows(path, Candidate):
        where = f"{path} line {number}"
        if first := lines.get(candidate.file_name):
            raise InputError(
                f"{where}: {candidate.file_name} is on line {first} already", "remove one of them"
            )
        check_text(candidate.text, where)
        lines[candidate.file_name] = number
        candidates.append(candidate)
    if not candidates:
        raise InputError(
            f"{path} lists no pictures",
            "fill it: `stickerforge tailor style --stage content`, with looser gates, or the stage"
            " style",
        )
    return candidates


def check_text(text: str, where: str) -> None:
    """Make sure that a text can be the caption of a picture.

    Args:
        where: file and line, for messages.

    Raises:
        InputError: it cannot.
    """
    if is_blank(text):
        raise InputError(f"{where}: the text is empty", "say what is in the picture")
    if fault := caption_fault(text):
        raise InputError(f"{where}: that is no caption: {fault}", "mend it")


def read_info(folder: Path) -> SetInfo:
    """What set.json says.

    Raises:
        InputError: it is missing or broken.
    """
    path = folder / INFO
    try:
        return read_description(SetInfo, parse_json(read_text(path, MAX_INFO_BYTES)))
    except FileNotFoundError:
        raise InputError(
            f"{folder} is no set: there is no {INFO}", "check the path, or draw candidates first"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)[:200]
        raise InputError(
            f"cannot read {path}: {reason}", 'write {"question": "match", "guideline": "…"}'
        ) from None


def read_accepted(folder: Path, question: SingleQuestion) -> list[Accepted]:
    """The pictures that people accepted.

    Raises:
        InputError: nothing was decided yet, or a line is broken.
    """
    return [row for _, row in read_rows(folder / OUTCOMES[question], Accepted)]


def write_candidates(folder: Path, candidates: Sequence[Candidate]) -> None:
    """Write candidates.jsonl.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    write_rows(folder / CANDIDATES, candidates)


def write_removals(folder: Path, removals: Sequence[Removal]) -> None:
    """Write removed.jsonl.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    write_rows(folder / REMOVED, removals)


def write_accepted(folder: Path, question: SingleQuestion, accepted: Sequence[Accepted]) -> Path:
    """Write content.jsonl or style.jsonl; returns its path.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    path = folder / OUTCOMES[question]
    write_rows(path, accepted)
    return path


def write_info(folder: Path, info: SetInfo) -> None:
    """Write set.json.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    text = json.dumps(asdict(info), ensure_ascii=True, indent=1) + "\n"
    write_whole(folder / INFO, text.encode())
