"""Atomic writes, locks, and where this program keeps its own files."""

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from stickerforge.errors import EnvironmentFault, InputError

NOT_ALLOWED = "change its permissions, or write elsewhere"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def home() -> Path:
    """STICKERFORGE_HOME, or the platform's folder for application data.

    Raises:
        InputError: it names the home of nobody.
        EnvironmentFault: nothing says where the user's own home is.
    """
    if folder := os.environ.get("STICKERFORGE_HOME"):
        try:
            return Path(folder).expanduser()
        except RuntimeError:
            raise InputError(
                f"STICKERFORGE_HOME={folder}: there is no such home", "give it a whole path"
            ) from None
    if sys.platform == "darwin":
        return user_home() / "Library" / "Application Support" / "stickerforge"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or user_home() / "AppData" / "Local"
        return Path(local) / "stickerforge"
    data = Path(os.environ.get("XDG_DATA_HOME", ""))  # one that is no whole path does not count
    return (data if data.is_absolute() else user_home() / ".local" / "share") / "stickerforge"


def user_home() -> Path:
    """The user's home folder.

    Raises:
        EnvironmentFault: neither HOME nor the system says where it is.
    """
    home_folder = os.path.expanduser("~") if os.environ.get("HOME", "/") else "~"
    if home_folder == "~":
        raise EnvironmentFault(
            "nothing says where your home is", "set HOME, or STICKERFORGE_HOME to a folder"
        )
    return Path(home_folder)


def make_folder(folder: Path) -> None:
    """Create a folder for results and make sure that it can be written.

    Raises:
        InputError: it is a file, or may not be written.
        EnvironmentFault: the disk is full or read-only.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder} is not a folder", "move it away, or write elsewhere") from None
    except PermissionError:
        raise InputError(f"cannot create folder {folder}: permission denied", NOT_ALLOWED) from None
    except OSError as error:
        raise disk_fault(error, folder) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot write into {folder}: permission denied", NOT_ALLOWED)


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file atomically: temporary name, fsync, rename, fsync of the folder.

    Args:
        durable: whether it must survive a power cut; what can be computed again need not.

    Raises:
        EnvironmentFault: the disk is full, read-only or broken; nothing is left behind.
    """
    partial = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        partial.replace(path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise disk_fault(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


@contextlib.contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock file, or a folder, against other processes; yields whether it could be acquired.

    The lock ends with the process. Systems without such locks always acquire it.

    Args:
        path: a file that is made where it is missing and never written to, or a folder.
        wait: whether to wait until it can be acquired.

    Raises:
        EnvironmentFault: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open_lock(path)
    except OSError as error:
        raise disk_fault(error, path) from error
    try:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        except (ImportError, OSError):
            pass
        yield True
    finally:
        os.close(file)


def open_lock(path: Path) -> int:
    """A descriptor to hold a lock by.

    Raises:
        OSError: the file cannot be made, or is a link, a pipe, or something else.
    """
    if path.is_dir():
        return os.open(path if hasattr(os, "O_DIRECTORY") else os.devnull, os.O_RDONLY)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    return os.open(path, flags, 0o666)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut, where folders can be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_fault(error: OSError, path: Path) -> EnvironmentFault:
    """The error of a write that failed, in the user's words."""
    if error.errno in FULL:
        return EnvironmentFault(
            f"the disk is full, {path} was not written", "free some space and run it again"
        )
    return EnvironmentFault(
        f"cannot write {path}: {error.strerror or error}",
        "check the disk and its permissions, or write elsewhere",
    )
