"""Paths and texts as users give them: "~" is their home, accents may be composed or not.

A shell expands "~" at the beginning of a word only, neither in --out=~/x nor in a file of settings.
And "é" is one character or two (NFC or NFD): both look alike, and are one name here.
"""

import os
import unicodedata
from collections.abc import Collection
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from stickerforge.config.setting import METADATA_KEY, Config, Setting
from stickerforge.errors import InputError

MAX_NAME_BYTES = 255  # of one part of a path, as file systems have it
MAX_PATH_BYTES = 4000


def user_path(text: str) -> str:
    """A path that a user gave, with their home for "~", and spelled as it is on the disk.

    A text that is no path, such as the name of a model, stays what it is. Giving the result again
    changes nothing.

    Raises:
        InputError: nobody's home is meant by the "~", or the path cannot be one.
    """
    if "\0" in text:
        raise InputError(f"the path {text!r} holds a null character", "take it out")
    if len(os.fsencode(text)) > MAX_PATH_BYTES or any(
        len(os.fsencode(part)) > MAX_NAME_BYTES for part in text.split("/")
    ):
        raise InputError(f"the path {text[:40]!r}… is too long", "give a shorter one")
    return spelled_on_disk(expand_home(text))


def expand_home(text: str) -> str:
    """A path with a home folder for the "~" or "~name" that it begins with.

    Raises:
        InputError: there is no such home, and nothing has that very name.
    """
    if not text.startswith("~"):
        return text
    name = text[1:].partition("/")[0]
    path = os.path.expanduser(text) if name or os.environ.get("HOME", "/") else text
    if path != text or os.path.lexists(text):
        return path
    if name:
        raise InputError(
            f"{text!r}: there is no user {name!r}", f"give ./{text} if that is its name"
        )
    raise InputError(f"{text!r}: nothing says where your home is", "set HOME, or give a whole path")


def spelled_on_disk(path: str) -> str:
    """A path as its parts are spelled where they exist, in NFC where they do not."""
    if path.isascii() or os.path.lexists(path):
        return path
    spelled = "/" if path.startswith("/") else ""
    for part in filter(None, path.split("/")):
        spellings = [unicodedata.normalize(form, part) for form in ("NFC", "NFD")]
        paths = [os.path.join(spelled, spelling) for spelling in spellings]
        spelled = next(filter(os.path.lexists, paths), paths[0])
    return spelled + "/" if path.endswith("/") else spelled


def to_nfc(text: str) -> str:
    """A text with composed accents: texts that look alike are the same."""
    return unicodedata.normalize("NFC", text)


def with_absolute_paths(config: Config, words: Collection[str] = ()) -> Config:
    """A configuration whose paths mean the same in any folder; what is not there stays as it is.

    Args:
        words: values that are no paths, whatever lies in this folder.
    """

    def absolute(value: Any, declared: Setting | None) -> Any:
        if is_dataclass(value):
            return with_absolute_paths(value, words)
        is_place = declared and declared.path and isinstance(value, str) and value not in words
        return str(Path(value).resolve()) if is_place and value and Path(value).exists() else value

    values = {
        item.name: absolute(getattr(config, item.name), item.metadata.get(METADATA_KEY))
        for item in fields(config)  # type: ignore[arg-type]
    }
    return replace(config, **values)  # type: ignore[type-var]
