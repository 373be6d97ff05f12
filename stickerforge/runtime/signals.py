"""Ctrl-C and SIGTERM as one exception."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from stickerforge.errors import Interrupted

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first SIGINT or SIGTERM raises `Interrupted`; a second one acts as usual.

    Within another one it changes nothing.
    """
    handlers = [signal.getsignal(number) for number in CODES]
    if any(isinstance(each, Once) and each.handle is raise_interrupt for each in handlers):
        yield
        return
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


@dataclass
class Once:
    """Hands the first signal to `handle`, after the handlers of before were put back."""

    handle: Callable[[int], None]
    before: dict[int, Any] = field(default_factory=dict)

    def install(self) -> None:
        """Take over every signal that is not ignored, as those of a background job are."""
        for number in CODES:
            if (handler := signal.getsignal(number)) != signal.SIG_IGN:
                self.before[number] = handler
                signal.signal(number, self)

    def restore(self) -> None:
        """Put the handlers of before back."""
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        self.restore()
        self.handle(number)


@contextmanager
def on_signal(handle: Callable[[int], None]) -> Iterator[None]:
    """Within, the first SIGINT or SIGTERM is handed to `handle`.

    In a thread other than the main one signals cannot be handled, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    once = Once(handle)
    once.install()
    try:
        yield
    finally:
        once.restore()
