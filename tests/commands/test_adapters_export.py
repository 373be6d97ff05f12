"""`adapters export`: what others load, and nothing where they would load something else."""

import ast
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from stickerforge.adapters import export_check, image_export, image_prompt_format, store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.image_projection import build_projection
from stickerforge.adapters.image_prompt import image_prompt_weights, initial_pairs
from stickerforge.adapters.image_prompt_weights import ImagePromptShape
from stickerforge.adapters.kinds import IMAGE
from stickerforge.commands import adapters_export
from stickerforge.models.checksums import fingerprint
from stickerforge.models.image_encoder import JudgeImageEncoder
from stickerforge.models.registry import EMBEDDED, find_model, load_model
from tests.adapters import test_store
from tests.conftest import one_line
from tests.tiny import write_tiny_image_adapter

FILE = "ip-adapter.safetensors"


@pytest.fixture
def given(cli, tiny_sd, tmp_path):
    """The command line, with the file of an image adapter for a tiny model."""
    write_tiny_image_adapter(tmp_path / "ip.safetensors", tiny_sd, "base")
    return cli


def install(path, model, name="look"):
    """An image adapter of the store, from a file."""
    card = find_model(str(model))
    base = store.Base(str(card.folder.resolve()), card.version, fingerprint(card.folder))
    weights = IMAGE.read(read_file(path))
    about = {"kind": "image", "base": base, "tokens": {}, "phrase": "", "made": {"steps": 1}}
    return store.save(name, weights, **about)


def left(tmp_path):
    """What lies in the folder of a test, besides what tests put there."""
    return sorted(path.name for path in tmp_path.iterdir() if path.name not in {"home", "models"})


@pytest.mark.parametrize("variant", ["base", "plus"])
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_a_file_of_others(family, variant, cli, tiny_sd, tiny_sdxl, tmp_path):
    model = {"sd": tiny_sd, "sdxl": tiny_sdxl}[family]
    write_tiny_image_adapter(tmp_path / "ip.safetensors", model, variant)
    ended = cli("adapters", "export", "ip.safetensors", "new/out", "--model", model, "--json")
    assert ended.code == 0, ended.out + ended.err
    result = ended.json["result"]
    assert ended.json["command"] == "adapters export" and result["variant"] == variant
    assert result["difference"] <= 1e-5 and result["model"] == model.name
    assert result["path"] == f"new/out/{FILE}" and sorted(os.listdir("new/out")) == sorted(
        Path(file).name for file in result["files"]
    )
    before, after = load_file("ip.safetensors"), load_file(result["path"])
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    readme = Path("new/out/README.md").read_text()
    assert f'weight_name="{FILE}"' in readme and str(tmp_path) not in readme
    assert "# ip\n" in readme and f"`{model.name}`" in readme
    assert left(tmp_path) == ["ip.safetensors", "new"]
    assert (tmp_path / "new" / "out").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_one_of_the_store_needs_no_model_and_keeps_its_metadata(given, tiny_sd, tmp_path):
    adapter = install(tmp_path / "ip.safetensors", tiny_sd)
    ended = given("adapters", "export", "look", "out", "--quiet", "--offline")
    assert ended.code == 0 and (ended.out, ended.err) == (f"out/{FILE}\n", "")
    assert (tmp_path / "out" / FILE).read_bytes() == adapter.path.read_bytes()
    with safe_open(tmp_path / "out" / FILE, "pt") as file:
        assert file.metadata()["modelspec.title"] == "look"
    again = given("adapters", "export", "out", "third", "--model", tiny_sd, "--dry-run", "--json")
    assert again.json["result"]["reads"] == [f"out/{FILE}", str(tiny_sd)]
    shown = given("adapters", "export", "look", "fourth", "--dry-run", "--json").json["result"]
    assert shown["writes"] == [f"fourth/{FILE}", "fourth/README.md"]
    assert shown["reads"] == [str(adapter.path), str(tiny_sd)] and not Path("fourth").exists()


