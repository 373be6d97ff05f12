"""The user's pictures: each is decoded, or it is said why it cannot be.

`rgba` is uint8 (H, W, 4) with straight alpha.
"""

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.stickers.image_files import read_params
from stickerforge.stickers.image_reader import HINT, DecodedImage, alone, decode_image
from stickerforge.stickers.photographs import is_photograph

MAX_BYTES = 100_000_000
CONCURRENT_BYTES = 4_000_000  # larger files are read one at a time
OPAQUE = 250  # alpha above which nothing shines through
VISIBLE = 25  # alpha above which a pixel is there at all


@dataclass(frozen=True)
class Picture:
    """One reference picture.

    Its pixels are read again whenever they are needed, so that many large ones fit into memory.

    Args:
        sha256: of the file, whose content decides everything that is computed from it.
        opaque: whether no pixel is transparent: a photograph, or art with its background.
        file_bytes: the length of the file.
        note: what the user should know about how it was read, or "".
        photograph: whether it looks like one, with its background or cut out; only of a picture
            that something is to be learned from.
    """

    path: Path
    sha256: str
    opaque: bool
    file_bytes: int
    note: str = ""
    photograph: bool = False

    def rgba(self) -> NDArray[np.uint8]:
        """The pixels, uint8 (H, W, 4).

        Raises:
            InputError: the file has gone or changed since it was first read.
        """
        content = read_content(self.path)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise InputError(f"{self.path.name}: it changed while it was used", "run it again")
        return with_name(self.path, content).rgba


def load_picture(path: Path) -> tuple[Picture, DecodedImage]:
    """A picture and what was decoded of it.

    Raises:
        InputError: it is empty, cut short, of a kind that cannot be read, or too large, small or
            narrow.
    """
    with alone if is_large(path) else nullcontext():
        content = read_content(path)
        image = with_name(path, content)
    note = f"{path.name} is animated: its first frame is used" if image.animated else ""
    opaque = bool((image.rgba[..., 3] > OPAQUE).all())
    digest = hashlib.sha256(content).hexdigest()
    return Picture(path, digest, opaque, len(content), note), image


def load_reference(path: Path) -> Picture:
    """A picture that something can be learned from.

    Raises:
        InputError: as `load_picture`, or nothing of it is visible.
    """
    picture, image = load_picture(path)
    if not (image.rgba[..., 3] > VISIBLE).any():
        if image.animated:
            raise InputError(
                f"{path.name}: its first frame, which would be used, shows nothing",
                "save another frame as a picture of its own",
            )
        raise InputError(f"{path.name}: every pixel of it is transparent", HINT)
    # What sticker-mini draws has soft edges, as photographs have; but it says where it comes from.
    return replace(picture, photograph=is_photograph(image.rgba) and not is_generated(path))


def is_generated(path: Path) -> bool:
    """Whether a picture says that `generate` made it."""
    try:
        return read_params(path) is not None
    except (OSError, ValueError):
        return False


def is_large(path: Path) -> bool:
    """Whether several files like this one, read side by side, would fill the memory."""
    try:
        return path.stat().st_size > CONCURRENT_BYTES
    except OSError:
        return False


def read_content(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises:
        InputError: it has gone, is no file, too large, or cannot be read.
    """
    try:
        return read_bounded(path, MAX_BYTES)
    except FileNotFoundError:
        raise InputError(f"{path.name}: it has gone", "run it again") from None
    except OSError as error:
        raise InputError(f"{path.name}: {error.strerror or error}", HINT) from None


def with_name(path: Path, content: bytes) -> DecodedImage:
    """What `decode_image` makes of a file's content, with the file's name in what it says.

    Raises:
        InputError: as `decode_image`.
    """
    try:
        return decode_image(content)
    except InputError as error:
        raise InputError(f"{path.name}: {error.message}", error.hint) from None
