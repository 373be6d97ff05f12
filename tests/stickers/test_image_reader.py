"""Decoding what strangers sent: kinds by content, limits, colours, and metadata that is broken."""

import ast
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin, TiffTags

import stickerforge
from stickerforge.errors import InputError
from stickerforge.stickers import image_reader
from stickerforge.stickers.image_kinds import READABLE
from stickerforge.stickers.image_reader import WORKING_SIDE, decode_image


def gradient(width=40, height=30, mode="RGB"):
    y, x = np.mgrid[:height, :width]
    planes = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], -1).astype(
        np.uint8
    )
    return Image.fromarray(planes).convert(mode)


def encoded(kind, picture=None, **options):
    stream = io.BytesIO()
    (picture or gradient()).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name, data, *, sound=True):
    checksum = zlib.crc32(name + data) ^ (not sound)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def png_with(extra, at=33):
    """A PNG with chunks after its header, or before its end."""
    content = encoded("PNG")
    return content[:at] + extra + content[at:]


def error_from_original(content):
    """Mean difference to the gradient."""
    rgba = decode_image(content).rgba
    return np.abs(rgba[..., :3].astype(int) - np.asarray(gradient())).mean()


@pytest.mark.parametrize("kind", READABLE)
def test_every_kind_that_readme_names_is_read_by_its_content(kind):
    image = decode_image(encoded(kind))
    assert (image.kind, image.size, image.animated) == (kind, (40, 30), False)
    assert error_from_original(encoded(kind)) < 12


OTHERS = ("BMP", "EPS", "PPM", "DDS", "ICO", "PDF", "PCX", "TGA", "SGI", "IM", "JPEG2000", "ICNS")


@pytest.mark.parametrize("kind", OTHERS)
def test_no_other_decoder_ever_sees_a_file(kind, monkeypatch):
    content = encoded(kind, gradient(64, 64))
    seen = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: seen.append(args))
    with pytest.raises(InputError, match="read"):
        decode_image(content)
    assert not seen


HEADS = {
    b"\0\0\0\x18ftypheix\0\0\0\0heix": "HEIC cannot be read",
    b"\0\0\0\x20ftypmif1\0\0\0\0mif1heicmiaf": "HEIC cannot be read",
    b"\xff\x0a\xfa\x7f": "JPEG XL cannot be read",
    b"<svg xmlns='http://www.w3.org/2000/svg'>": "SVG",
    b"<!DOCTYPE html><title>404</title>": "HTML",
    b"8BPS\0\1": "Photoshop",
    b"%!PS-Adobe-3.0 EPSF-3.0": "PostScript",
    b"SIMPLE  =                    T": "FITS",
    b"\0\0\0\x18ftypisom": "video",
    b"version https://git-lfs.github.com/spec/v1": "Git LFS",
    b"nothing of the kind": "no picture that can be read",
    b"": "empty",
}


@pytest.mark.parametrize(("head", "message"), HEADS.items(), ids=list(HEADS.values()))
def test_what_else_a_file_is_is_said(head, message):
    with pytest.raises(InputError, match=message):
        decode_image(head + bytes(200 if head else 0))


def test_nothing_else_in_the_package_opens_pictures():
    root = Path(stickerforge.__file__).parent
    opening = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and ast.unparse(node).endswith("Image.open")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert opening == ["stickers/image_reader.py"]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((16, 40000), "a side is over 16384"),
        ((16384, 800), "longer than 20 to 1"),
        ((17, 345), "longer than 20 to 1"),
        ((40, 15), "only 40 x 15"),
        ((9000, 9000), "over 64 megapixels"),
        ((16000, 16000), "over 64 megapixels"),
    ],
)
def test_sizes_are_refused_before_anything_is_decoded(size, message, monkeypatch):
    monkeypatch.setattr(image_reader, "decode_frame", lambda *_: pytest.fail("decoded"))
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    with pytest.raises(InputError, match=message):
        decode_image(content + chunk(b"IEND", b""))


@pytest.mark.parametrize("kind", ["WEBP", "AVIF", "TIFF"])
def test_decoders_that_need_much_memory_are_given_smaller_pictures(kind, monkeypatch):
    monkeypatch.setitem(image_reader.MAX_PIXELS_OF, kind, 1000)
    with pytest.raises(InputError, match=f"40 x 30 is over .* the most for {kind}"):
        decode_image(encoded(kind))


def test_a_tiff_with_a_huge_tile_is_refused():
    tags, tile = TiffImagePlugin.ImageFileDirectory_v2(), {50800: 322, 50801: 323}
    for private in tile:  # Pillow itself writes no tiles
        tags[private], tags.tagtype[private] = 16384, TiffTags.LONG
    content = encoded("TIFF", tiffinfo=tags)
    for private, tag in tile.items():
        content = content.replace(struct.pack("<HH", private, 4), struct.pack("<HH", tag, 4))
    with pytest.raises(InputError, match="tile of 16384 x 16384"):
        decode_image(content)


