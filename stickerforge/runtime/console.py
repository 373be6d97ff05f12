"""What is said while working: warnings and progress, on stderr, never mixed with results."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO


def silence(stream: TextIO) -> None:
    """Let a stream whose reader has gone swallow what is still written to it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write_line(line: str) -> None:
    """A line on stderr; that nobody listens any more is no reason to stop working, or to end otherwise."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        silence(sys.stderr)


@dataclass
class Console:
    """Collects warnings and shows them; shows progress where somebody looks.

    Args:
        quiet: say nothing; warnings are still collected for the JSON.
        every_s: seconds between lines of progress where stderr is no terminal.
    """

    quiet: bool = False
    every_s: float = 10.0
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """One line; the same line only once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.say(f"warning: {text}")

    def say(self, text: str) -> None:
        """One line on stderr, without control characters from file names or prompts."""
        if not self.quiet:
            clean = "".join(character if character.isprintable() else "�" for character in text)
            write_line(clean)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yields `advance(amount)`: a bar on a terminal, a line now and then elsewhere."""
        if self.quiet:
            yield lambda amount: None
        elif sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task(what, total=total)
                yield lambda amount: bar.advance(task, amount)
        else:
            yield self._lines(what, total)

    def _lines(self, what: str, total: int) -> Callable[[int], None]:
        done, shown = 0, time.monotonic()

        def advance(amount: int) -> None:
            nonlocal done, shown
            done += amount
            if time.monotonic() - shown >= self.every_s:
                shown = time.monotonic()
                self.say(f"{what}: {100 * done // max(total, 1)} %")

        return advance
