"""What every step of a call needs beside its settings."""

from dataclasses import dataclass

from stickerforge.runtime.console import Console


@dataclass(frozen=True)
class Context:
    """How models are obtained and run.

    Args:
        device: as `--device` names it.
        offline: whether no connection may be opened.
        console: takes warnings and progress.
    """

    device: str
    offline: bool
    console: Console
