"""A folder of reference pictures: each is decoded, named as unreadable, or named as no picture.

`rgba` is uint8 (H, W, 4) with straight alpha.
"""

import hashlib
import io
import struct
import subprocess
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from stickerforge.config.user_paths import to_nfc
from stickerforge.errors import InputError
from stickerforge.runtime.text import shorten_list

MAX_PIXELS = 64_000_000
MAX_BYTES = 500_000_000
SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".jxl",
    ".heic",
    ".heif",
    ".ppm",
}
SYSTEM_FILES = {"thumbs.db", "desktop.ini"}  # what systems leave in folders; not worth a line
# What our own commands leave in folders.
OWN_FILES = {"captions.html", "captions.jsonl", "generate.toml", "evaluate.toml"}
# Pictures that Pillow cannot read without plugins.
UNSUPPORTED = {".heic": "HEIC", ".heif": "HEIF", ".jxl": "JPEG XL"}
CAPTION = ".txt"  # a text beside a picture says what is in it
# Several frames of other formats are pages, or a phone's spare pictures.
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
MIN_SIDE = 16
HINT = "mend or remove it"
# What Pillow raises on broken files, by its source and by random damage to files of 24 formats.
# MemoryError is none of them: it says nothing about the file.
DECODE_ERRORS = (
    OSError,  # cut short, unidentified, no Ghostscript for EPS
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    AttributeError,
    AssertionError,
    LookupError,  # IndexError in GIF, KeyError in TIFF
    ArithmeticError,  # division by zero in AVIF, overflows
    RuntimeError,  # AVIF and WebP; its NotImplementedError in DDS and BLP
    struct.error,
    subprocess.SubprocessError,  # Ghostscript fails on EPS
    zlib.error,  # compressed FITS, in Pillow 12.0
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Picture:
    """One reference picture.

    Its pixels are read again whenever they are needed, so that many large ones fit into memory.

    Args:
        sha256: of the file, whose content decides everything that is computed from it.
        opaque: whether no pixel is transparent: a photograph, or art with its background.
        note: what the user should know about how it was read, or "".
    """

    path: Path
    sha256: str
    opaque: bool
    note: str = ""

    def rgba(self) -> NDArray[np.uint8]:
        """The pixels, uint8 (H, W, 4).

        Raises:
            InputError: the file has changed since it was first read.
        """
        content = self.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise InputError(f"{self.path} changed while it was used", "run it again")
        return decode(content)[0]


@dataclass(frozen=True)
class PictureFolder:
    """What is in a folder.

    Args:
        unreadable: a line for each picture that cannot be used, with the reason.
        other_files: names of what is no picture, and of captions without one.
    """

    pictures: list[Picture]
    unreadable: list[str]
    other_files: list[str]


def read_folder(folder: Path) -> PictureFolder:
    """Every picture of a folder, in the order of their names; folders in it are not entered.

    Raises:
        InputError: there is no such folder, or no picture in it that can be used.
    """
    entries = list_entries(folder)
    pictures, unreadable, other_files = list[Picture](), list[str](), list[str]()
    for path in entries:
        if is_ignorable(path):
            continue
        if not may_be_picture(path):
            other_files.append(path.name)
            continue
        try:
            pictures.append(read_picture(path))
        except InputError as error:
            unreadable.append(error.message)
    if not pictures:
        fault = (
            f"none of its {len(unreadable)} pictures can be read: {unreadable[0]}"
            if unreadable
            else "no picture in it"
        )
        raise InputError(f"{folder}: {fault}", "give a folder of PNG, JPEG or WebP pictures")
    stems = {to_nfc(picture.path.stem) for picture in pictures}
    other_files += [
        path.name for path in entries if path.suffix == CAPTION and to_nfc(path.stem) not in stems
    ]
    return PictureFolder(pictures, unreadable, other_files)


def describe_skipped(folder: PictureFolder, limit: int = 8) -> list[str]:
    """A line about files that are no pictures, and one about texts that are named like none.

    Args:
        limit: how many names a line holds.
    """
    texts = [name for name in folder.other_files if name.endswith(CAPTION)]
    others = [name for name in folder.other_files if not name.endswith(CAPTION)]
    reasons = {
        "they are no pictures": others,
        "no picture has their names (a caption is named like its picture)": texts,
    }
    return [
        f"passed over, since {reason}: {shorten_list(names, limit)}"
        for reason, names in reasons.items()
        if names
    ]


def list_entries(folder: Path) -> list[Path]:
    """Everything in a folder by name, or the one file that was given.

    Raises:
        InputError: there is no such folder, or it cannot be read.
    """
    try:
        return (
            [folder] if folder.is_file() else sorted(folder.iterdir(), key=lambda path: path.name)
        )
    except FileNotFoundError:
        raise InputError(f"no folder {folder}", "check the path") from None
    except OSError as error:
        raise InputError(
            f"cannot read the folder {folder}: {error.strerror}", "check its permissions"
        ) from None


def is_ignorable(path: Path) -> bool:
    """Whether a file is hidden, a caption, or one that systems or our commands leave in folders."""
    return (
        path.name.startswith(".")
        or path.name.lower() in SYSTEM_FILES | OWN_FILES
        or path.suffix == CAPTION
    )


def may_be_picture(path: Path) -> bool:
    """Whether a path is a file with a picture's suffix, or one that begins like a picture."""
    return path.is_file() and (path.suffix.lower() in SUFFIXES or has_picture_header(path))


def has_picture_header(path: Path) -> bool:
    """Whether a file with another suffix begins as a picture does."""
    try:
        with Image.open(path):
            return True
    except DECODE_ERRORS:
        return False


def read_picture(path: Path) -> Picture:
    """A picture, after all of it has been decoded.

    Raises:
        InputError: it is empty, cut short, of a kind that cannot be read, larger than 64
            megapixels, or smaller than 16 pixels.
    """
    return load_picture(path)[0]


def load_picture(path: Path) -> tuple[Picture, NDArray[np.uint8]]:
    """A picture and its pixels, uint8 (H, W, 4).

    Raises:
        InputError: as `read_picture`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path.name}: over {MAX_BYTES // 1_000_000} MB", HINT)
        content = path.read_bytes()
        rgba, animated = decode(content)
    except InputError as error:
        raise InputError(
            f"{path.name}: {error.message.removeprefix(f'{path.name}: ')}", error.hint
        ) from None
    except UnidentifiedImageError:
        if kind := UNSUPPORTED.get(path.suffix.lower()):
            raise InputError(
                f"{path.name}: {kind} cannot be read, save it as JPEG or PNG"
            ) from None
        raise InputError(f"{path.name}: no picture that can be read", HINT) from None
    except DECODE_ERRORS as error:
        raise InputError(f"{path.name}: {str(error)[:80] or type(error).__name__}", HINT) from None
    note = f"{path.name} is animated: its first frame is used" if animated else ""
    opaque = bool((rgba[..., 3] > 250).all())
    return Picture(path, hashlib.sha256(content).hexdigest(), opaque, note), rgba


def decode(content: bytes) -> tuple[NDArray[np.uint8], bool]:
    """(straight RGBA in sRGB, turned as its EXIF orientation says; whether it is an animation).

    Raises:
        InputError: it is empty, too large or too small.
        DECODE_ERRORS: it is broken.
    """
    if not content:
        raise InputError("an empty file", HINT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # sizes are checked below
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(
                    f"{picture.width} x {picture.height} is over 64 megapixels", "make it smaller"
                )
            animated = getattr(picture, "n_frames", 1) > 1 and picture.format in ANIMATED
            picture.load()
            rgba = np.array(to_srgb(to_eight_bit(ImageOps.exif_transpose(picture))))
    if min(rgba.shape[:2]) < MIN_SIDE:
        raise InputError(f"only {rgba.shape[1]} x {rgba.shape[0]} pixels", HINT)
    return rgba, animated


def to_eight_bit(picture: Image.Image) -> Image.Image:
    """Greys of 16 or 32 bits scaled to 8 bits; Pillow itself would clip them."""
    if picture.mode not in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        return picture
    values = np.asarray(picture).astype(np.float64)
    scale = 255 / 65535 if picture.mode != "F" else 255 / max(float(values.max()), 1e-9)
    return Image.fromarray((values * scale).round().clip(0, 255).astype(np.uint8))


def to_srgb(picture: Image.Image) -> Image.Image:
    """The picture as RGBA, its colours converted from the profile that it carries."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "RGBA", "CMYK", "L"):
        alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
        source = picture.convert("RGB") if picture.mode == "RGBA" else picture
        try:
            converted = ImageCms.profileToProfile(
                source,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # a broken profile says nothing
        if converted is not None:
            picture = converted
            if alpha is not None:
                picture.putalpha(alpha)
    return picture.convert("RGBA")
