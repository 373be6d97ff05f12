"""The picture of --init and its mask: what they may be, and what is said of the others."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stickerforge.data.init_pictures import InitPicture, check_steps, load_init
from stickerforge.errors import InputError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a picture, cat.png, a mask, top.png, and files that are of no use."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 32), "red").save("cat.png")
    mask = Image.new("L", (64, 32))
    mask.paste(255, (0, 0, 64, 16))
    mask.save("top.png")
    mask.resize((128, 64), Image.Resampling.NEAREST).save("large.png")
    mask.resize((60, 60)).save("square.png")
    Image.new("L", (64, 32), 5).save("black.png")
    Image.new("RGBA", (64, 32)).save("clear.png")
    Image.new("RGB", (1, 1)).save("dot.png")
    frames = [Image.new("RGB", (64, 32), colour) for colour in ("red", "blue")]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(200))
    (tmp_path / "text.txt").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo("pipe")
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(10**12)
    return tmp_path


USELESS = {
    "gone.png": "no picture gone.png",
    "moving.gif": "moving.gif is animated",
    "dot.png": "only 1 x 1 pixels",
    "film.mp4": "a video file",
    "text.txt": "no picture that can be read",
    "empty.png": "an empty file",
    "folder": "it is a folder, not a file",
    "pipe": "it is a named pipe, not a file",
    "huge.png": "it has over 100 MB",
}


@pytest.mark.parametrize("name", USELESS)
def test_what_is_no_still_picture_is_refused(here, name):
    for arguments, source in ((name, None, ""), "--init"), (("cat.png", None, name), "init.mask"):
        with pytest.raises(InputError) as error:
            load_init(*arguments)
        assert error.value.message.startswith(f"{source}: ")
        assert USELESS[name] in error.value.message and name in error.value.message
        assert error.value.hint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", 0.5, ""), "init.strength is about the picture of --init"),
        (("", None, "top.png"), "init.mask is about the picture of --init"),
        (("clear.png", None, ""), "every pixel of clear.png is transparent"),
        (("cat.png", None, "black.png"), "black.png is black throughout"),
        (("cat.png", None, "clear.png"), "clear.png is black throughout"),
        (("cat.png", None, "square.png"), "square.png is 60 x 60 pixels, the picture of --init 64"),
    ],
)
def test_what_does_not_fit_is_refused(here, arguments, message):
    with pytest.raises(InputError, match=message) as error:
        load_init(*arguments)
    assert error.value.hint


def test_without_a_picture_there_is_none(here):
    assert load_init("", None, "") is None


def test_a_picture_with_its_mask(here):
    init = load_init("cat.png", None, "top.png")
    assert init.strength == 0.6 and init.files == {"init": Path("cat.png"), "mask": Path("top.png")}
    assert init.square(64).shape == (64, 64, 4) and not init.square(64)[:16, :, 3].any()
    mask = init.square_mask(64)
    assert (mask[16:32] == 255).all() and not mask[:16].any() and not mask[32:].any()
    assert init.names() == {"init": "cat.png", "mask": "top.png"}
    assert set(init.params()) == {"sha256", "strength", "mask"}
    assert init.record() == {"file": "cat.png", "strength": 0.6, "mask": "top.png"}


def test_a_mask_of_another_size_and_the_same_shape_is_the_same_mask(here):
    small, large = (load_init("cat.png", 0.5, name) for name in ("top.png", "large.png"))
    assert np.array_equal(small.mask, large.mask)
    assert small.params() != large.params(), "another file"


def test_without_a_mask_all_is_painted_anew(here):
    init = load_init("cat.png", 0.5, "")
    assert init.square_mask(64) is None and set(init.params()) == {"sha256", "strength"}
    assert init.names() == {"init": "cat.png"}


@pytest.mark.parametrize("strength", [0.001, 0.07, 0.29, 0.3, 0.58, 0.6, 0.999, 1.0])
@pytest.mark.parametrize("steps", [1, 3, 10, 12, 50, 100, 1000])
def test_the_number_of_steps_that_a_refusal_names_suffices(here, strength, steps):
    init = load_init("cat.png", strength, "")
    assert 0 <= init.skipped_steps(steps) <= steps
    try:
        check_steps(init, steps)
    except InputError as error:
        assert init.skipped_steps(steps) == steps
        needed = int(error.hint.split("--steps ")[1].split(" ")[0])
        other = float(error.hint.split("init.strength=")[1])
        check_steps(init, needed)
        check_steps(InitPicture(init.picture, init.rgba, other), steps)
    else:
        assert init.skipped_steps(steps) < steps
