"""A folder for results that appears with all of its files, or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.runtime.files import NOT_ALLOWED, disk_fault, sync_folder

GIVE_NEW = "give a folder that is not there yet, or an empty one"


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yields a folder to write files into, which becomes `folder` at the end.

    After an exception, also an interruption, nothing of it is left.

    Raises:
        InputError: the folder cannot be a new one; see `check_new`.
        EnvironmentFault: the disk is full or read-only.
    """
    check_new(folder)
    ground = nearest_folder(folder)
    partial = ground / f".stickerforge-{secrets.token_hex(4)}.partial"
    try:
        try:
            partial.mkdir()
        except OSError as error:
            raise disk_fault(error, folder) from error
        yield partial
        try:
            move_files(partial, folder) if ground == folder else move_folder(partial, folder)
        except OSError as error:
            raise disk_fault(error, folder) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_new(folder: Path) -> None:
    """Make sure that a folder can be made, or is an empty one.

    Raises:
        InputError: it is a file, holds something, or may not be made.
    """
    ground = nearest_folder(folder)
    if not ground.is_dir():
        raise InputError(f"{ground} is not a folder", GIVE_NEW)
    if not os.access(ground, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into {ground}: permission denied", NOT_ALLOWED)
    if ground == folder:
        check_empty(folder)


def check_empty(folder: Path, own: Path | None = None) -> None:
    """Make sure that nothing is in a folder.

    Args:
        own: what may be.

    Raises:
        InputError: something is, or nobody may see whether.
    """
    try:
        held = next((path for path in folder.iterdir() if path != own), None)
    except PermissionError:
        raise InputError(f"cannot read {folder}: permission denied", NOT_ALLOWED) from None
    if held is not None:
        raise InputError(f"{folder} is not empty: it holds {held.name[:80]}", GIVE_NEW)


def nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest one above that is there; also a file that stands in its place."""
    return next((path for path in (folder, *folder.parents) if os.path.lexists(path)), Path())


def move_folder(partial: Path, folder: Path) -> None:
    """Make a finished folder the one of that name.

    Raises:
        InputError: something has come to be there.
        OSError: the disk does not take it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_dir():
        check_empty(folder)
    partial.rename(folder)
    sync_folder(folder.parent)


def move_files(partial: Path, folder: Path) -> None:
    """Move what was finished into a folder that was there, and may be somebody's current one.

    Raises:
        InputError: something else has come to be there.
        OSError: the disk does not take it; nothing is left.
    """
    check_empty(folder, partial)
    moved = []
    try:
        for path in sorted(partial.iterdir()):
            moved.append(folder / path.name)
            path.rename(moved[-1])
        sync_folder(folder)
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
