"""Where the files are that an image was started from, when it is repeated."""

import hashlib

import pytest

from stickerforge.config.schema import InitConfig
from stickerforge.errors import InputError
from stickerforge.generation.init_settings import check_init_files, remembered_init


def params_of(content=b"cat", mask=None, **changes):
    digests = {"sha256": hashlib.sha256(content).hexdigest()[:16], "strength": 0.5}
    if mask is not None:
        digests["mask"] = hashlib.sha256(mask).hexdigest()[:16]
    return {"init": digests, "files": {"init": "cat.png", "mask": "top.png"}} | changes


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """(the current folder, that of the image)."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here", tmp_path / "there"


def test_files_are_found_here_and_beside_the_image(folders):
    here, there = folders
    (here / "cat.png").write_bytes(b"cat")
    (there / "top.png").write_bytes(b"top")
    settings = remembered_init(params_of(mask=b"top"), there, InitConfig())
    assert settings == {
        "init.strength": 0.5,
        "init.file": "cat.png",
        "init.mask": str(there / "top.png"),
    }


def test_a_file_of_other_content_is_no_file(folders):
    here, there = folders
    (here / "cat.png").write_bytes(b"another cat")
    assert remembered_init(params_of(), there, InitConfig()) == {"init.strength": 0.5}
    (there / "cat.png").write_bytes(b"cat")
    assert remembered_init(params_of(), there, InitConfig())["init.file"] == str(there / "cat.png")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            InitConfig(),
            r"started from a picture that is not here: cat\.png; give it as --init FILE",
        ),
        (InitConfig(file="cat.png"), r"a mask that is not here: top\.png; .*init\.mask=FILE"),
    ],
)
def test_what_is_missing_is_named(folders, config, message):
    (folders[0] / "cat.png").write_bytes(b"cat")
    with pytest.raises(InputError, match=message):
        check_init_files(params_of(mask=b"top"), (), config, folders[1] / "sticker.png")


def test_what_is_there_or_was_never_needed_is_not_missing(folders):
    picture = folders[1] / "sticker.png"
    check_init_files({}, (), InitConfig(), picture)
    check_init_files(params_of(), (), InitConfig(file="cat.png"), picture)
    check_init_files(params_of(mask=b"top"), (), InitConfig("cat.png", 0.5, "top.png"), picture)


@pytest.mark.parametrize("files", [None, "x", {"init": 3}, {"init": "a" * 400}, {}, {"init": ""}])
def test_a_strangers_image_may_name_anything(folders, files):
    params = params_of(files=files)
    assert remembered_init(params, folders[1], InitConfig()) == {"init.strength": 0.5}
    with pytest.raises(InputError, match="of an unknown name"):
        check_init_files(params, (), InitConfig(), folders[1] / "sticker.png")


def test_no_folder_of_a_strangers_image_is_looked_into(folders):
    here, there = folders
    secret = there.parent / "secret.png"
    secret.write_bytes(b"cat")
    for name in ("../secret.png", str(secret)):
        assert "init.file" not in remembered_init(
            params_of(files={"init": name}), there, InitConfig()
        )


@pytest.mark.parametrize("init", [None, "x", [], 3])
def test_what_says_nothing_of_a_picture_has_none(folders, init):
    assert remembered_init({"init": init}, folders[1], InitConfig()) == {}
    check_init_files({"init": init}, (), InitConfig(), folders[1] / "sticker.png")


def test_what_cannot_be_is_refused(folders):
    with pytest.raises(InputError, match="what cannot be as init.strength"):
        remembered_init(params_of(init={"strength": {}}), folders[1], InitConfig())
    empty = params_of(init={"sha256": "", "strength": 0.5})
    found = remembered_init(empty, folders[1], InitConfig())
    assert "init.file" not in found, "a missing file has no content"


def test_a_call_may_say_that_there_is_no_mask_or_give_another_picture(folders):
    here, there = folders
    for name in ("cat", "top", "dog"):
        (here / f"{name}.png").write_bytes(name.encode())
    params = params_of(mask=b"top")
    found = remembered_init(params, there, InitConfig(file="cat.png"))
    assert found["init.mask"] == "top.png"
    check_init_files(params, found, InitConfig(file="cat.png", mask=""), there / "sticker.png")
    other = InitConfig(file="dog.png")
    assert "init.mask" not in (found := remembered_init(params, there, other))
    check_init_files(params, found, other, there / "sticker.png")
    check_init_files(params, found, InitConfig(), there / "sticker.png")
