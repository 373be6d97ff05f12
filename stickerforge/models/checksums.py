"""Weights on disk: verified before they are used, and fingerprints that images remember."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from stickerforge.errors import EnvironmentFault
from stickerforge.models.card import MODEL_INDEX, read_card_file
from stickerforge.runtime.bounded_files import check_inside, open_regular, read_bounded

# Bytes at either end of a weights file that the fingerprint of a foreign folder reads.
EDGE = 1 << 20
MAX_BYTES = 200_000_000  # of a configuration; the largest are vocabularies


def verify(folder: Path) -> None:
    """Compare every file of a model with the sums that its card lists, if it lists any.

    Raises:
        EnvironmentFault: a file is missing or not the one that was published.
    """
    for name, expected in published_sums(folder).items():
        path = folder / name
        if not path.exists():
            raise EnvironmentFault(f"{path} is missing", "install stickerforge again")
        try:
            check_inside(path, folder)
            intact = file_sha256(path) == expected
        except OSError as error:
            raise EnvironmentFault(
                f"cannot read {path}: {error.strerror or error}", "install stickerforge again"
            ) from None
        if not intact:
            raise EnvironmentFault(
                f"{path} is damaged: its sha256 is not the published one",
                "install stickerforge again",
            )


def file_sha256(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def published_sums(folder: Path) -> dict[str, str]:
    """{file: sha256} as the model's card lists them; empty for a model without a card."""
    return read_card_file(folder).files


def fingerprint(folder: Path) -> str:
    """Sixteen hexadecimal digits that change when a model does.

    Of our own models it covers the published sums of all files but the table of things, whose
    words may grow while the weights stay, and the image adapter, which is known by its own; of
    others the configuration files, and the length, beginning and end of each weights file, since
    reading gigabytes would take longer than sampling an image.
    """
    digest = hashlib.sha256()
    card = read_card_file(folder)
    beside = (card.things, card.image_adapter)
    if sums := {name: value for name, value in card.files.items() if name not in beside}:
        digest.update(json.dumps(sums, sort_keys=True).encode())
        return digest.hexdigest()[:16]
    return files_fingerprint(sorted(folder.glob("*/*")) + [folder / MODEL_INDEX])


def files_fingerprint(paths: Iterable[Path], *, folders: bool = True) -> str:
    """Sixteen hexadecimal digits of configuration and weights files; others are passed over.

    Args:
        folders: whether the name of the folder of each weights file counts, too.
    """
    digest = hashlib.sha256()
    for path in paths:
        if path.suffix in (".json", ".jinja"):
            digest.update(path.name.encode() + read_bounded(path, MAX_BYTES))
        elif path.suffix == ".safetensors":
            with open_regular(path) as file:
                length = file.seek(0, 2)
                name = f"{path.parent.name}/{path.name}" if folders else path.name
                digest.update(f"{name}|{length}".encode())
                for start in {0, max(0, length - EDGE)}:
                    file.seek(start)
                    digest.update(file.read(EDGE))
    return digest.hexdigest()[:16]
