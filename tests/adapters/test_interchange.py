"""What `customize` and `merge` write, in plain diffusers, by the words of its own README."""

import json
import os
import re
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from stickerforge.adapters import store
from stickerforge.generation.active_adapters import AdapterLookup, activate, attach_adapters
from stickerforge.generation.sampler import GuidanceParams, SamplingParams, sample
from stickerforge.models.registry import EMBEDDED, find_model, load_model
from stickerforge.runtime.seeds import generator
from tests.commands.conftest import sticker

QUICK = ("--steps", 3, "--batch", 2, "--rank", 2, "--lr", 0.004, "--set", "preview.count=0")
UNWATCHED = ("--set", "validation.every=0", "--quiet")
# The code of the README, then one picture of known noise.
PROGRAM = """
import torch
from safetensors.torch import load_file, save_file
{code}
pipe.set_progress_bar_config(disable=True)
latents = load_file({noise!r})["latents"]
picture = pipe(
    {prompt!r}, latents=latents, num_inference_steps=3, guidance_scale=4.0, output_type="pt",
    height={side}, width={side},
).images
save_file({{"picture": picture}}, {out!r})
"""


# Runs programs, each in a process of its own that has the libraries loaded, and nothing of ours.
RUNNER = """
import json, os, sys, traceback
import peft
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
for line in sys.stdin:
    folder, program, errors = json.loads(line)
    if not (child := os.fork()):
        code = 1
        try:
            os.chdir(folder)
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
            exec(program, {"__name__": "__main__"})
            code = int("stickerforge" in sys.modules)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture(scope="module")
def run_elsewhere(tmp_path_factory):
    """A function that runs a program in a folder; returns (its status, what it says)."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    place = tmp_path_factory.mktemp("elsewhere")
    errors = place / "errors.txt"

    def run(folder, program):
        errors.unlink(missing_ok=True)
        runner.stdin.write(json.dumps([str(folder), program, str(errors)]) + "\n")
        runner.stdin.flush()
        return int(runner.stdout.readline()), errors.read_text()

    command = [sys.executable, "-c", RUNNER]
    with subprocess.Popen(command, cwd=place, env=environment, **pipes) as runner:
        yield run
        runner.stdin.close()


def draw_elsewhere(run, name, model, prompt, noise, tmp_path, side):
    """A picture in [0, 1], (C, H, W), by plain diffusers in a process that knows nothing of us."""
    folder = store.folder(name)
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    paths = {"noise": str(tmp_path / "noise.safetensors"), "out": str(tmp_path / "p.safetensors")}
    save_file({"latents": noise}, paths["noise"])
    assert "stickerforge" not in code
    code = code.replace('"FOLDER"', repr(str(model)))
    program = PROGRAM.format(code=code, prompt=prompt, side=side, **paths)
    status, errors = run(folder, program)
    assert status == 0, errors
    for complaint in ("unexpected keys", "missing keys", "No LoRA keys associated to UNet"):
        assert complaint not in errors, errors
    return load_file(paths["out"])["picture"][0]


def draw_here(sources, model, prompt, *, base=False):
    """(the same picture by our own sampler, its noise)."""
    uses = [AdapterLookup().find(str(source)) for source in sources]
    activate(attach_adapters(model, uses), [] if base else uses)
    size = SamplingParams(steps=3, pixels=model.pixels)
    pixels = next(iter(sample(model, [prompt], [5], size, GuidanceParams(scale=4.0))))
    shape = model.latent_shape(model.pixels)
    return pixels, torch.randn(shape, generator=generator(5, "latents"))[None]


def load(folder):
    return load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)


def folder_of(request, name):
    return EMBEDDED[name] if name in EMBEDDED else request.getfixturevalue(name)


@pytest.mark.parametrize("name", ["tiny_sd", "tiny_sdxl", "sticker-mini"])
def test_what_is_taught_draws_the_same_in_plain_diffusers(
    cli, art, request, run_elsewhere, tmp_path, name
):
    folder = folder_of(request, name)
    text = () if name == "sticker-mini" else ("--set", "training.text_rank=2")
    model_name = name if name in EMBEDDED else folder
    asked = ("customize", art, "--subject", "blob", "--model", model_name, *QUICK, *UNWATCHED)
    ended = cli(*asked, *text, "--json")
    assert ended.code == 0, ended.out
    model = load(folder)
    ours, noise = draw_here(["blob"], model, "a <blob>")
    base, _ = draw_here(["blob"], load(folder), "a <blob>", base=True)
    theirs = draw_elsewhere(
        run_elsewhere, "blob", folder, "a <blob>", noise, tmp_path, model.pixels
    )
    assert (ours - base).abs().max() > 4 / 255, "it was taught something"
    if name == "sticker-mini":  # diffusers clips what is not yet rounded
        theirs = theirs.clamp(0, 1)
    assert (ours - theirs).abs().max() < 1 / 255


def test_a_merge_of_different_ranks_draws_the_same_in_plain_diffusers(
    cli, art, run_elsewhere, tmp_path, tiny_sd
):
    asked = ("customize", art, "--model", tiny_sd, *QUICK, *UNWATCHED)
    assert cli(*asked, "--subject", "blob", "--set", "training.text_rank=2").code == 0
    more = ("--rank", 3, "--set", "training.layers=all")
    assert cli(*asked, "--subject", "rex", *more).code == 0
    assert cli("merge", "blob:0.7", "rex", "--name", "both").code == 0
    prompt, model = "a <blob> and a <rex>", load(tiny_sd)
    ours, noise = draw_here(["both"], model, prompt)
    theirs = draw_elsewhere(run_elsewhere, "both", tiny_sd, prompt, noise, tmp_path, model.pixels)
    assert (ours - theirs).abs().max() < 1 / 255


def test_the_files_say_what_they_are(cli, art, tiny_sdxl):
    asked = ("customize", art, "--model", tiny_sdxl, *QUICK, *UNWATCHED)
    ended = cli(*asked, "--subject", "blob", "--json")
    lora, tokens = ended.json["result"]["files"]
    from safetensors import safe_open

    for path, kind in ((lora, "lora"), (tokens, "textual-inversion")):
        with safe_open(path, "pt") as file:
            said = file.metadata()
        assert said["modelspec.sai_model_spec"] == "1.0.1"
        assert said["modelspec.title"] == "blob" and said["modelspec.trigger_phrase"] == "<blob>"
        assert said["modelspec.architecture"].endswith(f"/{kind}")
        assert str(tiny_sdxl.parent) not in json.dumps(said)
    with safe_open(lora, "pt") as file:
        config = json.loads(file.metadata()["lora_adapter_metadata"])
        assert config["unet.r"] == config["unet.lora_alpha"] == 2
        assert all("lora" in key for key in file.keys())  # noqa: SIM118


@pytest.fixture
def art(tmp_path):
    folder = tmp_path / "art"
    folder.mkdir()
    for number, colour in enumerate(("#c03a2b", "#a02a3b", "#d0503b")):
        sticker(colour).save(folder / f"{number}.png")
    return folder
