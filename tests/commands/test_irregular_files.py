"""Pipes, devices, folders and huge files where a file is read: one line, and no call that hangs."""

import os
import shutil
import signal
import socket
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import one_line


@pytest.fixture(autouse=True)
def alarm():
    """A call that waits for a pipe fails after a while."""

    def give_up(number, frame):
        raise AssertionError("the call hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def make_pipe(path):
    os.mkfifo(path)


def link_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def link_device(path):
    path.symlink_to("/dev/zero")


def make_socket(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.relpath(path))
    server.close()


def make_large(path):
    with path.open("wb") as file:
        file.truncate(20_000_000_000)  # sparse: it takes no room


KINDS = [make_pipe, link_pipe, link_device, make_socket, make_large, Path.mkdir]


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "pics").mkdir()
    for name, color in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (64, 64), color).save(tmp_path / "pics" / f"{name}.png")


CALLS = {
    "x.toml": "generate cat --config x.toml",
    "x.txt": "generate --prompts x.txt",
    "x.csv": "evaluate pics --prompts x.csv",
    "x.safetensors": "generate cat --adapter x.safetensors",
    "x.png": "generate --from x.png",
    "out/generate.toml": "generate cat --out out",
    "x.json": "evaluate --compare x.json x.json",
    "out/report.json": "evaluate pics --out out",
    "out/evaluate.toml": "evaluate pics --out out",
    "pics/captions.jsonl": "caption pics --subject dog",
    "pics/a.txt": "customize pics/a.png --subject dog",
    "x.jsonl": "caption pics --take x.jsonl",
    "home/adapters/dog/adapter.json": "adapters show dog",
    "home/runs/dog/checkpoint.json": "customize pics --subject dog",
}


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("file", CALLS)
def test_what_is_no_file_of_reasonable_size_is_named(cli, pictures, tmp_path, file, make):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.endswith(".png") and make is make_large:
        pytest.skip("pictures have limits of their own")
    make(path)
    ended = cli(*CALLS[file].split())
    assert ended.code == 2, ended.err
    assert path.name in one_line(ended).replace("a.txt is no caption", "a.txt") or file in ended.err


@pytest.mark.parametrize("make", KINDS[:4], ids=lambda make: make.__name__)
@pytest.mark.parametrize("part", ["model_index.json", "stickerforge.json", "unet/config.json"])
def test_a_models_files_are_files(cli, tiny_sd, tmp_path, part, make):
    model = shutil.copytree(tiny_sd, tmp_path / "model")
    (model / part).unlink(missing_ok=True)
    make(model / part)
    for call in (("models", "show", model), ("generate", "cat", "--model", model)):
        ended = cli(*call)
        assert ended.code == 2 and "not a file" in one_line(ended)


@pytest.mark.parametrize("make", KINDS[:3], ids=lambda make: make.__name__)
def test_one_broken_adapter_is_listed_and_can_be_removed(cli, tmp_path, make):
    folder = tmp_path / "home" / "adapters" / "dog"
    folder.mkdir(parents=True)
    make(folder / "adapter.json")
    ended = cli("adapters", "list")
    assert ended.code == 4 and ended.out.startswith("dog")
    assert cli("adapters", "remove", "dog").code == 0 and not folder.exists()


def test_pictures_that_are_no_files_are_passed_over(cli, pictures, tmp_path):
    make_pipe(tmp_path / "pics" / "c.png")
    link_device(tmp_path / "pics" / "d.png")
    ended = cli("caption", "pics", "--subject", "dog")
    assert ended.code == 0 and "c.png, d.png" in ended.err
    ended = cli("caption", "pics/c.png", "--subject", "dog")
    assert ended.code == 2 and "c.png" in one_line(ended)


def test_a_settings_file_is_never_replaced_through_a_link(cli, tmp_path):
    (tmp_path / "stickers").mkdir()
    (tmp_path / "stickers" / "generate.toml").symlink_to("/nowhere/at/all")
    ended = cli("generate", "cat")
    assert ended.code == 2 and "stickerforge did not write it" in one_line(ended)


def test_lpips_weights_are_a_file(cli, pictures, tmp_path):
    make_pipe(tmp_path / "l.safetensors")
    ended = cli("evaluate", "pics", "--baseline", "pics", "--reward", "lpips=l.safetensors")
    assert ended.code == 2 and "it is a named pipe, not a file" in one_line(ended)
