"""A captioner by name."""

from pathlib import Path

from stickerforge.captioning.captioner import Captioner
from stickerforge.captioning.embedded import NAME, EmbeddedCaptioner
from stickerforge.captioning.image_text import WANTED, ImageTextCaptioner
from stickerforge.errors import InputError
from stickerforge.models.hub import download
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device


def load_captioner(name: str, *, device: str, offline: bool, console: Console) -> Captioner:
    """A captioner by name: "embedded", a folder, or owner/name of the hub.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: the weights cannot be had here.
    """
    chosen = resolve_device(device)
    if name == NAME:
        return EmbeddedCaptioner()
    folder = Path(name).expanduser()
    if not folder.exists():
        if "/" not in name:
            raise InputError(
                f"unknown captioner {name!r}",
                "give embedded, a transformers folder, or owner/name of the hub",
            )
        folder = download(name, offline=offline, say=console.say, patterns=WANTED)
    if not folder.is_dir():
        raise InputError(f"{name} is a file, not a model folder", "give a transformers folder")
    return ImageTextCaptioner(
        name if "/" in name and not Path(name).expanduser().exists() else folder.resolve().name,
        folder,
        chosen,
    )
