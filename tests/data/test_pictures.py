"""Folders of references: every picture is read, or named."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from stickerforge.data import pictures
from stickerforge.data.pictures import DECODE_ERRORS, read_folder, read_picture
from stickerforge.errors import InputError


def gradient(width=40, height=30, mode="RGB"):
    y, x = np.mgrid[:height, :width]
    planes = np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], -1).astype(
        np.uint8
    )
    return Image.fromarray(planes).convert(mode)


def test_a_plain_picture_is_what_it_was(tmp_path):
    gradient().save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.opaque and picture.rgba().shape == (30, 40, 4)
    assert np.array_equal(picture.rgba()[..., :3], np.asarray(gradient()))


def test_exif_orientation_is_honoured(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    gradient().save(tmp_path / "a.jpg", exif=exif, quality=98)
    turned = read_picture(tmp_path / "a.jpg").rgba()[..., :3].astype(int)
    expected = np.asarray(gradient().transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert turned.shape == expected.shape == (40, 30, 3) and np.abs(turned - expected).mean() < 3


def test_sixteen_bits_keep_their_range(tmp_path):
    values = np.linspace(0, 65535, 40 * 30).reshape(30, 40).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    grey = read_picture(tmp_path / "deep.png").rgba()[..., 0]
    assert np.abs(grey.astype(float) - values / 257).max() <= 0.51


def test_alpha_is_kept_and_palettes_are_unfolded(tmp_path):
    rgba = np.asarray(gradient(mode="RGBA")).copy()
    rgba[:10, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert not read_picture(tmp_path / "a.png").opaque
    assert np.array_equal(read_picture(tmp_path / "a.png").rgba()[..., 3], rgba[..., 3])
    Image.fromarray(rgba).quantize(16).save(tmp_path / "p.png")
    assert (read_picture(tmp_path / "p.png").rgba()[:10, :, 3] == 0).all()


def test_cmyk_and_profiles_become_srgb(tmp_path):
    gradient(mode="CMYK").save(tmp_path / "c.jpg", quality=98)
    assert (
        np.abs(
            read_picture(tmp_path / "c.jpg").rgba()[..., :3].astype(int) - np.asarray(gradient())
        ).mean()
        < 4
    )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    gradient().save(tmp_path / "s.png", icc_profile=profile)
    assert (
        np.abs(
            read_picture(tmp_path / "s.png").rgba()[..., :3].astype(int) - np.asarray(gradient())
        ).max()
        <= 1
    )
    gradient().save(tmp_path / "b.png", icc_profile=b"no profile at all")
    assert np.array_equal(read_picture(tmp_path / "b.png").rgba()[..., :3], np.asarray(gradient()))


def test_the_first_frame_of_an_animation(tmp_path):
    gradient().save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (40, 30), "red")]
    )
    picture = read_picture(tmp_path / "a.gif")
    assert (
        "first frame" in picture.note
        and np.abs(picture.rgba()[..., :3].astype(int) - np.asarray(gradient())).mean() < 12
    )


def huge_png(path, side=9000):
    """A PNG whose header promises 81 megapixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def fill(folder: Path) -> None:
    """One good picture among everything that can go wrong."""
    gradient().save(folder / "good.png")
    whole = io.BytesIO()
    gradient(400, 300).save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("no picture")
    (folder / "notes.md").write_text("# notes")
    gradient(4, 4).save(folder / "tiny.png")
    huge_png(folder / "huge.png")
    gradient(mode="RGB").save(folder / "nameless", "PNG")
    (folder / ".hidden").write_text("x")
    (folder / "folder").mkdir()
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "good.txt").write_text("a caption")
    (folder / "orphan.txt").write_text("a caption of nothing")


def test_every_file_of_a_folder_is_accounted_for(tmp_path):
    fill(tmp_path)
    found = read_folder(tmp_path)
    assert [picture.path.name for picture in found.pictures] == ["good.png", "nameless"]
    assert found.other_files == ["folder", "gone.png", "notes.md", "orphan.txt"]
    assert [line.split(":")[0] for line in found.unreadable] == [
        "cut.jpg",
        "empty.png",
        "huge.png",
        "text.jpg",
        "tiny.png",
    ]
    assert "64 megapixels" in found.unreadable[2] and "empty" in found.unreadable[1]


@pytest.mark.parametrize("content", ["nothing", "text", "missing"])
def test_a_folder_without_pictures(tmp_path, content):
    folder = tmp_path / "folder"
    if content != "missing":
        folder.mkdir()
    if content == "text":
        (folder / "a.doc").write_text("hello")
    with pytest.raises(
        InputError, match="no folder" if content == "missing" else "no picture in it"
    ):
        read_folder(folder)


def test_a_picture_that_changes_in_between_is_noticed(tmp_path):
    gradient().save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    gradient(50).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="changed"):
        picture.rgba()


def test_a_telephone_picture_is_told_how_to_be_mended(tmp_path):
    gradient().save(tmp_path / "a.png")
    (tmp_path / "b.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    assert read_folder(tmp_path).unreadable == [
        "b.HEIC: HEIC cannot be read, save it as JPEG or PNG"
    ]


def test_what_our_own_commands_leave_beside_pictures_is_not_worth_a_line(tmp_path):
    gradient().save(tmp_path / "a.png")
    for name in ("captions.html", "captions.jsonl", "generate.toml", "notes.md"):
        (tmp_path / name).write_text("")
    assert read_folder(tmp_path).other_files == ["notes.md"]


DAMAGED = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "DDS", "ICO")


@pytest.mark.parametrize("form", DAMAGED)
def test_damaged_files_are_named_whatever_their_decoder_raises(tmp_path, form):
    """Bytes changed, cut out and put in at random, most of them in the header."""
    rng, stream, path = np.random.default_rng(0), io.BytesIO(), tmp_path / "a.png"
    gradient().save(stream, form)
    unreadable = 0
    for _ in range(150):
        content = bytearray(stream.getvalue())
        for _ in range(rng.integers(1, 5)):
            at = int(rng.integers(min(len(content), int(rng.choice([64, 500, 10_000])))))
            kind = rng.integers(4)
            content[at : at + (2 if kind == 1 else 1)] = (
                bytes([rng.choice([0, 1, 127, 255])]) * (0, 0, 2, 1)[kind] if kind else rng.bytes(4)
            )
        path.write_bytes(content)
        try:
            read_picture(path)
        except InputError as error:
            unreadable += 1
            assert error.message.startswith("a.png: ")
    assert unreadable > 5


@pytest.mark.parametrize("kind", [*DECODE_ERRORS, KeyError, ZeroDivisionError, NotImplementedError])
def test_what_a_decoder_raises_is_the_files_fault(tmp_path, monkeypatch, kind):
    def broken(content):
        raise kind("no such block")

    gradient().save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "decode", broken)
    with pytest.raises(InputError, match="a.png: .*no such block"):
        read_picture(tmp_path / "a.png")


def test_what_is_not_the_files_fault_is_not_called_so(tmp_path, monkeypatch):
    def exhausted(content):
        raise MemoryError

    gradient().save(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "decode", exhausted)
    with pytest.raises(MemoryError):
        read_picture(tmp_path / "a.png")
