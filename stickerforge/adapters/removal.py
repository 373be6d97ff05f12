"""Taking an adapter out of the store; nothing outside of the store is deleted."""

import shutil
from pathlib import Path

from stickerforge.adapters.store import CARD, find, folder, lock_file
from stickerforge.errors import EnvironmentFault
from stickerforge.runtime.files import locked


def remove(name: str) -> list[Path]:
    """Take an adapter away, its description first; returns the files that were there.

    Raises:
        InputError: there is none.
        EnvironmentFault: it cannot be deleted.
    """
    place = folder(name)
    files_of(name)  # or there is nothing to lock
    with locked(lock_file(name), wait=True):
        files = files_of(name)
        try:
            if place.is_symlink():
                place.unlink()
            else:
                (place / CARD).unlink(missing_ok=True)
                shutil.rmtree(place)
        except OSError as error:
            raise EnvironmentFault(
                f"cannot delete {place}: {error.strerror or error}", "check its permissions"
            ) from None
    return files


def files_of(name: str) -> list[Path]:
    """What `remove` deletes: the files of an adapter, or the link that stands in its place.

    Raises:
        InputError: there is no such adapter.
    """
    place = folder(name)
    if place.is_symlink():
        return [place]
    if not place.is_dir():
        find(name)
    return sorted(path for path in place.rglob("*") if path.is_symlink() or path.is_file())
