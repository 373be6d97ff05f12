"""Files of pictures without their metadata, so that what is wrong in it costs no pixels.

Pillow refuses a whole file for a text, an EXIF block or a colour profile that it cannot read.
Bytes are only cut out, never decoded; what has no known structure is left as it is.
"""

import re
from collections.abc import Callable, Collection, Iterator

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
PNG_ORDER = {b"acTL", b"fcTL", b"fdAT"}  # of frames
PNG_MEANING = {b"iCCP", b"eXIf"}  # colours and orientation
WEBP_PIXELS = {b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"}
WEBP_METADATA_FLAGS = 0b0010_1100  # ICC profile, EXIF, XMP in VP8X
JPEG_MEANING = ((0xE1, b"Exif\0\0"), (0xE2, b"ICC_PROFILE\0"))
TIFF_METADATA = {700, 34377, 34665, 34675, 34853, 40965, 37724}  # XMP, EXIF, ICC, GPS, Photoshop


def without_texts(kind: str, content: bytes) -> bytes:
    """A file without comments and texts, of which pictures may carry any number and size.

    Args:
        kind: as in `image_kinds.READABLE`.
    """
    if kind == "PNG":
        return png_of(content, PNG_PIXELS | PNG_ORDER | PNG_MEANING)
    return jpeg_of(content, JPEG_MEANING) if kind == "JPEG" else content


def without_metadata(kind: str, content: bytes) -> bytes:
    """A file with nothing but what pixels are decoded from.

    Args:
        kind: as in `image_kinds.READABLE`.
    """
    cut: dict[str, Callable[[bytes], bytes]] = {
        "PNG": lambda content: png_of(content, PNG_PIXELS),
        "JPEG": lambda content: jpeg_of(content, ()),
        "WEBP": webp_pixels,
        "AVIF": avif_pixels,
        "TIFF": tiff_pixels,
    }
    return cut[kind](content) if kind in cut else content


def png_of(content: bytes, names: Collection[bytes]) -> bytes:
    """A PNG of chunks with these names alone, and its end, unless it is cut within one of them."""
    chunks = [chunk for name, chunk in png_chunks(content) if name in names]
    is_cut = bool(chunks) and len(chunks[-1]) < int.from_bytes(chunks[-1][:4], "big") + 12
    return b"".join([PNG_START, *chunks, b"" if is_cut else PNG_END])


def png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, the whole chunk) of a PNG up to its end, or to where it is cut short."""
    at = len(PNG_START)
    while at + 12 <= len(content):
        length, name = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        yield name, content[at : at + length + 12]
        at += length + 12


def jpeg_of(content: bytes, kept: Collection[tuple[int, bytes]]) -> bytes:
    """A JPEG without comments and applications' segments.

    Args:
        kept: (marker, how it begins) of the segments that stay besides JFIF and Adobe, which say
            how colours are coded.
    """
    parts, at = [content[:2]], 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in (0xDA, 0x01) or 0xD0 <= marker <= 0xD9:  # the scan begins, or no structure
            break
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        body = content[at + 4 : at + 20]
        is_metadata = 0xE1 <= marker <= 0xEF and marker != 0xEE or marker == 0xFE
        if not is_metadata or any(marker == m and body.startswith(start) for m, start in kept):
            parts.append(content[at:end])
        at = end
    return b"".join([*parts, content[at:]])


def webp_pixels(content: bytes) -> bytes:
    """A WebP of the chunks that hold pixels alone."""
    chunks, at = [], 12
    while at + 8 <= len(content):
        name, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        chunk = content[at:end]
        if name == b"VP8X" and length >= 1:
            chunk = chunk[:8] + bytes([chunk[8] & ~WEBP_METADATA_FLAGS]) + chunk[9:]
        if name in WEBP_PIXELS:
            chunks.append(chunk)
        at = end
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def avif_pixels(content: bytes) -> bytes:
    """An AVIF whose EXIF is of a kind that decoders pass over."""
    return re.sub(rb"(infe[\x02\x03].{7}(?:..)?)Exif", rb"\1free", content, flags=re.DOTALL)


def tiff_pixels(content: bytes) -> bytes:
    """A TIFF whose first directory names no metadata; BigTIFF is left as it is."""
    order = "little" if content[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], order)  # type: ignore[arg-type]

    if number(2, 2) != 42:
        return content
    start = number(4, 4)
    count = number(start, 2)
    end = start + 2 + 12 * count
    entries = [content[at : at + 12] for at in range(start + 2, end, 12)]
    kept = [
        entry
        for entry in entries
        if int.from_bytes(entry[:2], order) not in TIFF_METADATA  # type: ignore[arg-type]
    ]
    # No further directories: only the first picture is used. What follows keeps its place.
    directory = len(kept).to_bytes(2, order) + b"".join(kept) + bytes(4)  # type: ignore[arg-type]
    rest = content[start + len(directory) :]
    return content[:start] + directory + rest
