"""Ctrl-C and SIGTERM as one exception, raised between two steps of the work."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from stickerforge.errors import Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first SIGINT or SIGTERM raises `Interrupted`; a second one acts as usual.

    In a thread other than the main one signals cannot be handled, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143}
    before = {number: signal.getsignal(number) for number in codes}

    def stop(number: int, frame: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        raise Interrupted("interrupted" if number == signal.SIGINT else "terminated", codes[signal.Signals(number)])

    for number in codes:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
