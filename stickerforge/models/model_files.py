"""The files of a model's folder, which may be a stranger's: regular, and none outside of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from stickerforge.config.description import FileName, Pattern
from stickerforge.models.card import read_schema
from stickerforge.models.origin import broken_model
from stickerforge.runtime.bounded_files import check_inside, check_regular

HINT = "fetch the model again, or put the file itself there"
INDEX = "*.safetensors.index*.json"  # what lists the parts that large weights are split into
Shard = Annotated[FileName, Pattern(r".*\.safetensors", "a safetensors file beside it")]
# What is read of a folder, by us or by the libraries; anything else may be anything.
SUFFIXES = {".json", ".jinja", ".txt", ".model", ".safetensors", ".spm", ".vocab"}


@dataclass(frozen=True)
class ShardIndex:
    """The schema of the index of weights in several files.

    Args:
        weight_map: the file of every tensor.
    """

    weight_map: dict[str, Shard]


def check_files(folder: Path) -> None:
    """Make sure that a model's folder holds files that can be read, none of them elsewhere.

    Links within the folder are followed, and those of the hub's cache, whose snapshots consist of
    links into a folder beside them.

    Raises:
        InputError: a file leads out of the folder or is none, or the weights name such files.
        EnvironmentFault: likewise in what was fetched or installed.
    """
    for path in model_files(folder):
        try:
            check_regular(path)
            if not leads_to_blobs(path, folder):
                check_inside(path, folder)
        except OSError as error:
            raise broken_model(path, f"cannot use {path}: {error.strerror}", HINT) from None
        if fnmatchcase(path.name, INDEX):
            read_schema(path, ShardIndex)


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
