"""Where the image encoder of an image adapter is, by the name or folder that a call gives.

Imports no torch, so that it can be checked at once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stickerforge.config.user_paths import user_path
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.hub import download
from stickerforge.models.model_files import check_files
from stickerforge.models.network_config import CONFIG
from stickerforge.models.origin import hub_cache

OFFICIAL = "h94/IP-Adapter/models/image_encoder"  # OpenCLIP ViT-H/14
OFFICIAL_LARGE = "h94/IP-Adapter/sdxl_models/image_encoder"  # OpenCLIP ViT-bigG/14
MEGABYTES = {OFFICIAL: 2528, OFFICIAL_LARGE: 3690}
LARGE_FEATURES = {"base": 1280, "plus": 1664}  # what adapters for the larger one read
NAME = re.compile(r"\w[\w.-]*")  # of an owner, a repository, a folder in it
SETTING = "image_prompt.encoder"
GIVE_FOLDER = f"give --set {SETTING}=FOLDER, a CLIPVisionModelWithProjection of transformers"


@dataclass(frozen=True)
class EncoderPlace:
    """An image encoder, which may still have to be fetched.

    Args:
        title: as images remember it: a name of the hub, or the name of a folder.
        folder: where it is; None where it must be fetched first.
        fingerprint: of a folder; "" for one of the hub.
    """

    title: str
    folder: Path | None
    fingerprint: str = ""

    @property
    def fetch_line(self) -> str:
        """What a call would fetch; "" where it is here."""
        if self.folder:
            return ""
        size = MEGABYTES.get(self.title)
        return f"{self.title}, {size} MB" if size else self.title

    def fetch(self, *, offline: bool, say: Callable[[str], None]) -> Path:
        """The folder, fetched where it is not here yet.

        Raises:
            InputError: the hub has no such encoder.
            EnvironmentFault: it cannot be had here.
        """
        if self.folder:
            return self.folder
        repository, part = split_name(self.title)
        if offline:
            raise EnvironmentFault(
                f"the image encoder {self.title} is not in the cache {hub_cache()} and nothing may"
                " be fetched",
                f"use it once without --offline, or {GIVE_FOLDER}",
            )
        folder = download(repository, offline=False, say=say, patterns=patterns_of(part)) / part
        if not (folder / CONFIG).exists():
            raise InputError(f"{self.title} holds no image encoder: no {CONFIG}", GIVE_FOLDER)
        check_files(folder)
        return folder


def official_encoder(variant: str, features: int) -> str:
    """The encoder that official adapters of this variant and these features were trained with."""
    return OFFICIAL_LARGE if LARGE_FEATURES.get(variant) == features else OFFICIAL


def find_image_encoder(place: str) -> EncoderPlace:
    """An image encoder by its folder, or as owner/name or owner/name/folder of the hub.

    Raises:
        InputError: it is neither, or the folder holds no model.
    """
    folder = Path(user_path(place))
    if folder.is_dir():
        if not (folder / CONFIG).exists():
            raise InputError(f"{folder} holds no image encoder: no {CONFIG}", GIVE_FOLDER)
        check_files(folder)
        content = files_fingerprint(sorted(folder.glob("*.*")))
        return EncoderPlace(folder.resolve().name, folder, content)
    if not is_hub_place(place):
        raise InputError(
            f"{SETTING}: there is no folder {place!r}",
            "give a folder, or owner/name or owner/name/folder of the hub",
        )
    repository, part = split_name(place)
    return EncoderPlace(place, cached(repository, part))


def is_hub_place(place: str) -> bool:
    """Whether a text can be owner/name, or owner/name/folder, of the hub."""
    parts = place.split("/")
    return len(parts) > 1 and all(NAME.fullmatch(part) for part in parts)


def split_name(place: str) -> tuple[str, str]:
    """(owner/name, folder within it, "" for none)."""
    owner, _, rest = place.partition("/")
    name, _, part = rest.partition("/")
    return f"{owner}/{name}", part.strip("/")


def patterns_of(part: str) -> tuple[str, str]:
    """The files of an encoder in a folder of a repository, for `download`."""
    start = f"{part}/" if part else ""
    return f"{start}*.json", f"{start}*.safetensors"


def cached(repository: str, part: str) -> Path | None:
    """The folder of an encoder in the cache, with its weights; None where it is not all there."""
    try:
        snapshot = download(
            repository, offline=True, say=lambda line: None, patterns=patterns_of(part)
        )
    except EnvironmentFault:
        return None
    folder = snapshot / part
    whole = (folder / CONFIG).exists() and any(folder.glob("*.safetensors"))
    return folder if whole else None
