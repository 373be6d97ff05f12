"""From the name of a model to its card: the embedded one, a folder, or a hub repository."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.models.card import ModelCard, check_folder, pipeline_files, read_card
from stickerforge.models.hub import HUB_NAME, KNOWN_ON_HUB, download

EMBEDDED = {"sticker-mini": Path(__file__).parent / "mini"}


def find_model(
    name: str, *, offline: bool = False, say: Callable[[str], None] = lambda line: None
) -> ModelCard:
    """The card of a model; hub models are fetched where they are not in the cache yet.

    Args:
        name: "sticker-mini", "sticker-mini@2.1", the path of a diffusers folder, or "owner/name" on the hub.
        say: told before gigabytes are fetched.

    Raises:
        InputError: nothing is called that, or the folder holds no model.
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
    path = Path(os.path.expanduser(name))
    if os.path.exists(path):
        return read_card(check_folder(path), path.resolve().name)
    if HUB_NAME.fullmatch(name) and not name.startswith("."):
        return read_card(
            check_folder(download(name, offline=offline, say=say, wanted=pipeline_files())), name
        )
    names = [*EMBEDDED, *KNOWN_ON_HUB]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = (
        f"did you mean {close[0]!r}?"
        if close
        else "give sticker-mini, a diffusers folder, or owner/name of a hub model"
    )
    raise InputError(f"unknown model {name!r}", hint)
