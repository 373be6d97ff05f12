"""Repeating an image: the settings that made it, read back from its file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stickerforge.config.toml import flatten
from stickerforge.errors import InputError
from stickerforge.models.hub import HUB_NAME
from stickerforge.models.registry import EMBEDDED
from stickerforge.runtime.bounded_files import check_regular
from stickerforge.stickers.image_files import read_params

# Parameters that are settings of the same name.
SETTINGS = ("prompt", "negative", "style", "subject", "adapter", "model", "seed", "matting")
OUTPUT_SETTINGS = ("size", "format", "colours")


def read_settings(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """({dotted name: value} for `resolve` of the settings that made an image, all its parameters).

    Raises:
        InputError: the file is no image of ours, or was made to forget its prompt.
    """
    try:
        check_regular(path)
        params = read_params(path)
    except FileNotFoundError:
        raise InputError(f"no picture {path}", "check the path") from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "give a PNG or WebP picture"
        ) from None
    except ValueError:
        raise InputError(
            f"{path} is no PNG or WebP picture", "give one that stickerforge made"
        ) from None
    if params is None or "seed" not in params:
        raise InputError(
            f"{path} does not say how it was made",
            "give a picture that stickerforge made; chat apps strip it",
        )
    if "prompt" not in params:
        raise InputError(
            f"{path} was made without its prompt (output.prompt=false)",
            "give the prompt and its settings again",
        )
    return settings_of(params), params


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """{dotted name: value} of the settings among an image's parameters.

    A stranger's image says nothing about folders here: a model's folder is left out, as the call
    must name it, and of adapters' files only the names are taken.
    """
    settings = {name: params[name] for name in SETTINGS if name in params}
    if not is_public_model(str(params.get("model", ""))):
        settings.pop("model", None)
    for name in {"adapter", "subject"} & set(settings):
        texts = settings[name] if isinstance(settings[name], list) else [settings[name]]
        settings[name] = [Path(str(text)).name for text in texts]
    if isinstance(sampling := params.get("sampling"), dict):
        settings |= dict(flatten(sampling, "sampling."))
    settings["output.colours"] = "drawn"  # as all were, before pictures said so
    if isinstance(output := params.get("output"), dict):
        settings |= {f"output.{name}": output[name] for name in OUTPUT_SETTINGS if name in output}
    return settings


def is_public_model(title: str) -> bool:
    """Whether a model's title names it everywhere: an embedded model, or one of the hub."""
    if title.partition("@")[0] in EMBEDDED:
        return True
    return bool(HUB_NAME.fullmatch(title)) and not Path(title).exists()