@pytest.mark.parametrize("tags", [{254: 1}, {50706: b"\1\4\0\0"}])
def test_the_thumbnail_of_a_raw_file_is_not_taken_for_the_picture(tags):
    with pytest.raises(InputError, match="raw file cannot be read"):
        decode_image(encoded("TIFF", tiffinfo=tags))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("JPEG", "CMYK")],
)
def test_large_pictures_are_halved_until_they_fit(kind, mode):
    small = gradient(110, 20).convert("RGB")
    large = small.resize((WORKING_SIDE + 304, 800), Image.Resampling.NEAREST).convert(mode)
    image = decode_image(encoded(kind, large))
    assert image.size == large.size and image.rgba.shape == (400, 2200, 4)
    expected = np.asarray(small.resize((2200, 400), Image.Resampling.NEAREST)).astype(int)
    assert np.abs(image.rgba[..., :3] - expected).mean() < 5


def test_a_large_cut_out_keeps_its_colours_at_the_edge():
    rgba = np.zeros((800, WORKING_SIDE + 304, 4), np.uint8)
    rgba[:, 2001:] = (200, 10, 30, 255)
    small = decode_image(encoded("PNG", Image.fromarray(rgba))).rgba
    edge = small[(small[..., 3] > 0) & (small[..., 3] < 255)]
    assert len(edge) and np.abs(edge[:, :3].astype(int) - (200, 10, 30)).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_orientation_is_honoured(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif}
    turn = image_reader.TURNS[orientation]
    expected = np.asarray(gradient().transpose(turn)).astype(int)
    image = decode_image(encoded(kind, **options))
    assert image.rgba.shape[:2] == expected.shape[:2] and image.size == expected.shape[1::-1]
    assert np.abs(image.rgba[..., :3] - expected).mean() < 4


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_greys_keep_their_range(dtype):
    values = np.linspace(0, 65535, 40 * 30).reshape(30, 40)
    picture = Image.fromarray((values if dtype is np.uint16 else values / 65535).astype(dtype))
    grey = decode_image(encoded("PNG" if dtype is np.uint16 else "TIFF", picture)).rgba[..., 0]
    assert np.abs(grey.astype(float) - values / 257).max() <= 0.51


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_black_or_white(odd):
    values = np.full((30, 40), 0.5, np.float32)
    values[3, 4] = odd
    rgba = decode_image(encoded("TIFF", Image.fromarray(values))).rgba
    assert rgba[3, 4, 0] == (255 if odd == np.inf else 0) and rgba[0, 0, 0] > 100


def test_alpha_is_kept_and_palettes_are_unfolded():
    rgba = np.asarray(gradient(mode="RGBA")).copy()
    rgba[:10, :, 3] = 0
    assert np.array_equal(decode_image(encoded("PNG", Image.fromarray(rgba))).rgba, rgba)
    palette = encoded("PNG", Image.fromarray(rgba).quantize(16))
    assert (decode_image(palette).rgba[:10, :, 3] == 0).all()


def test_cmyk_and_profiles_become_srgb():
    assert error_from_original(encoded("JPEG", gradient(mode="CMYK"), quality=98)) < 4
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert error_from_original(encoded("PNG", icc_profile=profile)) <= 1
    keyed = encoded("PNG", icc_profile=profile, transparency=(0, 0, 90))
    assert decode_image(keyed).rgba[0, 0, 3] == 0


BAD_EXIF = b"Exif\0\0II*\0\xff\xff\xff\xffnonsense"
EXIF = b"Exif\0\0" + b"II*\0\x08\0\0\0" + bytes(6)
EXIF_IN_TIFF = {0x8769: 0x7FFFFFF0, 0x8825: 7}
SOUND_PIXELS = {
    "text that unpacks to 80 MB": png_with(
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000)))
    ),
    "many long texts": png_with(chunk(b"tEXt", b"workflow\0" + b"x" * 900_000) * 80),
    "text with a bad checksum": png_with(chunk(b"iTXt", b"a\0b", sound=False)),
    "text after the pixels": png_with(chunk(b"tEXt", b"a\0b", sound=False), at=-12),
    "short resolution": png_with(chunk(b"pHYs", b"a")),
    "short gamma": png_with(chunk(b"gAMA", b"")),
    "broken order of frames": png_with(chunk(b"acTL", b"a")),
    "profile that unpacks to 8 MB": png_with(
        chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(8_000_000)))
    ),
    "profile with a bad checksum": png_with(chunk(b"iCCP", b"a\0\0", sound=False)),
    "PNG, EXIF": png_with(chunk(b"eXIf", b"nonsense")),
    "no end": encoded("PNG")[:-12],
    "JPEG, EXIF": encoded("JPEG", exif=BAD_EXIF, quality=95),
    "JPEG, profile": encoded("JPEG", icc_profile=b"no profile", quality=95),
    "JPEG, spare pictures": encoded("JPEG", quality=95)[:2]
    + b"\xff\xe2\0\x1eMPF\0"
    + b"x" * 24
    + encoded("JPEG", quality=95)[2:],
    "JPEG, empty segment": b"\xff\xd8\xff\xe1\0\x02" + encoded("JPEG", quality=95)[2:],
    "WebP, EXIF": encoded("WEBP", exif=BAD_EXIF),
    "WebP, cut within its EXIF": encoded("WEBP", exif=b"Exif\0\0abc" * 30)[:-50],
    "AVIF, EXIF": encoded("AVIF", exif=EXIF).replace(b"II*\0\x08", b"nons\x08"),
    "TIFF, EXIF": encoded("TIFF", tiffinfo=EXIF_IN_TIFF),
    "TIFF, EXIF, compressed": encoded("TIFF", tiffinfo=EXIF_IN_TIFF, compression="tiff_lzw"),
    "TIFF, profile": encoded("TIFF", icc_profile=b"no profile"),
}


