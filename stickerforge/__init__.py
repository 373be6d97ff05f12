"""StickerForge: transparent stickers from a sentence. The Python API mirrors the commands."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stickerforge.commands.generate import generate

__version__ = "0.1.0"
__all__ = ["__version__", "generate"]


def __getattr__(name: str) -> object:
    """Commands are imported when first used (PEP 562): `import stickerforge` loads no torch."""
    if name == "generate":
        from stickerforge.commands.generate import generate

        return generate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
