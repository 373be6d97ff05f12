"""A captioner by name."""

from pathlib import Path

from stickerforge.captioning.captioner import Captioner
from stickerforge.captioning.embedded import NAME, EmbeddedCaptioner
from stickerforge.captioning.image_text import MODEL_FILES, ImageTextCaptioner
from stickerforge.errors import InputError
from stickerforge.models.hub import download
from stickerforge.models.model_files import check_files
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import resolve_device


def load_captioner(name: str, *, device: str, offline: bool, console: Console) -> Captioner:
    """A captioner by name: "embedded", a folder, or owner/name of the hub.

    Raises:
        InputError: the folder holds something else.
        EnvironmentFault: the weights cannot be had here.
    """
    torch_device = resolve_device(device)
    if name == NAME:
        return EmbeddedCaptioner()
    folder = Path(name)
    is_folder = folder.exists()
    if not is_folder:
        if "/" not in name:
            raise InputError(
                f"unknown captioner {name!r}",
                "give embedded, a transformers folder, or owner/name of the hub",
            )
        folder = download(name, offline=offline, say=console.say, patterns=MODEL_FILES)
    if not folder.is_dir():
        raise InputError(f"{name} is a file, not a model folder", "give a transformers folder")
    check_files(folder)
    return ImageTextCaptioner(folder.resolve().name if is_folder else name, folder, torch_device)
