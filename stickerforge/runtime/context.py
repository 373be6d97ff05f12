"""How models are obtained and run: device, network, console."""

from dataclasses import dataclass

from stickerforge.runtime.console import Console


@dataclass(frozen=True)
class Context:
    """How models are had and run."""

    device: str
    offline: bool
    console: Console
