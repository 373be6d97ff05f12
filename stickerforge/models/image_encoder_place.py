"""Where the image encoder of an image adapter is, by the name or folder that a call gives.

Imports no torch, so that it can be checked at once.
"""

from collections.abc import Callable
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.models.checksums import files_fingerprint
from stickerforge.models.hub_place import HubPlace, find_place
from stickerforge.models.model_files import check_files
from stickerforge.models.network_config import CONFIG

JUDGE = "second"  # the judge that ships and that learning may use
OFFICIAL = "h94/IP-Adapter/models/image_encoder"  # OpenCLIP ViT-H/14
OFFICIAL_LARGE = "h94/IP-Adapter/sdxl_models/image_encoder"  # OpenCLIP ViT-bigG/14
MEGABYTES = {OFFICIAL: 2528, OFFICIAL_LARGE: 3690}
LARGE_FEATURES = {"base": 1280, "plus": 1664}  # what adapters for the larger one read
JUDGES = Path(__file__).parent / "judge"
SETTING = "image_prompt.encoder"
GIVE_FOLDER = f"give --set {SETTING}=FOLDER, a CLIPVisionModelWithProjection of transformers"


class EncoderPlace(HubPlace):
    """An image encoder, which may still have to be fetched."""

    WHAT, SETTING, GIVE, MEGABYTES = "image encoder", SETTING, GIVE_FOLDER, MEGABYTES

    @property
    def is_judge(self) -> bool:
        """Whether it is the judge that ships."""
        return self.title == JUDGE and self.folder == JUDGES

    @property
    def place(self) -> str:
        """How it is found again from any folder: its name, or its whole path."""
        if self.folder is None or self.is_judge or not self.fingerprint:
            return self.title
        return str(self.folder.resolve())

    def fetch(self, *, offline: bool, say: Callable[[str], None]) -> Path:
        """The folder, fetched where it is not here yet.

        Raises:
            InputError: the hub has no such encoder.
            EnvironmentFault: it cannot be had here.
        """
        folder = self.fetch_folder(offline=offline, say=say)
        check_encoder(folder, self.title)
        return folder


def official_encoder(variant: str, features: int) -> str:
    """The encoder that official adapters of this variant and these features were trained with."""
    return OFFICIAL_LARGE if LARGE_FEATURES.get(variant) == features else OFFICIAL


def find_image_encoder(place: str) -> EncoderPlace:
    """An image encoder by its folder, as owner/name or owner/name/folder of the hub, or JUDGE.

    Raises:
        InputError: it is none of them, or the folder holds no model.
    """
    if place == JUDGE:
        weights = files_fingerprint([JUDGES / f"{JUDGE}.safetensors"])
        return EncoderPlace(JUDGE, JUDGES, weights)
    return find_place(EncoderPlace, place, check_encoder)


def check_encoder(folder: Path, title: str) -> None:
    """Make sure that a folder holds a model.

    Args:
        title: what to call it.

    Raises:
        InputError: it does not.
        EnvironmentFault: what was fetched is broken.
    """
    if not (folder / CONFIG).exists():
        raise InputError(f"{title} holds no image encoder: no {CONFIG}", GIVE_FOLDER)
    check_files(folder)
