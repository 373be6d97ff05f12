"""One page at a time for a folder of answers; it says where it is to whoever comes second."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stickerforge.config.description import read_description
from stickerforge.errors import InputError
from stickerforge.rating.rating_page import RatingSession
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import disk_fault, locked
from stickerforge.runtime.json_text import parse_json
from stickerforge.runtime.signals import stoppable
from stickerforge.web.local_server import PageServer

LOCK, ADDRESS = "rating.lock", "rating-page.json"
MAX_BYTES = 10_000


@dataclass(frozen=True)
class PageAddress:
    """Where a page is served, and by which process."""

    pid: int
    url: str


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Within, no other call changes the answers in a folder.

    Raises:
        InputError: another one is doing so.
        EnvironmentFault: the folder cannot be written.
    """
    with locked(folder / LOCK, wait=False) as free:
        if not free:
            other = read_address(folder)
            where = f"at {other.url} (process {other.pid})" if other else "by another call"
            raise InputError(
                f"{folder} is in use already, {where}", "rate it there, or close that page"
            )
        yield


def read_address(folder: Path) -> PageAddress | None:
    """Where the page of a folder is, if that can be read."""
    try:
        text = read_text(folder / ADDRESS, MAX_BYTES)
        return read_description(PageAddress, parse_json(text))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def written_address(folder: Path, url: str) -> Iterator[None]:
    """Within, a file says where the page is, to its owner alone: the address holds the key.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    path, text = folder / ADDRESS, json.dumps({"pid": os.getpid(), "url": url})
    try:
        path.unlink(missing_ok=True)  # of a call that was killed
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise disk_fault(error, path) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def serve(session: RatingSession, port: int, console: Console) -> None:
    """Serve the page until it is closed or interrupted; every answer is kept as it is given.

    Args:
        port: 0 for one that is free.

    Raises:
        Interrupted: Ctrl-C.
        EnvironmentFault: the port cannot be had.
    """
    with (
        PageServer(session.render, session.receive, session.resource, port) as server,
        written_address(session.task.folder, server.url),
        stoppable() as check,
    ):
        console.say(f'rate {session.task.title} at {server.url} until you press "Save and close"')
        while not session.done:
            server.handle_request()
            check()
