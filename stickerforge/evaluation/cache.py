"""What was computed of a picture, kept under its hash, so that a second call costs nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stickerforge.errors import StickerforgeError
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.files import home, make_folder, write_whole

MAX_BYTES = 10_000_000  # of an entry, which has a few kilobytes
T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]
# What reading raises over a file that was cut short or is something else.
DAMAGED = (OSError, ValueError, KeyError, TypeError, SafetensorError)


class Cache:
    """The entries that one model made, each a small safetensors file.

    Where nothing can be written it holds nothing, which costs time and nothing else.
    """

    def __init__(self, source: str, digest: str, version: int) -> None:
        """Open it.

        Args:
            source: what makes the entries.
            digest: changes with the weights of what makes them.
            version: of what an entry holds; those of another one are not read.
        """
        name = f"{source[:40].replace('/', '-')}-{digest}-{version}"
        self.folder: Path | None = home() / "cache" / "evaluate" / name
        try:
            make_folder(self.folder)
        except StickerforgeError:
            self.folder = None

    def read(self, key: str, decode: Callable[[Arrays], T]) -> T | None:
        """What `decode` makes of an entry; None where there is none, or a damaged one."""
        if self.folder is None:
            return None
        try:
            return decode(load(read_bounded(self.folder / f"{key}.safetensors", MAX_BYTES)))
        except DAMAGED:
            return None

    def write(self, key: str, arrays: Arrays) -> None:
        """Write an entry; after a failure no further one is tried."""
        if self.folder is None:
            return
        try:
            write_whole(self.folder / f"{key}.safetensors", save(arrays), durable=False)
        except StickerforgeError:
            self.folder = None
