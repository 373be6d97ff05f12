"""Ctrl-C and SIGTERM as one exception."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from stickerforge.errors import Interrupted

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first SIGINT or SIGTERM raises `Interrupted`; a second one acts as usual."""
    with on_signal(raise_interrupt):
        yield


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Yields `check`, which raises `Interrupted` after a signal: work ends between two steps only.

    A second signal acts as it would have outside.
    """
    signals: list[int] = []

    def check() -> None:
        if signals:
            raise_interrupt(signals[0])

    with on_signal(signals.append):
        yield check


def raise_interrupt(number: int) -> None:
    """Raise the exception of a signal."""
    message = "interrupted" if number == signal.SIGINT else "terminated"
    raise Interrupted(message, CODES[signal.Signals(number)])


@contextmanager
def on_signal(handle: Callable[[int], None]) -> Iterator[None]:
    """Within, the first SIGINT or SIGTERM is handed to `handle`.

    In a thread other than the main one signals cannot be handled, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in CODES}

    def stop(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        handle(number)

    for number in CODES:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
