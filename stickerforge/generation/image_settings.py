"""Repeating an image: the settings that made it, read back from its file.

The file may be a stranger's: what is taken is of the right kind and short, and names no folder.
"""

from collections.abc import Callable, Iterable, Mapping, Sized
from pathlib import Path
from typing import Any

from stickerforge.config.schema import MAX_SEED
from stickerforge.data.prompts import MAX_CHARACTERS
from stickerforge.errors import InputError
from stickerforge.models.hub import HUB_NAME
from stickerforge.models.registry import EMBEDDED
from stickerforge.runtime.bounded_files import check_regular
from stickerforge.runtime.text import shorten_list
from stickerforge.stickers.foreign_params import ForeignParams
from stickerforge.stickers.image_files import read_foreign_params, read_params

# Parameters that are settings of the same name.
PROMPTS = ("prompt", "negative")
NAMES = ("style", "model", "matting")
LISTS = ("subject", "adapter")
OUTPUT_SETTINGS = ("size", "format", "colours")
MAX_NAME = 300  # characters of whatever is no prompt
MAX_NAMES = 64  # adapters, or settings of one kind
MAX_SHOWN = 12  # names of what is not taken
MAX_MEGABYTES = 200  # of the file
HINT = "give a picture that stickerforge made"


def read_settings(
    path: Path, warn: Callable[[str], None] = lambda line: None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """({dotted name: value} for `resolve` of the settings that made an image, all its parameters).

    Of an image of another program there are its prompts and its seed, and no parameters.

    Args:
        warn: gets a line about what of an image of another program is not taken.

    Raises:
        InputError: the file is no image, does not say how it was made, was made to forget its
            prompt, or says what no image can say.
    """
    try:
        check_regular(path)
        if path.stat().st_size > MAX_MEGABYTES * 1_000_000:
            raise InputError(f"{path} has over {MAX_MEGABYTES} MB", HINT)
        params = read_params(path)
        foreign = None if params else read_foreign_params(path)
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
    if foreign is not None:
        return foreign_settings(foreign, path, warn), {}
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


def foreign_settings(
    foreign: ForeignParams, path: Path, warn: Callable[[str], None]
) -> dict[str, Any]:
    """The settings of an image of another program; what else it says means nothing here.

    Raises:
        InputError: its prompt cannot be read.
    """
    if not foreign.prompt:
        raise InputError(
            f"{path} was made by {foreign.program}, and no prompt can be read from it",
            "give the prompt",
        )
    taken: dict[str, Any] = {"prompt": foreign.prompt, "negative": foreign.negative}
    if foreign.seed is not None and foreign.seed <= MAX_SEED:
        taken["seed"] = foreign.seed
    names = [name for name in ("prompt", "negative", "seed") if taken.get(name, "") != ""]
    others = shorten_list([name[:60] for name in foreign.others], MAX_SHOWN)
    left = f"; not taken: {others}" if others else ""
    warn(f"{path} was made by {foreign.program}: taken are {', '.join(names)}{left}")
    return taken


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """{dotted name: value} of the settings among an image's parameters.

    A stranger's image says nothing about folders here: a model's folder is left out, as the call
    must name it, and of adapters' files only the names are taken.

    Raises:
        InputError: one is of another kind, or longer than any that was written here.
    """
    settings: dict[str, Any] = {}
    for names, limit in ((PROMPTS, MAX_CHARACTERS), (NAMES, MAX_NAME)):
        given = {name: params[name] for name in names if name in params}
        check_texts(given.items(), limit)
        settings |= given
    if "image_prompt" in params and not settings.get("prompt"):
        settings.pop("prompt", None)  # pictures alone said what to draw
    if not is_public_model(settings.get("model", "")):
        settings.pop("model", None)
    for name in LISTS:
        if name in params:
            texts = params[name] if isinstance(params[name], list) else [params[name]]
            check_number(name, texts)
            check_texts(((name, text) for text in texts), MAX_NAME)
            settings[name] = [Path(text).name for text in texts]
    if "seed" in params:
        settings["seed"] = short_value("seed", params["seed"])
    if isinstance(sampling := params.get("sampling"), dict):
        check_number("sampling", sampling)
        check_texts((("the name of a setting", name) for name in sampling), MAX_NAME)
        settings |= {
            f"sampling.{name}": short_value(f"sampling.{name}", value)
            for name, value in sampling.items()
        }
    settings["output.colours"] = "drawn"  # as all were, before pictures said so
    settings["words.unknown"] = "replace" if "words" in params else "keep"
    if isinstance(output := params.get("output"), dict):
        settings |= {
            f"output.{name}": short_value(f"output.{name}", output[name])
            for name in OUTPUT_SETTINGS
            if name in output
        }
    return settings


def check_texts(texts: Iterable[tuple[str, Any]], limit: int) -> None:
    """Make sure that what a picture names is text, and no longer than a limit.

    Args:
        texts: (what it is, what the picture says).

    Raises:
        InputError: one is not.
    """
    for name, text in texts:
        if not isinstance(text, str):
            raise InputError(f"the picture says no text as its {name}", HINT)
        if len(text) > limit:
            raise InputError(f"the picture has a {name} of over {limit} characters", HINT)


def check_number(name: str, items: Sized) -> None:
    """Make sure that a picture lists no more of something than any of ours does.

    Raises:
        InputError: it does.
    """
    if len(items) > MAX_NAMES:
        raise InputError(f"the picture lists over {MAX_NAMES} of {name}", HINT)


def short_value(name: str, value: Any) -> Any:
    """A value that is a short text, a number, true, false or nothing.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, dict | list) or (isinstance(value, str) and len(value) > MAX_NAME):
        raise InputError(f"the picture says what cannot be as {name}", HINT)
    return value


def is_public_model(title: str) -> bool:
    """Whether a model's title names it everywhere: an embedded model, or one of the hub."""
    if title.partition("@")[0] in EMBEDDED:
        return True
    return bool(HUB_NAME.fullmatch(title)) and not Path(title).exists()
