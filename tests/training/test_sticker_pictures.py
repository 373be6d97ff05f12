"""Which pictures alpha is learned from, which are held out, and what becomes of their pixels."""

import numpy as np
import pytest
from PIL import Image

from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.training import sticker_pictures
from stickerforge.training.sticker_pictures import (
    Stickers,
    photo_planes,
    read_stickers,
    trimmed_planes,
)


def picture(colour, size=(40, 40), box=(10, 10, 30, 30)):
    page = Image.new("RGBA", size)
    page.paste(colour, box)
    return page


@pytest.fixture
def folder(tmp_path):
    """Twenty stickers."""
    place = tmp_path / "art"
    place.mkdir()
    for number in range(20):
        picture((12 * number, 100, 50, 255)).save(place / f"{number:02}.png")
    return place


def read(folder, **options):
    settings = {"seed": 0, "share": 0.1, "most": 64, "photos": ""} | options
    return read_stickers(str(folder), Console(quiet=True), **settings)


@pytest.mark.parametrize(
    ("share", "most", "count"),
    [(0.1, 64, 2), (0.5, 64, 10), (0.5, 3, 3), (0.01, 64, 1), (0.9, 64, 18), (0.0, 64, 0)],
)
def test_a_share_is_held_out_and_nothing_is_in_both(folder, share, most, count):
    pictures = read(folder, share=share, most=most)
    assert (len(pictures.held_out), len(pictures.training)) == (count, 20 - count)
    names = [each.path.name for each in (*pictures.training, *pictures.held_out)]
    assert sorted(names) == sorted(path.name for path in folder.iterdir())


def test_what_is_held_out_is_decided_by_the_seed_and_the_pictures(folder):
    first = [each.sha256 for each in read(folder).held_out]
    assert [each.sha256 for each in read(folder).held_out] == first
    assert any([each.sha256 for each in read(folder, seed=s).held_out] != first for s in (1, 2))
    for path in list(folder.iterdir()):  # by content, not by name
        path.rename(folder / f"x{99 - int(path.stem)}.png")
    assert {each.sha256 for each in read(folder).held_out} == set(first)


def test_copies_are_on_one_side(folder):
    for path in list(folder.iterdir()):
        (folder / f"copy-{path.name}").write_bytes(path.read_bytes())
    pictures = read(folder, share=0.3)
    assert len(pictures.held_out) == 6 and len(pictures.training) == 28
    assert not {e.sha256 for e in pictures.held_out} & {e.sha256 for e in pictures.training}


def test_the_digest_changes_with_pictures_photographs_and_what_is_held_out(folder, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (30, 30), "red").save(photos / "a.jpg")
    digests = [
        read(folder, **options).digest
        for options in ({}, {"share": 0.5}, {"share": 0.0}, {"photos": str(photos)})
    ]
    picture((1, 2, 3, 255)).save(folder / "new.png")
    digests.append(read(folder).digest)
    assert len(set(digests)) == 5


@pytest.mark.parametrize(
    ("name", "page", "message"),
    [
        ("opaque.png", Image.new("RGB", (40, 40), "red"), "no alpha"),
        ("opaque.jpg", Image.new("RGB", (40, 40), "red"), "no alpha"),
        ("nearly.png", Image.new("RGBA", (40, 40), (1, 2, 3, 252)), "no alpha"),
        ("clear.png", Image.new("RGBA", (40, 40)), "transparent"),
        ("faint.webp", Image.new("RGBA", (40, 40), (1, 2, 3, 20)), "transparent"),
    ],
)
def test_pictures_that_teach_no_alpha_are_left_out(folder, name, page, message):
    page.save(folder / name, **({"lossless": True} if name.endswith("webp") else {}))
    console = Console(quiet=True)
    pictures = read_stickers(str(folder), console, seed=0, share=0.1, most=9, photos="")
    assert pictures.count == 20
    (line,) = pictures.unreadable
    assert line.startswith(name) and message in line
    assert any(name in warning for warning in console.warnings)
    for path in folder.iterdir():
        if path.name != name:
            path.unlink()
    with pytest.raises(InputError, match=message):
        read(folder)


def test_one_picture_is_too_few_to_be_measured_and_enough_without(folder):
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()
    (folder / "copy.png").write_bytes((folder / "00.png").read_bytes())
    with pytest.raises(InputError, match="one picture"):
        read(folder)
    assert read(folder, share=0.0).count == 2


def test_planes_are_trimmed_and_premultiplied():
    page = np.zeros((50, 60, 4), np.uint8)
    page[10:20, 20:40] = (200, 100, 40, 128)
    page[0, 0, :3] = 255  # a colour that nobody sees
    planes = trimmed_planes(page, 40)
    assert planes.shape == (4, 20, 40) and planes.dtype == np.uint8
    assert np.abs(planes[:, 10, 20].astype(int) - (100, 50, 20, 128)).max() <= 1
    assert (planes[:3] <= planes[3]).all()


@pytest.mark.parametrize("ground", [0, 1, 3, 5])
def test_a_ground_that_is_nearly_clear_is_trimmed(ground):
    page = np.zeros((50, 60, 4), np.uint8)
    page[..., 3] = ground
    page[10:20, 20:40] = (200, 100, 40, 255)
    assert trimmed_planes(page, 40).shape == (4, 20, 40)


def test_photographs_that_are_not_used_are_named(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sticker_pictures, "MAX_PHOTOS", 2)
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in "abc":
        Image.new("RGB", (30, 30), "red").save(photos / f"{name}.png")
    console = Console(quiet=True)
    settings = {"seed": 0, "share": 0.1, "most": 9, "photos": str(photos)}
    pictures = read_stickers(str(folder), console, **settings)
    assert [each.path.name for each in pictures.photos] == ["a.png", "b.png"]
    assert any("first 2 of 3" in line for line in console.warnings) and not pictures.unreadable
    (photos / "c.png").write_bytes(b"")
    (photos / "d.jpg").write_bytes(b"\xff\xd8\xff")
    for share in (0.0, 0.1):
        console = Console(quiet=True)
        pictures = read_stickers(str(folder), console, **settings | {"share": share})
        assert [line.split(":")[0] for line in pictures.unreadable] == [
            "photos/c.png",
            "photos/d.jpg",
        ]
        assert not any("first" in line for line in console.warnings)


def test_a_line_is_one_pixel_wide_at_least():
    page = np.zeros((400, 400, 4), np.uint8)
    page[7, 3:390] = 255
    assert trimmed_planes(page, 16).shape == (4, 1, 16)


def test_pictures_are_read_again_where_there_are_too_many_to_keep(folder, monkeypatch):
    monkeypatch.setattr(sticker_pictures, "CACHE_BYTES", 3 * 4 * 16 * 16)
    stickers = Stickers(read(folder).training, 16)
    planes = [stickers.planes(index) for index in range(6)]
    assert sorted(stickers.kept) == [0, 1, 2]
    assert all(np.array_equal(stickers.planes(index), planes[index]) for index in range(6))
    stickers.pictures[5].path.write_bytes(b"")
    with pytest.raises(InputError, match="changed while it was used"):
        stickers.planes(5)
    assert np.array_equal(stickers.planes(1), planes[1])


def test_photographs_are_opaque_and_not_larger_than_is_of_use(tmp_path):
    path = tmp_path / "a.png"
    picture((0, 0, 0, 255), (300, 200)).save(path)
    planes = photo_planes(load_picture(path)[0], 32)
    assert planes.shape == (3, 43, 64) and planes.dtype == np.uint8
    assert planes[:, -1, -1].tolist() == [255, 255, 255] and planes.min() < 25
