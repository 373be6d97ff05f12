"""The one place where a file of pixels is opened: limited in kind, sides and memory.

Of Pillow's decoders only those of `image_kinds.READABLE` ever see a file, and only the one that its
content asks for: others start programs (PostScript) or were written for trusted files. What is
large is made smaller while it is decoded, so that no accepted picture needs more memory than the
command had anyway and some 800 MB.
"""

import io
import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from stickerforge.errors import InputError
from stickerforge.stickers.image_kinds import BMP, HEAD, HEIC, JXL, READABLE, image_kind
from stickerforge.stickers.image_metadata import without_metadata, without_texts
from stickerforge.stickers.pixel_formats import DECODER_FAULTS, to_rgba

MIN_SIDE, MAX_SIDE = 16, 16_384
MAX_ASPECT = 20
MAX_PIXELS = 64_000_000
# These decoders hold a picture several times over.
MAX_PIXELS_OF = {"WEBP": 40_000_000, "AVIF": 40_000_000, "TIFF": 40_000_000}
# Tags of TIFF.
SUBFILE, TILE_WIDTH, TILE_LENGTH, DNG_VERSION = 254, 322, 323, 50706
WORKING_SIDE = 4096  # what is larger is halved until it is not
CONCURRENT_PIXELS = 2_000_000  # what is larger is decoded alone
# Several frames of other kinds are pages, or a phone's spare pictures.
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER_TURNS = (5, 6, 7, 8)
HINT = "mend or remove it"
alone = threading.RLock()  # held while a large picture is read and decoded

# Pillow warns of metadata that it cannot read, with a path of its own; a filter for the time of a
# call would not do, since pictures are read in threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class DecodedImage:
    """A picture.

    Args:
        rgba: uint8 (H, W, 4), straight alpha in sRGB, turned as its EXIF orientation says; neither
            side is over `WORKING_SIDE`.
        kind: one of `image_kinds.READABLE`.
        size: (width, height) of the file in pixels, turned likewise.
        animated: whether it has further frames.
    """

    rgba: NDArray[np.uint8]
    kind: str
    size: tuple[int, int]
    animated: bool


def decode_image(content: bytes) -> DecodedImage:
    """The picture that a file holds.

    What its metadata says beside orientation and colours is not read, and if that cannot be
    read, it is done without.

    Raises:
        InputError: it is empty, of a kind that is not read, broken, too large, too small or too
            narrow; the message begins with what is wrong, and names no file.
    """
    kind = readable_kind(content)
    plain = without_texts(kind, content)
    try:
        return decode(kind, plain)
    except InputError:
        raise
    except DECODER_FAULTS as error:
        reason = describe_fault(error)
    try:
        return decode(kind, without_metadata(kind, plain))
    except InputError:
        raise
    except DECODER_FAULTS:
        raise InputError(reason, HINT) from None


def readable_kind(content: bytes) -> str:
    """The kind of a file, one of `image_kinds.READABLE`.

    Raises:
        InputError: it is of another one.
    """
    if not content:
        raise InputError("an empty file", HINT)
    kind = image_kind(content[:HEAD])
    if kind in (HEIC, JXL, BMP):
        raise InputError(f"{kind} cannot be read, save it as JPEG or PNG")
    if kind and kind not in READABLE:
        raise InputError(
            f"no picture that can be read: its content is that of a {kind} file",
            "give it as JPEG or PNG",
        )
    if not kind:
        raise InputError("no picture that can be read", HINT)
    return kind


def describe_fault(error: Exception) -> str:
    """What a decoder says of a file, short, without its own addresses and raw characters."""
    if isinstance(error, MemoryError):
        return "not enough memory to read it"
    text = "" if "object at 0x" in str(error) else str(error)
    return (
        "".join(c if c.isprintable() else "?" for c in text[:80]) or "no picture that can be read"
    )


def decode(kind: str, content: bytes) -> DecodedImage:
    """As `decode_image`, by one decoder.

    Raises:
        InputError: it is too large, too small or too narrow.
        Exception: it is broken.
    """
    with open_image(io.BytesIO(content), kind) as picture:
        size = picture.size
        check_size(kind, *size)
        if kind == "TIFF":
            check_tiff(picture)
        if size[0] * size[1] <= CONCURRENT_PIXELS:
            return decode_frame(kind, picture)
        with alone:
            return decode_frame(kind, picture)


