"""generate --from of a stranger's picture: no download, no more work, nothing odd."""

import json
import os
import sys

import huggingface_hub
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from stickerforge.models.registry import read_folder
from stickerforge.stickers.image_files import encode_image
from tests.conftest import one_line

PARAMS = {"prompt": "a cat", "seed": 3, "sampling": {"steps": 1}, "output": {"size": 64}}
AS_MINI = {"model": "sticker-mini"}


def save(path, params, kind="png"):
    path.write_bytes(encode_image(np.zeros((8, 8, 4), np.uint8), params, "test", kind))
    return path


@pytest.fixture(autouse=True)
def fetched(monkeypatch, tmp_path):
    """The models that a call asks the hub for."""
    names = []

    def snapshot(name, *, local_files_only=False, **options):
        if not local_files_only:
            names.append(name)
        raise huggingface_hub.errors.LocalEntryNotFoundError("it is not here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    for variable in ("REMBG_HOME", "U2NET_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "matting"))
    return names


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_model_is_fetched_only_where_the_call_names_it(cli, tmp_path, fetched, kind):
    picture = save(tmp_path / "a", PARAMS | {"model": "somebody/else"}, kind)
    ended = cli("generate", "--from", picture)
    assert ended.code == 3 and not fetched
    assert one_line(ended).endswith(
        "made with somebody/else, which is not here; add --model somebody/else to fetch it"
    )
    assert cli("generate", "--from", picture, "--dry-run").code == 3 and not fetched
    cli("generate", "--from", picture, "--model", "somebody/else")
    assert fetched and set(fetched) == {"somebody/else"}


@pytest.mark.parametrize("matting", ["isnet-general-use", "isnet-anime"])
def test_matting_weights_are_fetched_only_where_the_call_names_them(
    cli, tmp_path, tiny_sd, monkeypatch, matting
):
    monkeypatch.setattr("pooch.retrieve", lambda *given, **options: pytest.fail("a download"))
    picture = save(tmp_path / "a.png", PARAMS | {"model": "tiny", "matting": matting})
    call = ("generate", "--from", picture, "--model", tiny_sd)
    ended = cli(*call)
    assert ended.code == 3
    assert f"add --set matting={matting} to fetch them (" in one_line(ended)
    assert cli(*call, "--set", "matting=none").code == 0


def test_the_model_of_a_picture_brings_no_matting_weights(cli, tmp_path, tiny_sd, monkeypatch):
    card = read_folder(tiny_sd, "somebody/else")
    monkeypatch.setattr("stickerforge.generation.unasked.find_model", lambda *name, **options: card)
    picture = save(tmp_path / "a.png", PARAMS | {"model": "somebody/else", "matting": "auto"})
    assert "add --set matting=isnet-general-use to" in one_line(cli("generate", "--from", picture))


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("sampling", "steps", 1000),
        ("sampling", "batch", 64),
        ("sampling", "pixels", 2048),
        ("output", "size", 4096),
    ],
)
def test_much_work_must_be_asked_for(cli, tmp_path, group, name, value):
    params = PARAMS | AS_MINI | {group: {name: value}}
    picture = save(tmp_path / "a.png", params)
    message = one_line(cli("generate", "--from", picture))
    assert f"the picture asks for {group}.{name} = {value}, over" in message
    hint = message.partition("add ")[2].partition(" where")[0].split()
    assert cli("generate", "--from", picture, *hint, "--dry-run").code == 0
    assert cli("generate", "--from", picture, "--set", f"{group}.{name}=64", "--dry-run").code == 0


