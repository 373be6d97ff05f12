"""One odd file in a folder: it is named, the others go on, and the call ends with 4."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stickerforge
from stickerforge.adapters import store
from stickerforge.commands import caption
from stickerforge.models import encoders
from stickerforge.stickers import image_reader
from stickerforge.training import personalize
from tests.conftest import one_line
from tests.stickers.test_image_reader import EXIF_IN_TIFF, encoded, gradient

SOURCES = str(Path(stickerforge.__file__).parents[1])  # another process is to test the same ones
SHORT = ("--steps", 2, "--batch", 2, "--rank", 2, "--set", "preview.count=0")
CALLS = {
    "customize": ("--subject", "blob", *SHORT),
    "caption": ("--subject", "blob"),
    "evaluate": ("--out", "report"),
}
ODD = {
    "thin.png": encoded("PNG", gradient(16, 3000)),
    "clear.webp": encoded(
        "WEBP",
        Image.new("RGBA", (64, 48)),
        save_all=True,
        append_images=[gradient(64, 48, "RGBA")],
        lossless=True,
    ),
    "broken.jpg": b"\xff\xd8\xff no more",
    "phone.jpg": b"\0\0\0\x18ftypheic" + bytes(100),
    "drawing.png": encoded("EPS", gradient(64, 48)),
}


@pytest.fixture
def forget(monkeypatch):
    """A function that removes a file when a function of a module is called."""

    def arrange(module, name, path):
        real = getattr(module, name)

        def remove_and_go_on(*args, **options):
            path.unlink(missing_ok=True)
            return real(*args, **options)

        monkeypatch.setattr(module, name, remove_and_go_on)

    return arrange


@pytest.mark.parametrize("command", CALLS)
def test_odd_files_are_named_and_the_others_go_on(cli, art, command):
    for name, content in ODD.items():
        (art / name).write_bytes(content)
    (art / "10_blob").mkdir()
    (art / "notes.md").write_text("hello")
    (art / "exif.png").write_bytes(encoded("PNG", gradient(64, 48), exif=b"Exif\0\0nonsense"))
    (art / "exif-2.tif").write_bytes(encoded("TIFF", gradient(64, 48), tiffinfo=EXIF_IN_TIFF))
    ended = cli(command, art, *CALLS[command], "--json")
    assert ended.code == 4, ended.out
    names = set(ODD) - ({"clear.webp"} if command == "evaluate" else set())
    message = ended.json["error"]["message"]
    failed = ended.json.get("result", {}).get("failed", [message])
    assert all(any(name in line for line in failed) for name in names), failed
    assert "exif" not in message and "10_blob/" in str(ended.json["warnings"])
    assert "notes.md" in str(ended.json["warnings"])
    assert "site-packages" not in ended.err and "Warning" not in ended.err
    if command == "customize":
        assert ended.json["result"]["pictures"] == 5 and store.exists("blob")


CAPTIONS = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "no UTF-8": lambda path: path.write_bytes(b"a caf\xe9"),
    "control characters": lambda path: path.write_bytes(b"a \x1b[31mdog"),
    "too long": lambda path: path.write_text("dog " * 900),
}


@pytest.mark.parametrize("make", CAPTIONS.values(), ids=CAPTIONS)
def test_a_caption_that_cannot_be_read_costs_one_picture(cli, art, make):
    odd = art / "odd.png"
    gradient(64, 48).save(odd)
    make(odd.with_suffix(".txt"))
    drops = cli("customize", art, *CALLS["customize"], "--dry-run", "--json").json["result"][
        "drops"
    ]
    assert len(drops) == 1 and drops[0].startswith("odd.png: ") and "odd.txt" in drops[0]
    ended = cli("caption", art, *CALLS["caption"], "--json")
    assert ended.code == 4 and ended.json["result"]["failed"] == drops
    assert ended.json["result"]["made"] == len(list(art.glob("*.png"))) - 1
    alone = cli("caption", odd, *CALLS["caption"])
    assert alone.code == 2 and "odd.txt" in one_line(alone)


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        ("customize", personalize, "verify"),
        ("caption", caption, "captioner_for"),
        ("evaluate", encoders, "load_encoder"),
    ],
)
def test_a_picture_that_goes_midway_is_named(cli, art, forget, command, module, name):
    forget(module, name, art / "two.png")
    ended = cli(command, art, *CALLS[command])
    assert ended.code == 4 and "two.png: it has gone" in ended.err, ended.err
    if command == "customize":
        assert len(store.find("blob").made["pictures"]) == 2
    if command == "caption":
        assert sorted(path.stem for path in art.glob("*.txt")) == ["one", "three"]


def test_a_picture_that_changes_midway_is_not_taught(cli, art, monkeypatch):
    real = personalize.verify

    def change(folder):
        Image.new("RGB", (64, 64), "red").save(art / "one.png")
        real(folder)

    monkeypatch.setattr(personalize, "verify", change)
    ended = cli("customize", art, *CALLS["customize"], "--json")
    assert ended.code == 4 and "one.png: it changed" in str(ended.json)


@pytest.mark.parametrize("kind", [RuntimeError, MemoryError, StopIteration])
def test_a_decoder_that_raises_anything_costs_one_picture(cli, art, monkeypatch, kind):
    real = image_reader.decode_frame

    def odd(decoder, picture):
        if picture.size == (77, 55):
            raise kind("out of order")
        return real(decoder, picture)

    gradient(77, 55).save(art / "odd.png")
    monkeypatch.setattr(image_reader, "decode_frame", odd)
    ended = cli("caption", art, *CALLS["caption"])
    assert ended.code == 4 and "odd.png: " in ended.err and len(list(art.glob("*.txt"))) == 3


def test_a_folder_of_folders_says_which_to_give(cli, tmp_path):
    for name in ("10_zork", "5_class"):
        (tmp_path / "set" / name).mkdir(parents=True)
        gradient().save(tmp_path / "set" / name / "a.png")
    for command, options in CALLS.items():
        ended = cli(command, tmp_path / "set", *options)
        assert ended.code == 2 and "10_zork/, 5_class/" in ended.err, ended.err
        assert f"give {tmp_path / 'set' / '10_zork'}" in ended.err


def write_large(folder):
    """Pictures at the limits, of the kinds whose decoders need most memory."""
    y, x = np.mgrid[:500, :500]
    small = np.stack([x % 256, y % 256, (x + y) % 256, np.full_like(x, 200)], -1).astype(np.uint8)
    picture = Image.fromarray(small)
    folder.mkdir()
    large = picture.resize((8000, 8000), Image.Resampling.NEAREST)
    large.save(folder / "a.png", compress_level=1)
    large.convert("RGB").convert("CMYK").save(folder / "b.jpg", progressive=True)
    del large
    webp = picture.resize((6320, 6320), Image.Resampling.NEAREST)
    webp.save(folder / "c.webp", lossless=True, method=0, quality=0)
    webp.save(folder / "d.tif", compression="tiff_deflate", strip_size=1 << 30)
    webp.save(folder / "e.avif", speed=10, subsampling="4:4:4")
    del webp
    picture.resize((16384, 820), Image.Resampling.NEAREST).save(folder / "f.png")


@pytest.mark.slow
@pytest.mark.parametrize("command", CALLS)
def test_no_accepted_picture_takes_more_than_a_gigabyte_and_a_half(tmp_path, command):
    """In a process of its own: that of the tests has had other peaks."""
    write_large(tmp_path / "large")
    code = (
        "import resource, sys, subprocess\n"
        "ended = subprocess.run(sys.argv[1:])\n"
        "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(ended.returncode)\n"
    )
    arguments = [command, tmp_path / "large", *CALLS[command], "--quiet"]
    ended = subprocess.run(
        [sys.executable, "-c", code, sys.executable, "-m", "stickerforge", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": SOURCES, "STICKERFORGE_HOME": str(tmp_path / "home")},
    )
    assert ended.returncode == 0, ended.stderr
    kilobytes = int(ended.stdout.splitlines()[-1].split()[1])
    assert kilobytes < 1_500_000_000 // 1024
