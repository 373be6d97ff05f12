"""The tables of a set while pictures are drawn and gated: what was drawn, and what was taken out.

A drawn picture has its row in drawn.jsonl, appended once the picture is there. People are shown
what candidates.jsonl lists, so only gates write there; what they take out is in removed.jsonl.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stickerforge.rating.json_lines import (
    append_row,
    drop_unfinished_line,
    read_rows,
    write_rows,
)
from stickerforge.rating.rating_set import (
    CANDIDATES,
    PICTURES,
    REMOVED,
    REMOVED_PICTURES,
    Candidate,
    Removal,
    write_candidates,
    write_removals,
)
from stickerforge.runtime.files import disk_fault

DRAWN = "drawn.jsonl"
UNREADABLE = "unreadable"  # the gate of pictures that cannot be opened


@dataclass(frozen=True)
class GatedCandidate(Removal):
    """A candidate that a gate took out, with all that is known of it."""

    prompt: str = ""
    seed: int | None = None
    model: str = ""
    family: str = ""


@dataclass(frozen=True)
class Drawn:
    """A picture that was drawn.

    Args:
        row: as if it were a candidate.
        path: where it lies; below the pictures where it lies nowhere.
        gated: its row among the removed ones, where a gate took it out.
        ungated: whether no gate has judged it yet.
    """

    row: Candidate
    path: Path
    gated: GatedCandidate | None = None
    ungated: bool = False

    @property
    def number(self) -> int:
        """The number in its file's name; 0 for a file that was named otherwise."""
        return int(self.path.stem) if self.path.stem.isdecimal() else 0


def read_drawn(folder: Path) -> list[Drawn]:
    """Every picture of a set, those that gates took out or have not judged, too.

    Empty where there is no set.

    Raises:
        InputError: a table cannot be read, or a line of it is broken.
    """
    drawn: dict[str, Drawn] = {}
    if (folder / REMOVED).exists():
        for _, gated in read_rows(folder / REMOVED, GatedCandidate):
            row = Candidate(
                inner_name(PICTURES, gated.file_name),
                gated.text,
                gated.prompt,
                gated.seed,
                gated.model,
                gated.family,
            )
            drawn[row.file_name] = Drawn(row, find_picture(folder, row.file_name), gated)
    for table in (CANDIDATES, DRAWN):  # where a call was cut off, a picture may be in several
        if (folder / table).exists():
            drop_unfinished_line(folder / table)
            for _, row in read_rows(folder / table, Candidate):
                path = find_picture(folder, row.file_name)
                drawn[row.file_name] = Drawn(row, path, ungated=table == DRAWN)
    return sorted(drawn.values(), key=lambda one: one.row.file_name)


def find_picture(folder: Path, file_name: str) -> Path:
    """Where a picture lies: a move to or from the removed ones may have been cut off."""
    moved = folder / inner_name(REMOVED_PICTURES, file_name)
    return moved if moved.exists() and not (folder / file_name).exists() else folder / file_name


def inner_name(place: str, file_name: str) -> str:
    """The name of a picture in another folder of its set."""
    return f"{place}/{PurePosixPath(file_name).name}"


def append_drawn(folder: Path, row: Candidate) -> None:
    """Add a picture that is there to those that gates are to judge.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    append_row(folder / DRAWN, row)


def write_tables(folder: Path, drawn: Sequence[Drawn]) -> None:
    """Write the tables of a set anew.

    Raises:
        EnvironmentFault: the disk is full or read-only.
    """
    ungated = [one.row for one in drawn if one.ungated]
    # Until all tables are written, drawn.jsonl lists every picture: cut off, none is lost.
    write_rows(folder / DRAWN, [one.row for one in drawn])
    write_removals(folder, [one.gated for one in drawn if one.gated])
    write_candidates(folder, [one.row for one in drawn if not one.gated and not one.ungated])
    write_rows(folder / DRAWN, ungated)


def delete_picture(path: Path) -> None:
    """Delete a picture, if it is there.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise disk_fault(error, path) from error


def place_picture(folder: Path, drawn: Drawn, place: str) -> None:
    """Move a picture to where it belongs.

    Args:
        place: `PICTURES` or `REMOVED_PICTURES`.

    Raises:
        EnvironmentFault: the folder cannot be written.
    """
    target = folder / inner_name(place, drawn.row.file_name)
    if drawn.path == target or not drawn.path.exists():
        return
    try:
        target.parent.mkdir(exist_ok=True)
        drawn.path.replace(target)
    except OSError as error:
        raise disk_fault(error, target) from error