def test_weights_of_16_bits(given, tiny_sd, tmp_path):
    """Of the adapter, and of a model that has no others, under the name of a variant."""
    model = Path(shutil.copytree(tiny_sd, tmp_path / "models" / "half"))
    (whole,) = (model / "unet").glob("*.safetensors")
    halves = {key: value.half() for key, value in load_file(whole).items()}
    save_file(halves, whole.with_suffix(".fp16.safetensors"), {"format": "pt"})
    whole.unlink()
    save_file({k: v.half() for k, v in load_file("ip.safetensors").items()}, "ip.safetensors")
    ended = given("adapters", "export", "ip.safetensors", "out", "--model", model, "--json")
    assert ended.code == 0, ended.out
    assert ended.json["result"]["difference"] <= 1e-5
    assert {value.dtype for value in load_file(Path("out") / FILE).values()} == {torch.float16}


def test_what_the_readme_says_loads_it(given, tiny_sd, tmp_path):
    ended = given("adapters", "export", "ip.safetensors", "out", "--model", tiny_sd)
    assert ended.code == 0 and "(largest difference 0)" in ended.err
    (line,) = [x for x in Path("out/README.md").read_text().splitlines() if "load_ip" in x]
    os.chdir("out")
    pipe = StableDiffusionPipeline.from_pretrained(tiny_sd)
    exec(line, {"pipe": pipe})
    assert pipe.unet.config.encoder_hid_dim_type == "ip_image_proj"


@torch.no_grad()
def test_one_for_sticker_mini(cli, tmp_path, monkeypatch):
    """Whose denoiser embeds its text, too; its README.md says how pictures are encoded."""
    judge = JudgeImageEncoder()
    model = load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)
    pairs = initial_pairs(model.denoiser)
    layers = {number: len(to_k) for number, (to_k, _) in pairs.items()}
    shape = ImagePromptShape("base", 4, pairs[1][0].shape[1], judge.width("base"), 0, 0, layers)
    projection = build_projection(shape).to_empty(device="cpu")
    random = torch.Generator().manual_seed(0)
    for parameter in projection.parameters():
        parameter.normal_(0, 0.3, generator=random)
    weights = image_prompt_weights(shape, projection, pairs, "second")
    base = store.Base("sticker-mini", model.card.version, fingerprint(EMBEDDED["sticker-mini"]))
    store.save("look", weights, kind="image", base=base, tokens={}, phrase="", made={})
    ended = cli("adapters", "export", "look", "out", "--json")
    assert ended.code == 0, ended.out
    assert ended.json["result"]["difference"] <= 1e-5
    assert IMAGE.read(read_file(tmp_path / "out" / FILE)).encoder == "second"
    readme = Path("out/README.md").read_text()
    assert "judge that ships with stickerforge" in readme
    Image.new("RGBA", (40, 30), (200, 30, 30, 128)).save("out/FILE.png")
    code = readme.partition("```python\n")[2].partition("```")[0]
    names = {"MODEL": str(EMBEDDED["sticker-mini"]), "FILE": "FILE.png"}
    for name, text in names.items():
        code = code.replace(f'"{name}"', repr(text))
    monkeypatch.chdir("out")
    said = {}
    exec(code, said)
    options = {"num_inference_steps": 1, "output_type": "latent"}
    latents = said["pipe"]("a dog", ip_adapter_image_embeds=[said["features"]], **options).images
    assert latents.isfinite().all()


def test_a_readme_names_the_image_encoder(tiny_sd, tmp_path):
    path = write_tiny_image_adapter(tmp_path / "ip.safetensors", tiny_sd, "base")
    weights = IMAGE.read(read_file(path))
    adapter = store.Adapter("look", "image", store.Base("x", "", ""), {FILE: ""}, "")
    assert "does not say its image encoder" in IMAGE.readme(weights, adapter)
    named = IMAGE.readme(replace(weights, encoder="some/body"), adapter)
    assert "by the image encoder `some/body`." in named
    mine = replace(adapter, made={"image_encoder": "/home/me/vision"})
    readme = IMAGE.readme(weights, mine)
    assert "folder, `vision`" in readme and "/home" not in readme


def spoil(tensors):
    tensors["ip_adapter.3.to_v_ip.weight"][0] += 0.01
    return tensors


