"""A folder of pictures: each is read, named as unreadable, or named as no picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stickerforge.config.user_paths import to_nfc
from stickerforge.data.pictures import Picture, load_reference
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import open_regular
from stickerforge.runtime.text import shorten_list
from stickerforge.stickers.image_kinds import BMP, HEAD, HEIC, JXL, READABLE, image_kind

# Files with these are meant to be pictures, whether they can be read or not.
SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".jxl",
    ".heic",
    ".heif",
    ".ppm",
}
PICTURE_KINDS = {*READABLE, HEIC, JXL, BMP}  # likewise, whatever their names
SYSTEM_FILES = {"thumbs.db", "desktop.ini"}  # what systems leave in folders; not worth a line
# What our own commands leave in folders.
OWN_FILES = {"captions.html", "captions.jsonl", "generate.toml", "evaluate.toml"}
CAPTION = ".txt"  # a text beside a picture says what is in it
KINDS_HINT = "give a folder of PNG, JPEG or WebP pictures"
INNER_FOLDERS = 20  # that are looked into where a folder has no picture itself


@dataclass(frozen=True)
class PictureFolder:
    """What is in a folder.

    Args:
        unreadable: a line for each picture that cannot be used, with the reason.
        other_files: names of what is no picture, of captions without one, and of folders, which
            end with a slash.
    """

    pictures: list[Picture]
    unreadable: list[str]
    other_files: list[str]

    def leave_out(self, picture: Picture, error: InputError) -> None:
        """Go on without a picture that cannot be used after all.

        Raises:
            InputError: there is no other one.
        """
        name = picture.path.name
        self.pictures.remove(picture)
        self.unreadable.append(f"{name}: {error.message.removeprefix(f'{name}: ')}")
        if not self.pictures:
            raise error


def read_folder(
    folder: Path,
    load: Callable[[Path], Picture] = load_reference,
    hint: str | None = KINDS_HINT,
) -> PictureFolder:
    """Every picture of a folder, in the order of their names; folders in it are not entered.

    Args:
        load: the picture of a file; raises an InputError where it cannot be used.
        hint: what to do where none can be used; None for what the first of them asks for.

    Raises:
        InputError: there is no such folder, or no picture in it that can be used.
    """
    paths, other_files = list_pictures(folder)
    pictures, errors = list[Picture](), list[InputError]()
    for path in paths:
        try:
            pictures.append(load(path))
        except InputError as error:
            if path == folder:
                raise
            errors.append(error)
    unreadable = [error.message for error in errors]
    if not pictures:
        raise InputError(
            f"{folder}: none of the pictures in it ({len(unreadable)}) can be used: "
            f"{unreadable[0]}",
            errors[0].hint if hint is None else hint,
        )
    stems = {to_nfc(picture.path.stem) for picture in pictures}
    texts = [path.name for path in list_entries(folder) if path.suffix == CAPTION]
    other_files += [name for name in texts if to_nfc(Path(name).stem) not in stems]
    return PictureFolder(pictures, unreadable, other_files)


def list_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """(what may be a picture, names of what is none), by name.

    Hidden files, captions, and what systems and our commands leave are neither. Folders are not
    entered; their names end with a slash.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    entries = [path for path in list_entries(folder) if not is_ignorable(path)]
    pictures = [path for path in entries if may_be_picture(path)]
    if not pictures:
        raise no_picture(folder, [path for path in entries if path.is_dir()])
    others = [path for path in entries if path not in set(pictures)]
    return pictures, [f"{path.name}/" if path.is_dir() else path.name for path in others]


def no_picture(folder: Path, inner: Sequence[Path]) -> InputError:
    """The refusal of a folder without a picture; names the folders in it that have some.

    Args:
        inner: the folders in it.
    """
    with_pictures = [path for path in inner[:INNER_FOLDERS] if has_picture(path)]
    if not with_pictures:
        return InputError(f"{folder}: no picture in it", KINDS_HINT)
    names = shorten_list([f"{path.name}/" for path in with_pictures], 4)
    return InputError(
        f"{folder}: no picture in it, but in {names}, which is not entered"
        if len(with_pictures) == 1
        else f"{folder}: no picture in it, but in the folders {names}, which are not entered",
        f"give {with_pictures[0]}",
    )


def has_picture(folder: Path) -> bool:
    """Whether something in a folder has a picture's suffix."""
    try:
        return any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())
    except OSError:
        return False


def describe_skipped(names: Sequence[str], where: str = "", limit: int = 8) -> list[str]:
    """Lines about folders, about files that are no pictures, and about texts without a picture.

    Args:
        names: as `PictureFolder.other_files`.
        where: the folder, where there may be several.
        limit: how many names a line holds.
    """
    folders = [name for name in names if name.endswith("/")]
    texts = [name for name in names if name.endswith(CAPTION)]
    others = [name for name in names if not name.endswith(("/", CAPTION))]
    reasons = {
        "they are no pictures": others,
        "no picture has their names (a caption is named like its picture)": texts,
        "folders inside are not entered": folders,
    }
    place = f" in {where}" if where else ""
    return [
        f"passed over{place}, since {reason}: {shorten_list(listed, limit)}"
        for reason, listed in reasons.items()
        if listed
    ]


def list_entries(folder: Path) -> list[Path]:
    """Everything in a folder by name, or the one file that was given.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    try:
        return (
            [folder] if folder.is_file() else sorted(folder.iterdir(), key=lambda path: path.name)
        )
    except FileNotFoundError:
        raise InputError(f"no folder {folder}", "check the path") from None
    except NotADirectoryError:
        raise InputError(f"{folder} is no folder", "give a folder of pictures") from None
    except OSError as error:
        raise InputError(
            f"cannot read the folder {folder}: {error.strerror}", "check its permissions"
        ) from None


def is_ignorable(path: Path) -> bool:
    """Whether a file is hidden, a caption, or one that systems or our commands leave in folders."""
    return (
        path.name.startswith(".")
        or path.name.lower() in SYSTEM_FILES | OWN_FILES
        or path.suffix == CAPTION
    )


def may_be_picture(path: Path) -> bool:
    """Whether a path is a file with a picture's suffix, or one that begins like a picture."""
    return path.is_file() and (path.suffix.lower() in SUFFIXES or has_picture_header(path))


def has_picture_header(path: Path) -> bool:
    """Whether a file with another suffix begins as a picture does."""
    try:
        with open_regular(path) as file:
            return image_kind(file.read(HEAD)) in PICTURE_KINDS
    except OSError:
        return False
