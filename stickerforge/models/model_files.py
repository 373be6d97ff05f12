"""The files of a model's folder, which may be a stranger's: regular, and none outside of it."""

import json
from collections.abc import Iterator
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import check_inside, check_regular, read_text

HINT = "fetch the model again, or put the file itself there"
INDEX_SUFFIX = ".index.json"  # what lists the parts that large weights are split into
MAX_INDEX_BYTES = 50_000_000
# What is read of a folder, by us or by the libraries; anything else may be anything.
SUFFIXES = {".json", ".jinja", ".txt", ".model", ".safetensors", ".spm", ".vocab"}


def check_files(folder: Path) -> None:
    """Make sure that a model's folder holds files that can be read, none of them elsewhere.

    Links within the folder are followed, and those of the hub's cache, whose snapshots consist of
    links into a folder beside them.

    Raises:
        InputError: a file leads out of the folder or is none, or the weights name such files.
    """
    for path in model_files(folder):
        try:
            check_regular(path)
            if not leads_to_blobs(path, folder):
                check_inside(path, folder)
            if path.name.endswith(INDEX_SUFFIX):
                check_index(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot use {path}: {reason}", HINT) from None


def model_files(folder: Path) -> Iterator[Path]:
    """What of a folder, and of the folders in it, is read when a model is loaded."""
    for pattern in ("*", "*/*"):
        for path in sorted(folder.glob(pattern)):
            if path.suffix in SUFFIXES and (path.is_symlink() or not path.is_dir()):
                yield path


def leads_to_blobs(path: Path, folder: Path) -> bool:
    """Whether a folder is a snapshot of the hub's cache, and a path a link to one of its blobs.

    They are at models--owner--name/snapshots/COMMIT and models--owner--name/blobs.
    """
    snapshots = folder.resolve().parent
    return snapshots.name == "snapshots" and path.resolve().is_relative_to(
        snapshots.parent / "blobs"
    )


def check_index(path: Path) -> None:
    """Make sure that an index of weights names files beside it alone.

    Raises:
        ValueError: it is none, or names another file.
        OSError: it cannot be read.
    """
    try:
        names = json.loads(read_text(path, MAX_INDEX_BYTES))["weight_map"].values()
    except (LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError("it is no index of weights") from None
    for name in names:
        if not is_file_name(name):
            raise ValueError(f"it names {str(name)[:80]!r}, which is no file beside it")


def is_file_name(name: object) -> bool:
    """Whether a text is the name of a file, and no path to another folder."""
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\\0")
