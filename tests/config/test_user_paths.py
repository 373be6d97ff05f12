"""Paths as users give them."""

import unicodedata
from pathlib import Path

import pytest

import stickerforge
from stickerforge.config.reference import CONFIGS
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import (
    CustomizeConfig,
    EvaluateConfig,
    GenerateConfig,
    TailorAlphaConfig,
    TailorPromptConfig,
    TailorStyleConfig,
)
from stickerforge.config.schema.picture_sets import DomainConfig
from stickerforge.config.schema.tailor import PreferenceConfig
from stickerforge.config.setting import settings_of
from stickerforge.config.toml import to_tree
from stickerforge.config.user_paths import to_nfc, user_path, with_absolute_paths
from stickerforge.errors import InputError
from stickerforge.models.registry import NAMES

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (GenerateConfig, "output.folder"),
        (GenerateConfig, "prompts"),
        (EvaluateConfig, "style_reference"),
        (CustomizeConfig, "validation.encoder"),
    ],
)
def test_a_tilde_is_the_home_in_settings_of_any_source(tmp_path, kind, name):
    config = resolve(kind, {name: "~/x"})
    for part in name.split("."):
        config = getattr(config, part)
    assert config == f"{tmp_path}/me/x"


def test_a_list_of_paths_is_expanded_one_by_one(tmp_path):
    config = resolve(GenerateConfig, {"adapter": ["dog:0.5", "~/a.safetensors:0.5"]})
    assert config.adapter == ("dog:0.5", f"{tmp_path}/me/a.safetensors:0.5")
    config = resolve(GenerateConfig, {"image_prompt.masks": ["~/left.png", "right.png"]})
    assert config.image_prompt.masks == (f"{tmp_path}/me/left.png", "right.png")


def test_every_setting_for_a_file_or_folder_is_a_path():
    for kind in CONFIGS.values():
        for setting in settings_of(kind).values():
            wanted = {"FILE", "FOLDER"} & set(
                setting.metavar.replace("[", "|").replace("]", "|").split("|")
            )
            said = any(word in setting.help for word in ("folder", "Where to write"))
            if wanted or (said and isinstance(setting.default, str)):
                assert setting.path, setting.name


def test_nothing_else_expands_a_tilde():
    root = Path(stickerforge.__file__).parent
    users = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "expanduser" in path.read_text(encoding="utf-8")
    }
    assert users <= {"config/user_paths.py", "runtime/files.py"}


def test_a_home_that_is_not_there_is_one_error(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no user 'nobody-here'"):
        user_path("~nobody-here/x")
    with pytest.raises(InputError, match="no user 'drafts'"):
        user_path("~drafts")
    Path("~drafts").mkdir()
    assert user_path("~drafts") == "~drafts" and user_path("./~drafts") == "./~drafts"
    monkeypatch.setenv("HOME", "")
    with pytest.raises(InputError, match="where your home is"):
        user_path("~/x")


def test_a_folder_that_is_called_tilde_does_not_hide_the_home(tmp_path):
    Path("~/x").mkdir(parents=True)
    assert user_path("~/x") == f"{tmp_path}/me/x"


@pytest.mark.parametrize("path", ["a\0b", "x" * 256, "é" * 128, "y/" * 2500])
def test_what_no_path_can_be_is_refused(path):
    with pytest.raises(InputError, match="path"):
        user_path(path)


def test_two_spellings_of_an_accent_are_one_path():
    assert user_path(f"{NFD}/{NFD}.txt") == f"{NFC}/{NFC}.txt"
    Path(NFC).mkdir()
    assert user_path(NFD) == NFC


def test_what_the_disk_spells_otherwise_is_found(tmp_path):
    Path(NFD, NFD).mkdir(parents=True)  # as copied from a Mac
    assert user_path(f"{NFC}/{NFC}") == f"{NFD}/{NFD}"
    assert user_path(f"{tmp_path}/{NFC}/new/{NFD}/") == f"{tmp_path}/{NFD}/new/{NFC}/"
    Path(NFC).mkdir()
    assert (user_path(NFC), user_path(NFD)) == (NFC, NFD)


def test_texts_that_are_no_paths_are_composed():
    config = resolve(GenerateConfig, {"prompt": [NFD], "negative": NFD})
    assert config.prompt == (NFC,) and config.negative == NFC == to_nfc(NFD)


@pytest.mark.parametrize(
    "config",
    [
        CustomizeConfig(pictures="stickers", mask="auto"),
        TailorPromptConfig(data="stickers", preference=PreferenceConfig(model="second")),
        TailorStyleConfig(domain=DomainConfig(data="stickers", encoder="clip")),
        TailorAlphaConfig(pictures="stickers", model="sticker-mini"),
    ],
)
def test_saved_paths_mean_the_same_in_any_folder_and_names_stay(config, tmp_path, monkeypatch):
    for name in ("stickers", "sticker-mini", "judge", "second", "clip", "auto"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    found, given = (str(to_tree(each)) for each in (with_absolute_paths(config, NAMES), config))
    assert found == given.replace("'stickers'", repr(str(tmp_path / "stickers")))
    assert found != given