@pytest.mark.parametrize("content", SOUND_PIXELS.values(), ids=list(SOUND_PIXELS))
def test_sound_pixels_are_not_lost_to_metadata(content):
    assert error_from_original(content) < 4


@pytest.mark.parametrize("kind", READABLE)
def test_orientation_and_colours_outlive_broken_texts(kind):
    if kind not in ("PNG", "JPEG"):
        pytest.skip("its texts are not parsed")
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(kind, exif=exif)
    text = chunk(b"tEXt", b"a", sound=False) if kind == "PNG" else b"\xff\xfe\0\x02"
    at = 33 if kind == "PNG" else 2
    assert decode_image(content[:at] + text + content[at:]).size == (30, 40)


@pytest.mark.parametrize("kind", READABLE)
def test_pixels_that_are_cut_short_are_no_picture(kind):
    content = encoded(kind, gradient(200, 150))
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(InputError):
            decode_image(content[: int(len(content) * share)])


@pytest.mark.parametrize("kind", READABLE)
def test_damaged_files_are_named_whatever_their_decoder_raises(kind):
    """Bytes changed, cut out and put in at random, most of them in the header."""
    rng, sound = np.random.default_rng(0), encoded(kind)
    unreadable = 0
    for _ in range(150):
        content = bytearray(sound)
        for _ in range(rng.integers(1, 5)):
            at = int(rng.integers(min(len(content), int(rng.choice([64, 500, 10_000])))))
            change = rng.integers(4)
            content[at : at + (2 if change == 1 else 1)] = (
                bytes([rng.choice([0, 1, 127, 255])]) * (0, 0, 2, 1)[change]
                if change
                else rng.bytes(4)
            )
        try:
            decode_image(bytes(content))
        except InputError as error:
            unreadable += 1
            assert error.message.isprintable() and "0x" not in error.message
    assert unreadable > 5


RAISED = [OSError, SyntaxError, KeyError, ZeroDivisionError, RecursionError, MemoryError, Exception]


@pytest.mark.parametrize("kind", RAISED)
def test_what_a_decoder_raises_is_the_files_fault(monkeypatch, kind):
    def broken(*_):
        raise kind("no such\nblock")

    monkeypatch.setattr(image_reader, "decode_frame", broken)
    with pytest.raises(InputError, match=r"not enough memory" if kind is MemoryError else "block"):
        decode_image(encoded("PNG"))


def test_an_interruption_is_nobodys_fault(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(image_reader, "decode_frame", interrupted)
    with pytest.raises(KeyboardInterrupt):
        decode_image(encoded("PNG"))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animations_are_known_as_such(kind):
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "blue")]
    image = decode_image(encoded(kind, save_all=True, append_images=frames))
    assert image.animated and error_from_original(encoded(kind)) < 12


def test_libraries_warn_of_nothing_on_standard_error(tmp_path):
    """In a process of its own: tests set filters of their own."""
    files = SOUND_PIXELS | {
        "a.jpg": encoded("JPEG", exif=EXIF[:-2] + b"\xff\xff"),
        "b.tif": encoded("TIFF", tiffinfo={277: 60}),
        "c.tif": encoded("TIFF", tiffinfo=EXIF_IN_TIFF, compression="tiff_lzw")[:-30],
        "d.png": png_with(chunk(b"acTL", bytes(8))),
        "e.gif": encoded("GIF")[:-40],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    code = (
        "import sys, pathlib\n"
        "from stickerforge.errors import InputError\n"
        "from stickerforge.stickers.image_reader import decode_image\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try: decode_image(path.read_bytes())\n"
        "    except InputError: pass\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
