"""Repeating an image that was started from a picture: where that picture is, and its mask.

The image's file may be a stranger's: it names files without folders, and only a file of the very
content is taken for one.
"""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stickerforge.config.schema import InitConfig
from stickerforge.data.pictures import read_content
from stickerforge.errors import InputError
from stickerforge.generation.image_settings import MAX_NAME, short_value

FILES = {"init": ("init.file", "sha256", "--init FILE")}
FILES |= {"mask": ("init.mask", "mask", "--set init.mask=FILE")}


def remembered_init(params: Mapping[str, Any], folder: Path, asked: InitConfig) -> dict[str, Any]:
    """{dotted name: value} of what an image's parameters say of the picture it was started from.

    Files are looked for here, and in the folder of the image. The mask of another picture than the
    one that the call gives is left out.

    Args:
        folder: of the image.
        asked: what the call says itself.

    Raises:
        InputError: they say what no image can say.
    """
    init = params.get("init")
    if not isinstance(init, dict):
        return {}
    settings = {"init.strength": short_value("init.strength", init.get("strength"))}
    for kind, (setting, content, _) in FILES.items():
        if kind == "mask" and asked.file and is_other(init, asked.file):
            continue
        name = file_name(params, kind)
        for path in (Path(name), folder / name) if name else ():
            if (digest := digest_of(path)) and digest == init.get(content):
                settings.setdefault(setting, str(path))
    return settings


def is_other(init: Mapping[str, Any], file: str) -> bool:
    """Whether a file is another picture than the one that an image was started from."""
    return digest_of(Path(file)) != init.get("sha256")


def check_init_files(
    params: Mapping[str, Any], found: Collection[str], config: InitConfig, picture: Path
) -> None:
    """Make sure that the files are there, found or given, that an image was started from.

    Args:
        params: of the image.
        found: names of the settings whose files were found; the call may say that there is none.
        config: the settings in force.
        picture: its file.

    Raises:
        InputError: one is not.
    """
    init = params.get("init")
    if not isinstance(init, dict):
        return
    for kind, (setting, content, option) in FILES.items():
        path = config.file if kind == "init" else config.mask
        if kind == "mask" and (not config.file or is_other(init, config.file)):
            continue
        if content in init and not path and setting not in found:
            what = "picture" if kind == "init" else "mask"
            name = file_name(params, kind) or "of an unknown name"
            raise InputError(
                f"{picture} was started from a {what} that is not here: {name}",
                f"give it as {option}",
            )


def file_name(params: Mapping[str, Any], kind: str) -> str:
    """The name of a file without its folder; "" where none is said.

    Args:
        kind: "init" or "mask".
    """
    files = params.get("files")
    name = files.get(kind) if isinstance(files, dict) else None
    return Path(name).name if isinstance(name, str) and len(name) <= MAX_NAME else ""


def digest_of(path: Path) -> str:
    """The digest of a file's content as parameters hold it; "" where there is none to be read."""
    try:
        return hashlib.sha256(read_content(path)).hexdigest()[:16]
    except (InputError, ValueError):
        return ""