def test_a_file_that_was_encoded_wrongly_is_not_kept(given, tiny_sd, tmp_path, monkeypatch):
    encode = image_prompt_format.encode_files

    def wrong(weights, metadata):
        copies = {key: value.clone() for key, value in weights.tensors.items()}
        return encode(replace(weights, tensors=spoil(copies)), metadata)

    monkeypatch.setattr(image_prompt_format, "encode_files", wrong)
    ended = given("adapters", "export", "ip.safetensors", "new/out", "--model", tiny_sd)
    assert ended.code == 1 and "does not read back" in one_line(ended)
    assert left(tmp_path) == ["ip.safetensors"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil, "does not do in diffusers what it does here (predictions differ by"),
        (
            lambda tensors: {"x": tensors["image_proj.proj.bias"]},
            "diffusers cannot load the export",
        ),
    ],
    ids=["other numbers", "other keys"],
)
def test_what_diffusers_takes_for_something_else_is_not_kept(
    change, message, given, tiny_sd, tmp_path, monkeypatch
):
    """Also where we read it back as it was."""
    encode = adapters_export.encode_folder

    def wrong(adapter, card):
        files = encode(adapter, card)
        save_file(change(load_file("ip.safetensors")), "wrong.safetensors")
        content = Path("wrong.safetensors").read_bytes()
        Path("wrong.safetensors").unlink()
        return files | {FILE: content}

    monkeypatch.setattr(adapters_export, "encode_folder", wrong)
    Path("out").mkdir()
    ended = given("adapters", "export", "ip.safetensors", "out", "--model", tiny_sd, "--quiet")
    assert ended.code == 1 and message in one_line(ended)
    assert "report it" in ended.err and "was not kept" in ended.err
    assert left(tmp_path) == ["ip.safetensors", "out"] and os.listdir("out") == []


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "ended by signal 9"),
        ("raise MemoryError", "ran out of memory"),
    ],
)
def test_a_check_that_the_machine_ends_is_no_bug(
    program, message, given, tiny_sd, tmp_path, monkeypatch
):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "program.py").write_text(program)
    monkeypatch.setattr(export_check, "PROGRAM", tmp_path / "home" / "program.py")
    ended = given("adapters", "export", "ip.safetensors", "new/out", "--model", tiny_sd, "-q")
    assert ended.code == 3 and message in one_line(ended)
    assert left(tmp_path) == ["ip.safetensors"]


