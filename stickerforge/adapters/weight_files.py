"""The files of an adapter's tensors in the store: written together, read with their digests."""

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from stickerforge.adapters.decoder_format import AUTOENCODER
from stickerforge.adapters.header import (
    MAX_BYTES,
    AdapterFile,
    hashed_name,
    parse_file,
    read_file,
)
from stickerforge.adapters.kinds import AdapterKind
from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.runtime.bounded_files import check_inside, read_bounded
from stickerforge.runtime.files import disk_fault, sync_folder, write_whole

# A whole one, and what a killed call leaves of one.
OWN_FOLDER = re.compile(rf"{AUTOENCODER}-[0-9a-f]{{12}}|\.{AUTOENCODER}-[0-9a-f]{{12}}-new")


def name_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """{name: file} of {beginning of a name: file}; files of other bytes have other names."""
    return {
        f"{hashed_name(start, digest(file))}.safetensors": file for start, file in files.items()
    }


def digest(content: bytes) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_files(
    folder: Path, files: Mapping[str, bytes], kind: AdapterKind, content: bytes
) -> None:
    """Write an adapter's files, read them back, and make sure that they say the same.

    Args:
        content: what the kind encodes the weights to.

    Raises:
        EnvironmentFault: the disk is full, or did not keep what was written; nothing is left
            behind.
        InputError: the adapter holds what no adapter may; nothing is left behind.
    """
    new = [folder / name for name in files if not (folder / name).exists()]
    intact = False
    try:
        for name, tensors in files.items():
            write_whole(folder / name, tensors)
        intact = kind.encode(kind.read(*(read_file(folder / name) for name in files))) == content
    finally:
        if not intact:
            for path in new:
                path.unlink(missing_ok=True)
    if not intact:
        raise EnvironmentFault(
            f"what was written to {folder} does not read back as it was written", "check the disk"
        )


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder that is named by its content, whole or not at all.

    What is there under its name is the same, and is only repaired.

    Args:
        files: {name: content}.

    Raises:
        EnvironmentFault: the disk is full.
    """
    if folder.is_symlink():  # what it leads to is not ours to change
        folder.unlink()
    if folder.is_dir():
        for name, content in files.items():
            write_whole(folder / name, content)
        return
    new = folder.with_name(f".{folder.name}-new")
    try:
        shutil.rmtree(new, ignore_errors=True)  # of a call that was killed
        new.mkdir()
        for name, content in files.items():
            write_whole(new / name, content)
        new.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise disk_fault(error, folder) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def remove(paths: Iterable[Path]) -> None:
    """Remove files, and folders that a kind of adapter writes, as far as possible."""
    for path in paths:
        with contextlib.suppress(OSError):
            if path.is_symlink() or not path.is_dir():
                path.unlink()
            elif OWN_FOLDER.fullmatch(path.name):
                shutil.rmtree(path)


def read_files(paths: Iterable[Path], digests: Iterable[str], hint: str) -> list[AdapterFile]:
    """An adapter's files; each is read once.

    Args:
        digests: the sha256 of each.
        hint: what to do about one that is missing or damaged.

    Raises:
        InputError: one is missing, or not what was written.
    """
    files = []
    for path, expected in zip(paths, digests, strict=True):
        try:
            check_inside(path, path.parent)
            content = read_bounded(path, MAX_BYTES)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}", hint) from None
        if digest(content) != expected:
            raise InputError(f"{path} is damaged: its sha256 is not the recorded one", hint)
        files.append(parse_file(path, content))
    return files
