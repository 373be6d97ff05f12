"""The pictures of a house style, brought together for people to decide about. Imports no torch."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stickerforge.config.schema import TailorStyleConfig
from stickerforge.data.captioned_pictures import CaptionedPictures, read_captioned_pictures
from stickerforge.data.picture_losses import warn_of_losses
from stickerforge.errors import InputError
from stickerforge.rating.rating_set import (
    CANDIDATES,
    OUTCOMES,
    PICTURES,
    Accepted,
    Candidate,
    SetInfo,
    is_set,
    read_accepted,
    read_candidates,
    set_folder,
    write_candidates,
    write_info,
)
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.text import plural, shorten_list

MAX_BYTES = 500_000_000  # of a picture
SHOWN = 8  # names in a warning


@dataclass(frozen=True)
class Gathered:
    """The pictures of a set before people have decided.

    Args:
        folder: of the set.
        made, kept: how many pictures are new, and were there already.
        removed: how many each gate took out.
        report: the page that shows those; None where nothing was taken out by gates.
        failed: a line for each picture that cannot be used.
    """

    folder: Path
    made: int
    kept: int
    removed: dict[str, int] = field(default_factory=dict)
    report: Path | None = None
    failed: list[str] = field(default_factory=list)


def gathered_before(name: str) -> Gathered:
    """The content set of a name as it is.

    Raises:
        InputError: a table of it is broken.
    """
    folder = set_folder(name, "match")
    return Gathered(folder, 0, len(read_candidates(folder)))


def gather_style(config: TailorStyleConfig, console: Console) -> Gathered:
    """Bring the pictures of the house style together: the user's own, and what passed as content.

    Raises:
        InputError: there are none, or they cannot be read.
        EnvironmentFault: the disk is full.
    """
    folder, style = set_folder(config.name, "style"), config.style
    given = given_pictures(config)
    warn_of_losses(given, console)
    accepted = drawn_rows(config.name) if style.drawn else []
    rows = {row.file_name: row for row in earlier_pictures(folder, console)}
    kept = len(rows)
    warn_of_withdrawn(given, rows.values(), folder, console)
    for row in drawn_pictures(config.name, accepted, folder):
        if row.file_name not in rows or not rows[row.file_name].given:
            rows[row.file_name] = row
    for picture, caption in given.pictures:
        row = place(folder, picture.path, caption)
        rows[row.file_name] = replace(row, given=True)
    if not rows:
        raise InputError(
            f"{folder}: none of its pictures is there any more",
            "give pictures of the house style: --set style.data=FOLDER",
        )
    write_info(folder, SetInfo("style", style.guideline))
    write_candidates(folder, list(rows.values()))
    return Gathered(folder, len(rows) - kept, kept, failed=given.unreadable)


def earlier_pictures(folder: Path, console: Console) -> list[Candidate]:
    """The pictures that a set holds already; warns of those that have gone.

    Raises:
        InputError: its table cannot be read.
    """
    if not is_set(folder) or not (folder / CANDIDATES).stat().st_size:
        return []
    rows = read_candidates(folder)
    gone = [row.file_name for row in rows if not (folder / row.file_name).exists()]
    if gone:
        names = shorten_list(gone, SHOWN)
        console.warn(f"{plural(len(gone), 'picture')} of the set have gone, and leave it: {names}")
    return [row for row in rows if row.file_name not in gone]


def warn_of_withdrawn(
    given: CaptionedPictures, rows: Iterable[Candidate], folder: Path, console: Console
) -> None:
    """Warn of pictures that were given before, and are not among those of this call."""
    if not given.pictures:
        return
    names = {
        name_by_content(picture.path, read_picture(picture.path)) for picture, _ in given.pictures
    }
    gone = [row.file_name for row in rows if row.given and row.file_name not in names]
    if gone:
        console.warn(
            f"{plural(len(gone), 'picture')} of the set are not in style.data any more, and stay:"
            f" leave them out on the page, or remove {folder} to begin anew"
        )


def given_pictures(config: TailorStyleConfig) -> CaptionedPictures:
    """The user's own pictures of the house style; none where ratings of a set are taken in.

    Raises:
        InputError: they cannot be read, or no pictures are named at all.
    """
    style = config.style
    only_ratings = config.ratings and is_set(set_folder(config.name, "style"))
    if not style.data and not style.drawn and not only_ratings:
        raise InputError(
            "say where pictures of the house style are",
            "give --set style.data=FOLDER, or --set style.drawn=true for what was drawn",
        )
    return read_captioned_pictures(Path(style.data)) if style.data else CaptionedPictures()


def plan_style(config: TailorStyleConfig, console: Console) -> Gathered:
    """What `gather_style` would bring together, without writing anything.

    Raises:
        InputError: as `gather_style`.
    """
    folder, content = set_folder(config.name, "style"), set_folder(config.name, "match")
    given = given_pictures(config)
    accepted = drawn_rows(config.name) if config.style.drawn else []
    paths = [picture.path for picture, _ in given.pictures]
    paths += [content / row.file_name for row in accepted]
    there = {row.file_name for row in earlier_pictures(folder, console)}
    new = {name_by_content(path, read_picture(path)) for path in paths} - there
    return Gathered(folder, len(new), len(there), failed=given.unreadable)


def drawn_rows(name: str) -> list[Accepted]:
    """What people passed as content.

    Raises:
        InputError: nothing yet.
    """
    content = set_folder(name, "match")
    table = content / OUTCOMES["match"]
    accepted = read_accepted(content, "match") if table.exists() else []
    if not accepted:
        raise InputError(
            "style.drawn takes what people passed as content, and no picture has passed yet",
            f"decide about them: `stickerforge rate {name} --question match`"
            if is_set(content)
            else f"draw some: `stickerforge tailor style --stage content --name {name}`",
        )
    return accepted


def drawn_pictures(name: str, accepted: Sequence[Accepted], folder: Path) -> list[Candidate]:
    """What people passed as content, as candidates of the style set in a folder.

    Raises:
        InputError: a picture cannot be read any more.
        EnvironmentFault: the disk is full.
    """
    content = set_folder(name, "match")
    known = {row.file_name: row for row in read_candidates(content)} if accepted else {}
    rows = []
    for row in accepted:
        drawn = known.get(row.file_name, Candidate(row.file_name, row.text))
        placed = place(folder, content / row.file_name, row.text)
        rows.append(replace(placed, prompt=drawn.prompt, seed=drawn.seed, model=drawn.model))
    return rows


def place(folder: Path, path: Path, text: str) -> Candidate:
    """Copy a picture into a set, under a name that follows from its content.

    Raises:
        InputError: it cannot be read any more.
        EnvironmentFault: the disk is full.
    """
    content = read_picture(path)
    name = name_by_content(path, content)
    if not (folder / name).exists():
        make_folder((folder / name).parent)
        write_whole(folder / name, content)
    return Candidate(name, text)


def name_by_content(path: Path, content: bytes) -> str:
    """What a picture is called in a set: the same content has the same name."""
    return f"{PICTURES}/{hashlib.sha256(content).hexdigest()[:16]}{path.suffix.lower()}"


def read_picture(path: Path) -> bytes:
    """A picture's file.

    Raises:
        InputError: it cannot be read any more.
    """
    try:
        return read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "check its permissions"
        ) from None
