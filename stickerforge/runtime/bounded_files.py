"""Reading what others wrote: regular files only, and never more of them than a limit.

A named pipe would let a call wait for ever, a device or a link to one would fill the memory. What
cannot be read is an OSError whose `strerror` says why, in words that fit after "cannot read PATH:".
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from stickerforge.runtime.text import plural

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_bounded(path: Path, limit: int) -> bytes:
    """The content of a file.

    Args:
        limit: bytes that it may have at most.

    Raises:
        OSError: it is missing, no regular file, larger, or cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has over {describe_bytes(limit)}", str(path))
    return content


def read_text(path: Path, limit: int) -> str:
    """The content of a text file in UTF-8, without the mark that some editors put before it.

    Raises:
        OSError: as `read_bounded`.
        ValueError: it is not UTF-8.
    """
    return read_bounded(path, limit).decode("utf-8-sig")


def open_regular(path: Path) -> BinaryIO:
    """A file opened for reading; links to regular files are followed.

    Raises:
        OSError: it is missing, no regular file, or cannot be opened.
    """
    check_regular(path)
    # What is there may have changed since: opening a pipe with O_NONBLOCK does not wait.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        check_mode(path, os.fstat(descriptor).st_mode)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def check_regular(path: Path) -> None:
    """Make sure that a path is a regular file, before a library opens it by itself.

    Raises:
        OSError: it is missing, or something else.
    """
    check_mode(path, path.stat().st_mode)


def check_mode(path: Path, mode: int) -> None:
    """Make sure that a mode of `os.stat` is that of a regular file.

    Raises:
        OSError: it is another one's.
    """
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def describe_bytes(size: int) -> str:
    """A round number of bytes for people: "1 MB", "64 kB"."""
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return plural(size, "byte")
