"""What a stranger's folder may do while it is loaded: run nothing, ask nothing, fetch nothing."""

import io
import json
import shutil
import socket
import sys

import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import constants
from PIL import Image

from stickerforge.models.pretrained import closed_hub, load_network
from tests.conftest import one_line

CODE = "import pathlib\npathlib.Path({!r}).write_text('ran')\nclass Other: pass\n"
AUTO_MAPS = {  # file of a folder: what it says
    "config.json": {"AutoConfig": "other.Other", "AutoModel": "other.Other"},
    "preprocessor_config.json": {"AutoImageProcessor": "other.Other"},
    "tokenizer_config.json": {"AutoTokenizer": ["other.Other", "other.Other"]},
    "processor_config.json": {"AutoProcessor": "other.Other"},
}
KINDS = {  # so that transformers has no code of its own for it
    "config.json": "model_type",
    "preprocessor_config.json": "image_processor_type",
    "tokenizer_config.json": "tokenizer_class",
    "processor_config.json": "processor_class",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Every answer on stdin is yes, and a connection fails the test."""

    def refuse(*arguments):
        raise AssertionError(f"a connection to {arguments}")

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 50))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name in ("a cat", "a dog"):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    (tmp_path / "prompts.csv").write_text("prompt,id\na cat,a cat\na dog,a dog\n")
    return folder


def with_code(folder, to, file, owner=""):
    """A copy of a folder of which a file names Python beside it; where that would leave its mark.

    Args:
        owner: "owner/name--" for code in another repository.
    """
    shutil.copytree(folder, to)
    mark = to.parent / "mark"
    for path in ("other.py", "custom_generate/generate.py"):
        (to / path).parent.mkdir(exist_ok=True)
        (to / path).write_text(CODE.format(str(mark)))
    for path in [to / file] if file else map(to.joinpath, AUTO_MAPS):
        data = json.loads(path.read_text()) if path.exists() else {}
        names = json.dumps(AUTO_MAPS[path.name]).replace("other.", f"{owner}other.")
        data |= {"auto_map": json.loads(names), KINDS[path.name]: "Other"}
        path.write_text(json.dumps(data))
    return mark


@pytest.mark.parametrize(
    ("option", "file", "owner"),
    [
        *((("--reward", "aesthetic="), file, "") for file in AUTO_MAPS),
        *(
            (option, "", owner)
            for option in (
                ("--reward", "aesthetic="),
                ("--reward", "pickscore="),
                ("--encoder", ""),
            )
            for owner in ("", "somebody/else--")
        ),
    ],
)
def test_evaluate_runs_no_code_of_a_folder(cli, clip, pictures, tmp_path, option, file, owner):
    mark = with_code(clip, tmp_path / "folder", file, owner)
    name, kind = option
    ended = cli("evaluate", pictures, "--prompts", "prompts.csv", name, f"{kind}{tmp_path}/folder")
    assert ended.code in (0, 2), ended.err
    if ended.code == 2:
        assert "Do you wish" not in one_line(ended)
    assert not mark.exists()
    assert sys.stdin.read(2) == "y\n"


@pytest.mark.parametrize("owner", ["", "somebody/else--"])
def test_captioners_and_answers_run_no_code_of_a_folder(cli, vlm, pictures, tmp_path, owner):
    mark = with_code(vlm, tmp_path / "folder", "", owner)
    for call in (
        ("caption", pictures, "--captioner", tmp_path / "folder"),
        (
            "evaluate",
            pictures,
            "--prompts",
            "prompts.csv",
            "--reward",
            f"vqascore={tmp_path}/folder",
        ),
    ):
        ended = cli(*call)
        assert ended.code in (0, 2), ended.err
        assert not mark.exists()
        assert sys.stdin.read(2) == "y\n"


def test_models_run_no_code_of_a_folder(cli, tiny_sd, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_sd, folder)
    mark = tmp_path / "mark"
    parts = ("", "text_encoder", "tokenizer", "unet", "vae", "scheduler")
    for part in parts:
        (folder / part / "other.py").write_text(CODE.format(str(mark)))
        for path in (folder / part).glob("*.json"):
            if path.name in {"vocab.json", "tokenizer.json", "model_index.json"}:
                continue
            data = json.loads(path.read_text())
            maps = {"AutoModel": "other.Other", "AutoTokenizer": ["other.Other", "other.Other"]}
            path.write_text(json.dumps(data | {"auto_map": maps}))
    ended = cli("generate", "a cat", "--model", folder, "--set", "matting=none", "--steps", 1)
    assert ended.code == 0, ended.err
    assert not mark.exists()


def test_an_adapter_beside_a_network_is_refused(clip, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(clip, folder)
    adapter = {"base_model_name_or_path": "somebody/else", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    torch.save({}, folder / "adapter_model.bin")
    with pytest.raises(ValueError, match="holds an adapter"):
        load_network(transformers.AutoModel, folder)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.pt", "flax_model.msgpack"])
def test_pickled_weights_are_not_read(clip, tmp_path, file):
    folder = tmp_path / "folder"
    shutil.copytree(clip, folder)
    (folder / "model.safetensors").unlink()
    torch.save(transformers.CLIPModel.from_pretrained(clip).state_dict(), folder / file)
    with pytest.raises(OSError, match=r"model\.safetensors"):
        load_network(transformers.AutoModel, folder)


@pytest.mark.parametrize("part", ["", "text_config", "vision_config"])
@pytest.mark.parametrize(
    "names",
    [
        {"attn_implementation": "somebody/attention"},
        {"_attn_implementation": "somebody/attention:layers"},
        {"experts_implementation": {"": "somebody/experts"}},
        {"layers": [{"attn_implementation": "somebody/attention"}]},
    ],
)
def test_code_that_a_folder_names_elsewhere_is_refused(clip, tmp_path, names, part):
    folder = tmp_path / "folder"
    shutil.copytree(clip, folder)
    data = json.loads((folder / "config.json").read_text())
    (data[part] if part else data).update(names)
    (folder / "config.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="names code elsewhere, somebody/"):
        load_network(transformers.AutoModel, folder)


def test_implementations_of_the_library_are_taken(clip, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(clip, folder)
    data = json.loads((folder / "config.json").read_text())
    data |= {"attn_implementation": "eager", "experts_implementation": None}
    (folder / "config.json").write_text(json.dumps(data))
    assert load_network(transformers.AutoModel, folder).config._attn_implementation == "eager"


def test_the_hub_is_closed_only_meanwhile():
    with pytest.raises(LookupError), closed_hub():
        assert constants.is_offline_mode()
        raise LookupError
    assert not constants.is_offline_mode()
