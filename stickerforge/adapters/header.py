"""The bytes of an adapter's file and its safetensors header, read once and with distrust.

Only the header is looked at until it is known to describe something sensible; a file is data, never
code. Imports no torch, so that headers can be checked at once.
"""

import hashlib
import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import open_regular
from stickerforge.runtime.json_text import parse_json

MAX_HEADER_BYTES = 8_000_000  # an adapter of every layer of the largest models has under one
MAX_BYTES = 4_000_000_000
FLOATS = ("F16", "BF16", "F32", "F64")
NUMBERS = (*FLOATS, "F8_E4M3", "F8_E5M2", *(f"{k}{bits}" for k in "IU" for bits in (8, 16, 32, 64)))
NOT_OURS = "only safetensors are read, never pickled weights"
# What a file begins with that is given for a safetensors file, and what it is then.
OTHERS = {
    b"PK": "a zip or PyTorch file",
    b"\x80": "a pickled PyTorch file",
    b"GGUF": "a GGUF file",
    b"version ": "a Git LFS pointer: its content was not fetched",
    b"<": "a web page",
}
AGAIN = "fetch or train it again"
Header = dict[str, tuple[str, list[int]]]  # key -> number format and shape


@dataclass(frozen=True)
class AdapterFile:
    """A file whose header was found sound.

    Args:
        header: number format and shape of every tensor.
        metadata: the header's "__metadata__".
        beside: another file that says more about this one, where there is one.
    """

    path: Path
    content: bytes
    header: Header
    metadata: dict[str, str]
    beside: bytes = b""

    @cached_property
    def sha256(self) -> str:
        """Of the bytes that were read, as hexadecimal digits."""
        return hashlib.sha256(self.content + self.beside).hexdigest()


def hashed_name(start: str, sha256: str) -> str:
    """The name, without a suffix, of what has this sha256 in an adapter's folder."""
    return f"{start}-{sha256[:12]}"


def read_file(path: Path, *, tensors: bool = True) -> AdapterFile:
    """An adapter's file, of which the tensors are read after the header was checked.

    Args:
        tensors: whether they are read at all; without them `content` is the header alone.

    Raises:
        InputError: it is missing, not safetensors, or its header promises what no adapter needs.
    """
    try:
        with open_regular(path) as file:
            start = file.read(8)
            size = os.fstat(file.fileno()).st_size
            check_length(path, start, size)
            start += file.read(int.from_bytes(start, "little"))
            header, metadata = parse_header(path, start[8:])
            content = start + file.read(size - len(start)) if tensors else start
            return AdapterFile(path, content, header, metadata)
    except FileNotFoundError:
        raise InputError(
            f"no adapter file {path}",
            "give its path as --adapter, or see `stickerforge adapters list`",
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "give a LoRA file"
        ) from None


def parse_file(path: Path, content: bytes) -> AdapterFile:
    """Bytes that were read from a path already, checked as `read_file` does.

    Raises:
        InputError: they are not safetensors, or the header promises what no adapter needs.
    """
    check_length(path, content[:8], len(content))
    length = int.from_bytes(content[:8], "little")
    header, metadata = parse_header(path, content[8 : 8 + length])
    return AdapterFile(path, content, header, metadata)


def check_length(path: Path, start: bytes, size: int) -> None:
    """Make sure that a header is as long as one can be.

    Args:
        start: the first 8 bytes of the file, which say how long.
        size: of the file in bytes.

    Raises:
        InputError: it is no safetensors file, or too large for an adapter.
    """
    length = int.from_bytes(start, "little")
    if size < 10 or length > size:
        found = next((name for magic, name in OTHERS.items() if start.startswith(magic)), "")
        raise InputError(
            f"{path} is no safetensors file{f' but {found}' if found else ''}", NOT_OURS
        )
    if length > MAX_HEADER_BYTES or size > MAX_BYTES:
        raise InputError(
            f"{path} is too large for an adapter (header of {length / 1e6:.0f} MB)",
            "give a LoRA file",
        )


def parse_header(path: Path, text: bytes) -> tuple[Header, dict[str, str]]:
    """(keys with format and shape, metadata).

    Args:
        path: for errors.

    Raises:
        InputError: the header is no JSON, or promises what no adapter needs.
    """
    try:
        entries = parse_json(text)
    except ValueError:
        raise InputError(f"{path} is no safetensors file", NOT_OURS) from None
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise InputError(f"{path} is no safetensors file", NOT_OURS)
    metadata = {
        key: text for key, text in entries.pop("__metadata__", {}).items() if isinstance(text, str)
    }
    header: Header = {}
    for key, entry in entries.items():
        dtype, shape = entry.get("dtype"), entry.get("shape")
        if not isinstance(shape, list) or not all(type(side) is int for side in shape):
            raise InputError(f"{path} is no safetensors file", NOT_OURS)
        if dtype not in (NUMBERS if math.prod(shape) == 1 else FLOATS):  # alpha may be any number
            raise InputError(
                f"{path} holds {dtype} numbers in {key[:80]}",
                "only floating point adapters can be used",
            )
        if 0 in shape:
            raise InputError(f"{path} holds an empty tensor {key[:80]}", AGAIN)
        header[key] = (str(dtype), shape)
    return header, metadata
