"""The pictures of a house style, brought together for people to decide about. Imports no torch."""

from dataclasses import dataclass, field
from pathlib import Path

from stickerforge.config.schema import TailorStyleConfig
from stickerforge.data.captioned_pictures import CaptionedPictures, read_captioned_pictures
from stickerforge.errors import InputError
from stickerforge.rating.rating_set import (
    CANDIDATES,
    OUTCOMES,
    PICTURES,
    Accepted,
    Candidate,
    SetInfo,
    read_accepted,
    read_candidates,
    set_folder,
    write_candidates,
    write_info,
)
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole

MAX_BYTES = 500_000_000  # of a picture


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


def gather_style(config: TailorStyleConfig, console: Console) -> Gathered:
    """Bring the pictures of the house style together: the user's own, and what passed as content.

    Raises:
        InputError: there are none, or they cannot be read.
        EnvironmentFault: the disk is full.
    """
    folder, style = set_folder(config.name, "style"), config.style
    given = given_pictures(config)
    for line in given.unreadable:
        console.warn(f"left out: {line}")
    before = {row.file_name for row in read_candidates(folder)} if is_there(folder) else set()
    rows = [
        place(folder, picture.path, picture.sha256, caption, given=True)
        for picture, caption in given.pictures
    ]
    if style.drawn:
        rows += drawn_pictures(config.name, folder)
    rows = list({row.file_name: row for row in reversed(rows)}.values())[::-1]
    write_info(folder, SetInfo("style", style.guideline))
    write_candidates(folder, rows)
    new = sum(row.file_name not in before for row in rows)
    return Gathered(folder, new, len(rows) - new, failed=given.unreadable)


def given_pictures(config: TailorStyleConfig) -> CaptionedPictures:
    """The user's own pictures of the house style.

    Raises:
        InputError: they cannot be read, or no pictures are named at all.
    """
    style = config.style
    if not style.data and not style.drawn:
        raise InputError(
            "say where pictures of the house style are",
            "give --set style.data=FOLDER, or --set style.drawn=true for what was drawn",
        )
    return read_captioned_pictures(Path(style.data)) if style.data else CaptionedPictures()


def check_style(config: TailorStyleConfig) -> int:
    """How many pictures there are of the house style, before people decide about them.

    Raises:
        InputError: as `gather_style`.
    """
    given = len(given_pictures(config).pictures)
    return given + (len(drawn_rows(config.name)) if config.style.drawn else 0)


def is_there(folder: Path) -> bool:
    """Whether a set holds pictures already."""
    return (folder / CANDIDATES).exists()


def drawn_rows(name: str) -> list[Accepted]:
    """What people passed as content.

    Raises:
        InputError: nobody has decided about content yet.
    """
    content = set_folder(name, "match")
    if not (content / OUTCOMES["match"]).exists():
        raise InputError(
            "style.drawn takes what people passed as content, and nobody has decided about that",
            f"decide about it: `stickerforge rate {name} --question match`",
        )
    return read_accepted(content, "match")


def drawn_pictures(name: str, folder: Path) -> list[Candidate]:
    """What people passed as content, as candidates of the style set in a folder.

    Raises:
        InputError: nobody has decided about content yet.
        EnvironmentFault: the disk is full.
    """
    accepted, content = drawn_rows(name), set_folder(name, "match")
    candidates = {row.file_name: row for row in read_candidates(content)}
    rows = []
    for row in accepted:
        known = candidates.get(row.file_name, Candidate(row.file_name, row.text))
        placed = place(folder, content / row.file_name, "", row.text, given=False)
        rows.append(Candidate(placed.file_name, row.text, known.prompt, known.seed, known.model))
    return rows


def place(folder: Path, path: Path, sha256: str, text: str, *, given: bool) -> Candidate:
    """Copy a picture into a set, under a name that is its own wherever it comes from.

    Args:
        sha256: of its file; "" to name it as it is.

    Raises:
        InputError: it cannot be read any more.
        EnvironmentFault: the disk is full.
    """
    stem = sha256[:16] or f"drawn-{path.stem}"
    target = folder / PICTURES / f"{stem}{path.suffix.lower()}"
    if not target.exists():
        make_folder(target.parent)
        try:
            content = read_bounded(path, MAX_BYTES)
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror or error}", "check its permissions"
            ) from None
        write_whole(target, content)
    return Candidate(f"{PICTURES}/{target.name}", text, given=given)
