"""Repeating an image that was prompted with pictures: where they are, and how they were read.

The image's file may be a stranger's: it names files without folders, and only a file of the very
content is taken for one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stickerforge.config.schema import GenerateConfig
from stickerforge.config.schema.image_prompt import ImagePromptConfig
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.generation.image_prompts import ImagePrompt
from stickerforge.generation.image_references import MAX_PICTURES, OPTION
from stickerforge.generation.image_settings import HINT, MAX_NAME, short_value
from stickerforge.generation.init_settings import digest_of
from stickerforge.models.hub_place import is_hub_place
from stickerforge.models.image_encoder_place import JUDGE, SETTING, find_image_encoder

SETTINGS = ("fit", "ground", "blocks", "start", "end")
NAMES = "references"  # the parameter that names the files, which decides no pixel


def remembered_image_prompt(params: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """{dotted name: value} of what an image's parameters say of the pictures it was prompted with.

    Files are looked for here, and in the folder of the image; the encoder is named where it is one
    of the hub.

    Raises:
        InputError: they say what no image can say.
    """
    prompt = params.get("image_prompt")
    if not isinstance(prompt, dict):
        return {}
    settings = {
        f"image_prompt.{name}": short_value(f"image_prompt.{name}", prompt[name])
        for name in SETTINGS
        if name in prompt
    }
    encoder = short_value(SETTING, prompt.get("encoder"))
    if isinstance(encoder, str) and is_hub_place(encoder) and not prompt.get("fingerprint"):
        settings[SETTING] = encoder
    found = [find_file(entry, folder) for entry in entries_of(params)]
    if all(found):
        settings["image_prompt.pictures"] = [text for text in found if text]
    return settings


def entries_of(params: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(name, digest, scale) of every picture that an image was prompted with.

    Raises:
        InputError: its parameters say what no image can say.
    """
    prompt = params.get("image_prompt")
    listed = prompt.get("references") if isinstance(prompt, dict) else None
    names = params.get(NAMES)
    names = names if isinstance(names, list) else []
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_PICTURES:
        raise InputError("the picture says what cannot be as its image prompt", HINT)
    entries = []
    for number, entry in enumerate(listed):
        entry = entry if isinstance(entry, dict) else {}
        digest, scale = entry.get("sha256"), entry.get("scale")
        name = names[number] if number < len(names) else ""
        if not isinstance(digest, str) or not isinstance(scale, int | float):
            raise InputError("the picture says what cannot be as its image prompt", HINT)
        plain = Path(name).name if isinstance(name, str) and len(name) <= MAX_NAME else ""
        entries.append((plain, digest[:64], float(scale)))
    return entries


def find_file(entry: tuple[str, str, float], folder: Path) -> str:
    """FILE:SCALE of a picture that is here, or in a folder, with the very content; else ""."""
    name, digest, scale = entry
    paths = (Path(name), folder / name) if name else ()
    path = next((path for path in paths if digest_of(path) == digest), None)
    return f"{path}:{scale!r}" if path else ""


def check_image_prompt(
    params: Mapping[str, Any],
    config: GenerateConfig,
    asked: ImagePromptConfig,
    picture: Path,
) -> None:
    """Make sure that what an image was prompted with is here, and that nothing is fetched for it.

    Args:
        params: of the image.
        config: the settings in force.
        asked: those of the call alone.
        picture: the image's file.

    Raises:
        InputError: a picture or the encoder must be given.
        EnvironmentFault: the encoder would have to be fetched, and the call does not say so.
    """
    prompt = params.get("image_prompt")
    if not isinstance(prompt, dict):
        return
    if not config.image_prompt.pictures:
        entries = entries_of(params)
        gone = [entry for entry in entries if not find_file(entry, picture.parent)]
        name = gone[0][0] or "of an unknown name"
        options = " ".join(f"{OPTION} {own or 'FILE'}:{scale:g}" for own, _, scale in entries)
        raise InputError(
            f"{picture} was prompted with a picture that is not here: {name}", f"give {options}"
        )
    if prompt.get("fingerprint") and prompt.get("encoder") != JUDGE and not asked.encoder:
        raise InputError(
            f"{picture} was made with the image encoder of a folder",
            f"give --set {SETTING}=FOLDER",
        )
    encoder = config.image_prompt.encoder
    places = [find_image_encoder(place) for place in ([encoder] if encoder else [])]
    if not asked.encoder and any(place.folder is None for place in places):
        size = places[0].fetch_line
        raise EnvironmentFault(
            f"the picture needs the image encoder {places[0].title}, which is not here",
            f"add --set {SETTING}={places[0].title} to fetch it ({size})",
        )


def warn_of_other_pictures(
    params: Mapping[str, Any], prompt: ImagePrompt | None, warn: Callable[[str], None]
) -> None:
    """Warn where an image was prompted with other pictures, or another encoder, than this call.

    Args:
        params: of the image that is repeated; empty where none is.
    """
    before = params.get("image_prompt")
    if not isinstance(before, dict):
        return
    now = prompt.params() if prompt else {}
    for name, what in (("references", "pictures or scales"), ("fingerprint", "image encoder")):
        if now.get(name) != before.get(name):
            warn(f"the picture was prompted with other {what} than now: the new one will differ")
