"""Pictures as files: PNG and WebP bytes that say how they were made, and reading that back.

The parameters are JSON in a PNG text chunk "stickerforge" and in XMP (both formats), where their
element is called "recipe"; XMP also carries IPTC's digital source type, which marks a picture as
made by a trained model. Nothing else is written: bytes are built from pixels alone.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape, unescape
from pathlib import Path
from typing import Any, Literal

from PIL import Image, PngImagePlugin

from stickerforge.errors import InputError
from stickerforge.stickers.alpha import Rgba
from stickerforge.stickers.foreign_params import (
    EXIF_IFD,
    USER_COMMENT,
    ForeignParams,
    decode_comment,
    parse_info,
)
from stickerforge.stickers.image_metadata import PNG_END, PNG_START
from stickerforge.stickers.image_reader import open_image
from stickerforge.stickers.pixel_formats import DECODER_FAULTS

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
KEY = "stickerforge"
MAX_CHARACTERS = 1_000_000  # of parameters; more is not ours
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:sf="https://stickerforge.invalid/ns/1/">
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<xmp:CreatorTool>{tool}</xmp:CreatorTool>
<sf:recipe>{params}</sf:recipe>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def encode_image(
    rgba: Rgba, params: dict[str, Any], tool: str, kind: Literal["png", "webp"]
) -> bytes:
    """The bytes of a file: the picture, its parameters and where it came from.

    Args:
        rgba: uint8 (H, W, 4), straight alpha; (H, W, 3) for a picture without.
        tool: the program and its version.
    """
    text = json.dumps(params, ensure_ascii=False, sort_keys=True)
    xmp = XMP.format(source=SOURCE_TYPE, tool=escape(tool), params=escape(text))
    picture, stream = Image.fromarray(rgba), io.BytesIO()
    if kind == "webp":
        # exact keeps the colours laid under transparent pixels, which prevent halos when resized
        picture.save(
            stream, "WEBP", lossless=True, quality=60, method=4, exact=True, xmp=xmp.encode()
        )
    else:
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(KEY, text, zip=len(text) > 2000)
        chunks.add_itxt("XML:com.adobe.xmp", xmp)
        picture.save(stream, "PNG", compress_level=6, pnginfo=chunks)
    return stream.getvalue()


def is_truncated(path: Path) -> bool:
    """Whether a PNG or WebP file stops before its end, or a file is empty.

    A full disk or a broken copy leaves such files.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
        size = file.seek(0, io.SEEK_END)
        if head[:4] == b"RIFF":
            return size < int.from_bytes(head[4:8], "little") + 8
        file.seek(max(0, size - len(PNG_END)))
        return not head or (head[:8] == PNG_START and file.read() != PNG_END)


def read_params(path: Path) -> dict[str, Any] | None:
    """The parameters that a picture carries, or None where it has none that can be read.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is no picture.
    """
    with opened(path) as picture:
        text = picture.info.get(KEY) or params_in_xmp(picture.info.get("xmp"))
    if not isinstance(text, str) or len(text) > MAX_CHARACTERS:
        return None
    try:
        params = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return params if isinstance(params, dict) else None


def read_foreign_params(path: Path) -> ForeignParams | None:
    """What another program says in a picture of how it was made; None where none does.

    Raises:
        OSError, ValueError: see `read_params`.
    """
    with opened(path) as picture:
        try:
            comment = picture.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT)
        except DECODER_FAULTS:
            comment = None
        return parse_info(picture.info, decode_comment(comment))


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture of a format that programs write parameters into, not decoded.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is no such picture.
    """
    try:
        with open_image(path, "PNG", "WEBP", "JPEG") as picture:
            yield picture
    except InputError as error:
        raise ValueError(error.message) from None
    except OSError as error:
        if error.errno:
            raise
        raise ValueError(str(error)) from None  # Pillow's own, which has no number
    except DECODER_FAULTS as error:
        raise ValueError(str(error)) from None


def params_in_xmp(xmp: bytes | str | None) -> str | None:
    """The parameters in an XMP packet, read by a pattern: no XML of a stranger is parsed."""
    text = xmp.decode("utf-8", "replace") if isinstance(xmp, bytes) else xmp or ""
    match = re.search(r"<sf:recipe>([^<]*)</sf:recipe>", text[: 2 * MAX_CHARACTERS])
    return unescape(match[1]) if match else None