@contextmanager
def open_image(file: Path | BinaryIO, *kinds: str) -> Iterator[Image.Image]:
    """A picture of one of these kinds as Pillow opens it: its size is known, its pixels are not.

    Raises:
        InputError: it has more pixels than Pillow takes.
        Exception: it is another file, or broken.
    """
    try:
        picture = Image.open(file, formats=kinds)
    except Image.DecompressionBombError:
        raise too_many_pixels(MAX_PIXELS) from None
    with picture:
        yield picture


def too_many_pixels(limit: int, kind: str = "", size: str = "it") -> InputError:
    """The refusal of a picture with more pixels than are read."""
    where = f", the most for {kind}" if limit < MAX_PIXELS else ""
    return InputError(f"{size} is over {limit // 1_000_000} megapixels{where}", "make it smaller")


def check_size(kind: str, width: int, height: int) -> None:
    """Make sure that a picture can be decoded in bounded memory, and is large enough to be one.

    Raises:
        InputError: it is too large, too small or too narrow.
    """
    size, limit = f"{width} x {height}", MAX_PIXELS_OF.get(kind, MAX_PIXELS)
    if width * height > limit:
        raise too_many_pixels(limit, kind, size)
    if max(width, height) > MAX_SIDE:
        raise InputError(f"{size}: a side is over {MAX_SIDE} pixels", "make it smaller")
    if min(width, height) < MIN_SIDE:
        raise InputError(f"only {size} pixels", "make it larger, or remove it")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(f"{size} is longer than {MAX_ASPECT} to 1", "crop it")


def check_tiff(picture: Image.Image) -> None:
    """Make sure that a TIFF is no camera's raw file, and has no tile of more than its size.

    Raises:
        InputError: it is one, of which only a thumbnail would be read; a tile would be decoded
            whole, however large.
    """
    tags = getattr(picture, "tag_v2", {})
    if DNG_VERSION in tags or tags.get(SUBFILE) == 1:
        raise InputError("a camera's raw file cannot be read, save it as JPEG or PNG")
    width, height = (tags.get(tag) or 0 for tag in (TILE_WIDTH, TILE_LENGTH))
    if width * height > MAX_PIXELS_OF["TIFF"]:
        raise too_many_pixels(MAX_PIXELS_OF["TIFF"], "TIFF", f"a tile of {width} x {height}")


def decode_frame(kind: str, picture: Image.Image) -> DecodedImage:
    """The first frame of an open picture.

    Raises:
        Exception: it is broken.
    """
    width, height = picture.size
    factor = reduction(width, height)
    if factor > 1:
        picture.draft(None, (width // factor, height // factor))  # JPEG decodes fewer pixels
        if picture.size != (width, height):
            factor = 1
    picture.load()
    if picture.size == (height, width):  # Pillow has turned a TIFF already
        width, height = height, width
    result = to_rgba(picture, factor)
    if turn := TURNS.get(orientation := exif_orientation(picture)):
        result = result.transpose(turn)
    if orientation in QUARTER_TURNS:
        width, height = height, width
    animated = kind in ANIMATED and has_frames(picture)
    return DecodedImage(np.array(result), kind, (width, height), animated)


def reduction(width: int, height: int) -> int:
    """By which power of two the sides are divided so that neither is over `WORKING_SIDE`."""
    return 1 << max(0, math.ceil(math.log2(max(width, height) / WORKING_SIDE)))


def exif_orientation(picture: Image.Image) -> int:
    """How a camera was held, 1 to 8; 1 where nothing that can be read says so."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except DECODER_FAULTS:  # EXIF is anything but regular, and says nothing about the pixels
        return 1


def has_frames(picture: Image.Image) -> bool:
    """Whether a picture is an animation; what comes after the first frame may be broken."""
    try:
        return bool(getattr(picture, "is_animated", False))
    except DECODER_FAULTS:
        return False
