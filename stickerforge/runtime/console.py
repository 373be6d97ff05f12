"""Warnings and progress of a call, on stderr, never mixed with results."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from stickerforge.runtime.text import printable


def open_standard_streams() -> None:
    """Let the null device stand for each standard stream that the shell closed (`>&-`).

    The next file that is opened would be that stream, and what libraries print would be in it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdout, sys.stderr = (
        stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr)
    )


def discard_output(stream: TextIO) -> None:
    """Discard what is still written to a stream that nobody reads, or that cannot be written."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def write_line(line: str) -> None:
    """Write a line to stderr, whatever characters a stranger's file has put into it.

    One that cannot be written neither stops the work nor fails it.
    """
    try:
        sys.stderr.write(printable(line) + "\n")
        sys.stderr.flush()
    except OSError:  # nobody reads it, or its disk is full
        discard_output(sys.stderr)


@dataclass
class Console:
    """Shows warnings and progress, and collects the warnings.

    Args:
        quiet: show nothing; warnings are still collected for the JSON.
        every_s: seconds between lines of progress where stderr is no terminal.
    """

    quiet: bool = False
    every_s: float = 10.0
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Show a warning, the same one only once."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.say(f"warning: {text}")

    def say(self, text: str) -> None:
        """Show a line."""
        if not self.quiet:
            write_line(text)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Yields `advance(amount)`, which moves a bar on a terminal, or prints a line at times."""
        if self.quiet:
            yield lambda amount: None
        elif sys.stderr.isatty():
            from rich.console import Console as RichConsole
            from rich.markup import escape
            from rich.progress import Progress

            with Progress(console=RichConsole(stderr=True), transient=True) as bar:
                task = bar.add_task(escape(printable(title)), total=total)
                yield lambda amount: bar.advance(task, amount)
        else:
            yield self._lines(title, total)

    def _lines(self, title: str, total: int) -> Callable[[int], None]:
        done, shown = 0, time.monotonic()

        def advance(amount: int) -> None:
            nonlocal done, shown
            done += amount
            if time.monotonic() - shown >= self.every_s:
                shown = time.monotonic()
                self.say(f"{title}: {100 * done // max(total, 1)} %")

        return advance
