"""Whose fault a broken model is: the user's, who gave a folder, or that of a download or of us."""

from pathlib import Path

from stickerforge.errors import EnvironmentFault, InputError, StickerforgeError
from stickerforge.runtime.files import home

PACKAGE = Path(__file__).parents[1]


def hub_cache() -> Path:
    """Where models of the hub are kept."""
    return home() / "hub"


def broken_model(path: Path, message: str, hint: str = "") -> StickerforgeError:
    """The error of something that is wrong with a model's files.

    Args:
        path: of the file or folder that it is about.
        hint: what to do where the folder is the user's own; "" for the usual.

    Returns:
        An EnvironmentFault for what was fetched or installed, else an InputError.
    """
    if path.is_relative_to(PACKAGE):
        return EnvironmentFault(message, "install stickerforge again")
    if path.is_relative_to(hub_cache()):
        repository = hub_cache() / path.relative_to(hub_cache()).parts[0]
        return EnvironmentFault(
            message, f"remove {repository} and run it again without --offline: it is fetched again"
        )
    return InputError(message, hint or "make or fetch the model again")