def test_nothing_is_left_of_one_that_is_interrupted(given, tiny_sd, tmp_path, monkeypatch):
    """And the other process is gone."""
    (tmp_path / "home").mkdir()
    program, told = (tmp_path / "home" / name for name in ("program.py", "pid"))
    program.write_text(
        "import os, pathlib, signal, time\n"
        f"pathlib.Path({str(told)!r}).write_text(str(os.getpid()))\n"
        "os.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    monkeypatch.setattr(export_check, "PROGRAM", program)
    with pytest.raises(KeyboardInterrupt):  # as the fixture reports the exit code 130
        given("adapters", "export", "ip.safetensors", "new/out", "--model", tiny_sd)
    assert left(tmp_path) == ["ip.safetensors"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_wrong_calls_are_one_line(given, tiny_sd, tiny_sdxl, tmp_path, monkeypatch):
    monkeypatch.setattr(adapters_export, "new_folder", None)  # nothing goes so far
    install(tmp_path / "ip.safetensors", tiny_sd)
    test_store.save("dog")
    save_file({"unet.x.lora_A.weight": torch.ones(2, 2)}, "lora.safetensors")
    save_file({"image_proj.proj.weight": torch.ones(2, 2)}, "half.safetensors")
    Path("broken.safetensors").write_bytes(b"PK" + bytes(20))
    Path("full").mkdir()
    Path("full/note").write_text("mine")
    Path("a-file").write_text("mine")
    model = ("--model", tiny_sd)
    calls = {
        ("look", "full"): "full is not empty: it holds note",
        ("look", "a-file"): "a-file is not a folder",
        ("look", "a-file/below"): "a-file is not a folder",
        ("look", ""): "no folder to export to",
        ("nobody", "out"): "no adapter 'nobody'",
        ("lok", "out"): "did you mean 'look'?",
        ("Look!", "out"): "cannot be a name",
        ("", "out"): "cannot be a name",
        ("dog", "out"): "of kind 'subject', and only image adapters are exported; copy /",
        ("ip.safetensors", "out"): "does not say which model it is for",
        ("gone.safetensors", "out", *model): "no adapter file gone.safetensors",
        ("lora.safetensors", "out", *model): "is no image adapter, and only those",
        ("half.safetensors", "out", *model): "is no whole IP-Adapter",
        ("broken.safetensors", "out", *model): "a zip or PyTorch file",
        ("ip.safetensors", "out", "--model", tiny_sdxl): "texts of width 64",
        ("look", "out", "--model", "sticker-mini"): "texts of width 64",
        ("look", "out", "--model", "nonsense"): "unknown model 'nonsense'",
    }
    for words, message in calls.items():
        for more in ((), ("--dry-run",)):
            ended = given("adapters", "export", *words, *more)
            assert ended.code == 2 and message in one_line(ended), (words, ended.err)
    ended = given("adapters", "export", "look", "out", "--model", "some/body", "--offline")
    assert ended.code == 3 and "some/body is not in the cache" in one_line(ended)
    assert not Path("out").exists()


def test_a_model_that_was_moved_is_asked_for(given, tiny_sd, tmp_path):
    adapter = install(tmp_path / "ip.safetensors", tiny_sd)
    path = store.folder("look") / "adapter.json"
    card = json.loads(path.read_text())
    card["base"]["name"] = "/nowhere/tiny-sd"
    path.write_text(json.dumps(card))
    ended = given("adapters", "export", "look", "out", "--dry-run")
    assert ended.code == 2 and "is no longer in /nowhere/tiny-sd; give --model" in one_line(ended)
    ended = given("adapters", "export", "look", "out", "--dry-run", "--model", tiny_sd, "--json")
    assert ended.json["result"]["reads"] == [str(adapter.path), str(tiny_sd)]


def test_one_for_other_layers_leaves_nothing(given, tiny_sd, tmp_path):
    tensors = load_file("ip.safetensors")
    for part in "kv":
        del tensors[f"ip_adapter.1.to_{part}_ip.weight"]
    save_file(tensors, "other.safetensors")
    ended = given("adapters", "export", "other.safetensors", "out", "--model", tiny_sd, "-q")
    assert ended.code == 2 and "made for another denoiser" in one_line(ended)
    assert left(tmp_path) == ["ip.safetensors", "other.safetensors"]


def test_one_that_predicts_no_numbers_is_said(given, tiny_sd, tmp_path):
    tensors = load_file("ip.safetensors")
    save_file({key: value * 1e30 for key, value in tensors.items()}, "huge.safetensors")
    ended = given("adapters", "export", "huge.safetensors", "out", "--model", tiny_sd, "-q")
    assert ended.code == 2 and "predicts what is not finite" in one_line(ended)
    assert left(tmp_path) == ["huge.safetensors", "ip.safetensors"]


def test_differences_of_nothing_comparable_do_not_pass():
    one = torch.zeros(2, 2)
    assert export_check.largest_difference(one, torch.zeros(2)) == float("inf")
    assert not export_check.largest_difference(one, one / 0) <= export_check.TOLERANCE


def test_the_program_of_the_check_knows_nothing_of_ours():
    """Nor does what it imports: a fresh process without this package's folder runs it."""
    tree = ast.parse(export_check.PROGRAM.read_text())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or node.names[0].name]
    }
    assert names <= {*sys.stdlib_module_names, "diffusers", "safetensors", "torch"}


def test_a_file_name_steers_no_terminal_and_no_page(tmp_path, tiny_sd):
    path = write_tiny_image_adapter(tmp_path / "a\n# b\x1b.safetensors", tiny_sd, "base")
    adapter = image_export.read_image_adapter(str(path), path)
    readme = image_export.encode_folder(adapter, find_model(str(tiny_sd)))["README.md"].decode()
    assert readme.startswith("# a�# b�\n")
