"""From the name of a model to its card, and from the card to the loaded model.

Imports neither torch nor diffusers until a model is loaded, so that names can be checked at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stickerforge.errors import InputError, nearest
from stickerforge.models.card import MODEL_INDEX, ModelCard, pipeline_class, read_card
from stickerforge.models.families.specs import (
    FAMILIES,
    family_spec,
    pipeline_files,
    unsupported_architecture,
)
from stickerforge.models.hub import ENCODERS, HUB_NAME, JUDGES, KNOWN_ON_HUB, REWARDS, download
from stickerforge.models.model_files import check_files
from stickerforge.models.origin import broken_model

if TYPE_CHECKING:
    import torch

    from stickerforge.models.families.base import DiffusionModel

EMBEDDED = {"sticker-mini": Path(__file__).parent / "mini"}
# What settings that take a path may name instead, whatever lies in the folder of the call.
NAMES = frozenset({*EMBEDDED, *JUDGES, *ENCODERS, *REWARDS, "auto", "none"})


def find_model(
    name: str, *, offline: bool = False, say: Callable[[str], None] = lambda line: None
) -> ModelCard:
    """The card of a model; hub models are fetched where they are not in the cache yet.

    Args:
        name: "sticker-mini", "sticker-mini@2.1", the path of a diffusers folder, or "owner/name" on
            the hub.
        say: called with a line before gigabytes are fetched.

    Raises:
        InputError: nothing has that name, or the folder holds no model.
        EnvironmentFault: the model is real but cannot be had here.
    """
    if not name.strip():
        raise InputError("the model's name is empty", "give --model sticker-mini")
    plain, _, version = name.partition("@")
    if plain in EMBEDDED:
        card = read_card(EMBEDDED[plain], plain)
        if version and version != card.version:
            raise InputError(
                f"there is no {name} in this release, only {card.title}",
                f"give --model {card.title}",
            )
        return card
    path = Path(name)
    if path.exists():
        return read_folder(path, path.resolve().name)
    if HUB_NAME.fullmatch(name) and not name.startswith("."):
        check_architecture(name, offline=offline)
        folder = download(name, offline=offline, say=say, patterns=pipeline_files())
        return read_folder(folder, name)
    otherwise = "give sticker-mini, a diffusers folder, or owner/name of a hub model"
    raise InputError(
        f"unknown model {name!r}", nearest(name, [*EMBEDDED, *KNOWN_ON_HUB], otherwise=otherwise)
    )


def check_architecture(name: str, *, offline: bool) -> None:
    """Make sure that a hub model can be used, before gigabytes of it are fetched.

    Raises:
        InputError: it is no diffusers model, or its architecture is not supported.
        EnvironmentFault: it cannot be had here.
    """
    folder = download(name, offline=offline, say=lambda line: None, patterns=(MODEL_INDEX,))
    if not (folder / MODEL_INDEX).exists():
        raise InputError(
            f"{name} is no diffusers model: it has no {MODEL_INDEX}", "give another model"
        )
    if (pipeline := pipeline_class(folder)) not in FAMILIES:
        raise unsupported_architecture(name, pipeline)


def read_folder(folder: Path, name: str) -> ModelCard:
    """The card of a folder, which need not be ours.

    Raises:
        InputError: it is a file, something is missing, or it is another kind of pipeline.
    """
    check_folder(folder)
    licence, about = KNOWN_ON_HUB.get(name, ("unknown", family_spec(folder).about))
    return read_card(folder, name, licence=licence, about=about)


def check_folder(folder: Path) -> None:
    """Make sure that a folder holds all parts of an architecture that can be used.

    Raises:
        InputError: it is a file, something is missing or lies elsewhere, or it is another kind of
            pipeline.
        EnvironmentFault: something is missing in what was fetched or installed.
    """
    hint = "give the folder that holds model_index.json"
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, not a model folder", hint)
    check_files(folder)
    if not (folder / MODEL_INDEX).exists():
        raise broken_model(folder, f"{folder} is no diffusers model: it has no {MODEL_INDEX}", hint)
    for part in family_spec(folder).parts:
        if not (folder / part).is_dir():
            raise broken_model(folder, f"{folder} is no complete model: it has no {part}")


def load_model(card: ModelCard, device: "torch.device", dtype: "torch.dtype") -> "DiffusionModel":
    """The model of a card on a device; safetensors only, nothing is fetched.

    Raises:
        InputError: a part cannot be read, or is of another kind.
    """
    return family_spec(card.folder).load(card, device, dtype)


def check_pixels(card: ModelCard, pixels: int, setting: str = "sampling.pixels") -> None:
    """Make sure that a side survives every halving of the autoencoder and of the denoiser.

    Raises:
        InputError: it does not; the multiple that would is named.
    """
    multiple = family_spec(card.folder).multiple(card.folder)
    if pixels % multiple:
        raise InputError(
            f"{setting} = {pixels} does not suit {card.title}", f"give a multiple of {multiple}"
        )