@pytest.mark.parametrize(
    "odd",
    [
        {"prompt": ["a cat"] * 1000},
        {"prompt": {"a": "cat"}},
        {"prompt": None},
        {"prompt": 3},
        {"prompt": "a cat " * 1000},
        {"negative": ["dog"] * 3},
        {"style": {"x": 1}},
        {"model": ["sticker-mini"]},
        {"model": "m" * 5000},
        {"matting": 7},
        {"adapter": ["x"] * 1000},
        {"adapter": [["x"]]},
        {"adapter": {"x": 1}},
        {"subject": [None]},
        {"subject": "x" * 4000},
        {"seed": [1, 2]},
        {"seed": "x" * 4000},
        {"seed": 10**400},
        {"seed": True},
        {"sampling": {f"x{number}": 1 for number in range(1000)}},
        {"sampling": {"steps": {"steps": {"steps": 1}}}},
        {"sampling": {"steps": "x" * 4000}},
        {"sampling": {"x" * 4000: 1}},
        {"sampling": {"steps": 10**400}},
        {"output": {"size": [512]}},
        {"output": {"format": {"png": 1}}},
    ],
    ids=lambda odd: json.dumps(odd)[:30],
)
def test_what_no_picture_of_ours_says_is_one_short_line(cli, tmp_path, odd):
    picture = save(tmp_path / "a.png", PARAMS | AS_MINI | odd)
    ended = cli("generate", "--from", picture)
    assert ended.code == 2
    one_line(ended)


@pytest.mark.parametrize("params", [{"seed": 1, "prompt": "x", "a": 1}, 3, [], "x"])
def test_nested_beyond_reason(cli, tmp_path, params):
    chunks = PngImagePlugin.PngInfo()
    deep = '{"a":' * 20_000 + json.dumps(params) + "}" * 20_000
    chunks.add_itxt("stickerforge", deep)
    Image.new("RGBA", (8, 8)).save(tmp_path / "a.png", pnginfo=chunks)
    assert "does not say how it was made" in one_line(cli("generate", "--from", "a.png"))


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs")
def test_what_is_no_file_is_said(cli, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for place in ("pipe.png", tmp_path, "/dev/zero"):
        assert f"cannot read {place}: it is a" in one_line(cli("generate", "--from", place))


A1111 = "a red apple\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 42, Model: v1-5"


def save_foreign(path, name, text):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(name, text)
    Image.new("RGB", (64, 64), "red").save(path, pnginfo=chunks)
    return path


def test_a_picture_of_another_program_gives_its_prompts_and_seed(cli, tmp_path):
    picture = save_foreign(tmp_path / "a.png", "parameters", A1111)
    ended = cli("generate", "--from", picture, "--steps", 1, "--size", 64, "--json")
    assert ended.code == 0
    (output,) = ended.outputs
    assert (output["prompt"], output["seed"]) == ("a red apple", 42)
    (warning,) = [line for line in ended.json["warnings"] if "was made by" in line]
    assert warning.endswith(
        "taken are prompt, negative, seed; not taken: Steps 20, Sampler Euler a, Model v1-5"
    )
    assert 'negative = "blurry"' in (tmp_path / "stickers/generate.toml").read_text()


@pytest.mark.parametrize(
    ("name", "text", "program"),
    [
        ("prompt", '{"1": {"class_type": "KSampler"}}', "ComfyUI"),
        ("workflow", '{"nodes": []}', "ComfyUI"),
        ("invokeai_metadata", '{"seed": 3}', "InvokeAI"),
        ("parameters", "Steps: 20, Seed: 3", "AUTOMATIC1111 or its kin"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_said(cli, tmp_path, name, text, program):
    picture = save_foreign(tmp_path / "a.png", name, text)
    message = one_line(cli("generate", "--from", picture))
    assert f"was made by {program}, and no prompt can be read from it; give the prompt" in message


def test_evaluate_reads_the_prompts_of_other_programs(cli, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    save_foreign(folder / "a.png", "parameters", A1111)
    save_foreign(folder / "b.png", "invokeai_metadata", '{"positive_prompt": "a blue dog"}')
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "a cat".encode("utf-16-be")
    Image.new("RGB", (64, 64), "blue").save(folder / "c.jpg", exif=exif)
    save_foreign(folder / "d.png", "workflow", '{"nodes": []}')
    ended = cli("evaluate", folder, "--json")
    assert ended.code == 0, ended.out
    (report,) = tmp_path.glob("evaluation/*.json")
    rows = json.loads(report.read_text())["pictures"]
    assert [row["prompt"] for row in rows] == ["a red apple", "a blue dog", "a cat", ""]
    assert any("1 of 4 pictures have no known prompt" in line for line in ended.json["warnings"])
