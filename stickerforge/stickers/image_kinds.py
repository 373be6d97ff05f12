"""What kind of file bytes are, told by how they begin; names and suffixes count for nothing."""

import re

READABLE = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF")  # as Pillow calls them
# Other kinds of pictures, which are named when they cannot be read.
HEIC, JXL, BMP = "HEIC", "JPEG XL", "BMP"
STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cJXL \r\n\x87\n": JXL,
    b"\xff\x0a": JXL,
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"gimp xcf": "GIMP",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "PDF",
    b"SIMPLE  =": "FITS",
    b"DDS ": "DDS",
    b"PK\3\4": "ZIP",
    b"version https://git-lfs": "Git LFS pointer",
}
BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # lengths of the header after that of the file
AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!doctype|<svg|<html)", re.IGNORECASE)
HEAD = 512  # bytes that suffice


def image_kind(head: bytes) -> str:
    """The kind of a file, as in `READABLE` or in words; "" for one that is not known.

    Args:
        head: its first `HEAD` bytes, or more.
    """
    for start, kind in STARTS.items():
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return media_kind(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BMP_HEADERS:
        return BMP
    if MARKUP.match(head):
        return "SVG" if b"<svg" in head[:HEAD].lower() else "HTML"
    return ""


def media_kind(head: bytes) -> str:
    """The kind of a file of ISO's base media format, by the brands that it names."""
    length = min(int.from_bytes(head[:4], "big"), HEAD)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, length, 4))}
    if brands & AVIF_BRANDS:
        return "AVIF"
    return HEIC if brands & (HEIC_BRANDS | {b"mif1", b"msf1"}) else "video"
