"""A model's folder may be a stranger's: nothing outside of it is read."""

import json
import os
import shutil

import pytest

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.models.card import CARD, read_card
from stickerforge.models.checksums import verify
from stickerforge.models.model_files import check_files
from stickerforge.models.registry import check_folder, find_model
from stickerforge.models.vocabulary import known_words


@pytest.fixture
def model(tiny_sd, tmp_path):
    (tmp_path / "secret.txt").write_text("hunter2\n")
    return shutil.copytree(tiny_sd, tmp_path / "model")


def write_card(model, **card):
    (model / CARD).write_text(json.dumps(card))


@pytest.mark.parametrize("name", ["words", "inks"])
@pytest.mark.parametrize("value", ["../secret.txt", "/etc/passwd", "vae/../../secret.txt", ".."])
def test_a_card_names_files_beside_it_alone(model, name, value):
    write_card(model, **{name: value})
    with pytest.raises(InputError, match="not a file's name"):
        find_model(str(model))


def test_words_behind_a_link_are_not_printed(model, cli, tmp_path):
    write_card(model, words="words.txt")
    (model / "words.txt").symlink_to(tmp_path / "secret.txt")
    ended = cli("models", "show", model)
    assert ended.code == 2 and "hunter2" not in ended.out + ended.err
    assert "leads out of" in ended.err


def test_sums_of_files_elsewhere_are_not_compared(model):
    write_card(model, files={"../secret.txt": "0" * 64})
    with pytest.raises(InputError, match="not a file"):
        verify(model)


@pytest.mark.parametrize("variant", ["", ".fp16"])
@pytest.mark.parametrize(
    "name", ["../../secret.safetensors", "/secret.safetensors", "..", "", None, 7, "a\\b"]
)
def test_an_index_names_parts_beside_it_alone(model, name, variant):
    index = model / "unet" / f"diffusion_pytorch_model.safetensors.index{variant}.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(InputError, match=r"is broken: weight_map\.a is .*, not a"):
        check_folder(model)


def test_an_index_of_pickled_parts_is_passed_over(model):
    index = model / "text_encoder" / "pytorch_model.bin.index.json"
    index.write_text('{"weight_map": {"a": "pytorch_model-00001-of-00002.bin"}}')
    check_folder(model)


@pytest.mark.parametrize("name", ["vae/config.json", "text_encoder/model.safetensors"])
def test_what_was_fetched_broken_is_fetched_again(model, name, tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path))
    snapshot = tmp_path / "hub" / "models--a--b" / "snapshots" / "c0ffee"
    snapshot.parent.mkdir(parents=True)
    shutil.move(model, snapshot)
    (snapshot / name).unlink()
    (snapshot / name).symlink_to("../../../blobs/gone")
    with pytest.raises(EnvironmentFault, match="fetched again"):
        check_folder(snapshot)


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": 3}', "[" * 9999, "\xff"])
def test_an_index_that_is_none_is_named(model, content):
    (model / "vae" / "x.safetensors.index.json").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"x\.safetensors\.index\.json"):
        check_folder(model)


@pytest.mark.parametrize("part", ["unet/config.json", "vae/diffusion_pytorch_model.safetensors"])
def test_files_of_a_model_are_files_in_its_folder(model, part, tmp_path):
    outside = shutil.move(model / part, tmp_path / "outside")
    for place in (lambda: (model / part).symlink_to(outside), lambda: os.mkfifo(model / part)):
        place()
        with pytest.raises(InputError, match="leads out of|named pipe"):
            check_folder(model)
        (model / part).unlink()
    (model / part).symlink_to("/dev/zero")
    with pytest.raises(InputError, match="it is a device, not a file"):
        check_folder(model)


def test_a_folder_of_a_model_is_in_it(model, tmp_path):
    shutil.move(model / "unet", tmp_path / "unet")
    (model / "unet").symlink_to(tmp_path / "unet")
    with pytest.raises(InputError, match="leads out of"):
        check_folder(model)


def test_links_within_a_model_and_to_a_model_are_followed(model, tmp_path):
    shutil.move(model / "unet" / "config.json", model / "shared.json")
    (model / "unet" / "config.json").symlink_to("../shared.json")
    (tmp_path / "link").symlink_to(model)
    check_folder(tmp_path / "link")


def test_links_of_the_hub_cache_are_followed_to_its_blobs_alone(model, tmp_path):
    snapshot = tmp_path / "models--a--b" / "snapshots" / "c0ffee"
    snapshot.parent.mkdir(parents=True)
    blobs = tmp_path / "models--a--b" / "blobs"
    blobs.mkdir()
    shutil.move(model, snapshot)
    shutil.move(snapshot / "model_index.json", blobs / "0")
    (snapshot / "model_index.json").symlink_to("../../blobs/0")
    check_folder(snapshot)
    (snapshot / "tokenizer" / "merges.txt").unlink(missing_ok=True)
    (snapshot / "tokenizer" / "merges.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(InputError, match="leads out of"):
        check_folder(snapshot)


def test_other_files_of_a_folder_are_nobodys_business(model):
    os.mkfifo(model / "notes")
    (model / "README.md").symlink_to("/nowhere")
    check_files(model)


def test_words_that_are_no_text_are_one_error(model):
    write_card(model, words="words.txt")
    (model / "words.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match="cannot read"):
        known_words(read_card(model, "m"))
