"""Reading what others wrote: regular files only, and never more of them than a limit.

A named pipe would let a call wait for ever, a device or a link to one would fill the memory. What
cannot be read is an OSError whose `strerror` says why, in words that fit after "cannot read PATH:".
"""

import errno
import io
import os
import re
import select
import stat
import time
from pathlib import Path

from stickerforge.runtime.text import plural

CHUNK = 1 << 16
SHELL_PIPE = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,6})")  # that of `<(command)`
PATIENCE = 5  # seconds until its end
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
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) if size <= limit else b""
        # Files of the system say that they are empty, and others may grow.
        while size < len(content) <= limit and (more := file.read(CHUNK)):
            content += more
    if max(size, len(content)) > limit:
        raise OSError(errno.EFBIG, f"it has over {describe_bytes(limit)}", str(path))
    return content


def read_text(path: Path, limit: int) -> str:
    """The content of a text file in UTF-8, without the mark that some editors put before it.

    Raises:
        OSError: as `read_bounded`.
        ValueError: it is not UTF-8.
    """
    return read_bounded(path, limit).decode("utf-8-sig")


def read_shell_pipe(path: Path, limit: int) -> str | None:
    """What a shell's `<(command)` writes, to the end; None for a path that is no such pipe.

    Raises:
        OSError: its end does not come for a while, or it has more than the limit.
        ValueError: it is not UTF-8.
    """
    number = SHELL_PIPE.fullmatch(str(path))
    if not number or not stat.S_ISFIFO(path.stat().st_mode):
        return None
    descriptor, content, end = int(number[1]), b"", time.monotonic() + PATIENCE
    while True:
        if not select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
            reason = f"what writes it had not ended after {PATIENCE} s"
            raise OSError(errno.ETIMEDOUT, reason, str(path))
        more = os.read(descriptor, CHUNK)
        content += more
        if len(content) > limit:
            raise OSError(errno.EFBIG, f"it has over {describe_bytes(limit)}", str(path))
        if not more:
            return content.decode("utf-8-sig")


def open_regular(path: Path) -> io.BufferedReader:
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


def check_inside(path: Path, folder: Path) -> None:
    """Make sure that a path lies in a folder, also where links lead.

    Raises:
        OSError: it does not.
    """
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OSError(errno.EINVAL, f"it leads out of {folder}", str(path))


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
