"""`tailor alpha` as people use it, on tiny models that draw no alpha."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

import stickerforge
from stickerforge.adapters import store
from stickerforge.errors import InputError
from stickerforge.models.alpha_decoder import folder_encoder_digest
from stickerforge.stickers.image_files import read_params
from stickerforge.training.run_folder import run_folder
from tests.commands.conftest import TAUGHT, sticker
from tests.conftest import one_line
from tests.tiny import write_tiny_sd

SHORT = ("--batch", 2, "--lr", 0.001, "--quiet")
UNMEASURED = ("--set", "validation.every=0")


@pytest.fixture
def stickers(tmp_path):
    """Four drawings with a clear ground."""
    folder = tmp_path / "stickers"
    folder.mkdir()
    for number, colour in enumerate(("#c03a2b", "#ffffff", "#2030d0", "#30a050")):
        page = sticker(colour, (80 + 10 * number, 90))
        ImageDraw.Draw(page).rectangle((40, 50, 50, 60), fill="#ffffff")
        page.save(folder / f"{number}.png")
    return folder


@pytest.fixture
def tailor(cli, stickers, quick_sd):
    """Make the decoder `clear` for a tiny model."""

    def tailor(*options, folder=stickers, model=quick_sd):
        name = () if "--name" in options else ("--name", "clear")
        return cli("tailor", "alpha", folder, *name, "--model", model, *SHORT, *options)

    return tailor


def draw(cli, *options):
    ended = cli("generate", "a cat", "--seed", 1, "--json", *options)
    assert ended.code == 0, ended.out
    return np.asarray(Image.open(ended.outputs[0]["path"]).convert("RGBA")), ended


def test_from_stickers_to_a_transparent_picture(tailor, cli, quick_sd, stickers):
    encoder = folder_encoder_digest(quick_sd / "vae")
    ended = tailor("--steps", 4, "--json", "--set", "validation.every=2")
    assert ended.code == 0, ended.out
    result = ended.json["result"]
    assert result["kind"] == "decoder" and result["encoder"] == encoder
    assert (result["count"], result["held_out"], result["failed"]) == (4, 1, [])
    assert {"alpha_error", "rgb_psnr", "rgb_change"} <= set(result["figures"])
    run = run_folder("clear")
    rows = [json.loads(row) for row in run.validation_log.read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    best = max(rows, key=lambda row: row["score"])
    assert result["kept_step"] == best["step"] == store.find("clear").made["kept_step"]
    assert result["figures"]["alpha_error"] == best["alpha_error"]
    assert len(list(run.validation_sheets.iterdir())) == 2
    place = store.folder("clear")
    preview = (place / "preview.png").read_bytes()
    assert preview == (run.validation_sheets / f"{best['step']:06}.png").read_bytes()
    assert run.loss_plot.exists() and (place / "tailor-alpha.toml").exists()

    autoencoder = AutoencoderKL.from_pretrained(result["autoencoder"])
    assert (autoencoder.config.in_channels, autoencoder.config.out_channels) == (3, 4)
    beside = Path(result["autoencoder"])
    assert beside.parent == place and folder_encoder_digest(beside) == encoder
    ours, theirs = (load_file(path) for path in (result["path"], *beside.glob("*.safe*")))
    assert ours.keys() < theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)

    for model in ((), ("--model", quick_sd)):
        pixels, drawn = draw(cli, "--adapter", "clear", *model)
        assert pixels[..., 3].min() < 250 and not drawn.json["warnings"]
    params = read_params(Path(drawn.outputs[0]["path"]))
    assert (params["matting"], params["cut_out_by"]) == ("auto", "none")
    assert "edges" in params["output"] and params["adapters"][0]["adapter"] == "clear"
    plain = cli(
        "generate", "a cat", "--seed", 1, "--json", "--model", quick_sd, "--set", "matting=none"
    )
    assert plain.outputs[0]["recipe"] != drawn.outputs[0]["recipe"]
    assert (np.asarray(Image.open(plain.outputs[0]["path"]).convert("RGBA"))[..., 3] == 255).all()
    listed = cli("adapters", "list")
    assert "decoder" in listed.out
    shown = cli("adapters", "show", "clear")
    assert encoder in shown.out and str(beside) in shown.out
    assert cli("adapters", "remove", "clear").code == 0 and not place.exists()


def test_untrained_colours_are_those_of_the_model_over_any_matting(tailor, cli, quick_sd):
    """The decoder of a step whose rate is next to nothing draws what the model draws."""
    assert (
        tailor("--steps", 1, *UNMEASURED, "--lr", 1e-8, "--set", "decoder.start=opaque").code == 0
    )
    with_alpha, _ = draw(cli, "--adapter", "clear")
    without, _ = draw(cli, "--model", quick_sd, "--set", "matting=none")
    assert np.abs(with_alpha.astype(int) - without).max() <= 1


def test_it_works_beside_an_adapter_of_customize_and_on_other_models(
    tailor, cli, quick_sd, stickers, tmp_path
):
    assert tailor("--steps", 1, *UNMEASURED).code == 0
    for name in ("ink", "crayon"):
        call = ("customize", stickers, "--style", name, *TAUGHT, "--model", quick_sd, "--quiet")
        assert cli(*call).code == 0
    alone, _ = draw(cli, "--adapter", "clear")
    for options in (
        ("--adapter", "ink", "--adapter", "clear"),
        ("--style", "ink", "--adapter", "clear"),
        ("--style", "ink", "--adapter", "clear", "--set", "sampling.consistency=2"),
    ):
        both, ended = draw(cli, *options)
        assert both[..., 3].min() < 250 and not np.array_equal(both, alone)
    repeated = cli(
        *("generate", "--from", ended.outputs[0]["path"], "--out", "again", "--json"),
        *("--model", quick_sd),
    )
    assert repeated.code == 0, repeated.out
    paths = [each.outputs[0]["path"] for each in (ended, repeated)]
    first, second = (np.asarray(Image.open(path)) for path in paths)
    assert np.array_equal(first, second)

    other = shutil.copytree(quick_sd, tmp_path / "other-denoiser")
    path = other / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({key: value + 0.01 for key, value in load_file(path).items()}, path)
    pixels, _ = draw(cli, "--adapter", "clear", "--model", other)
    assert pixels[..., 3].min() < 250 and not np.array_equal(pixels, alone)
    place = store.folder("clear")
    by_path, _ = draw(cli, "--adapter", place, "--model", other, "--out", "by-path")
    assert np.array_equal(by_path, pixels)


def test_what_cannot_be_done_with_a_decoder_is_said(tailor, cli, quick_sd, tmp_path):
    for name in ("clear", "clear-2"):
        assert tailor("--steps", 1, *UNMEASURED, "--name", name).code == 0
    other = write_tiny_sd(tmp_path / "other-vae", seed=1)
    rgba = write_tiny_sd(tmp_path / "rgba", channels=4)
    place = str(store.folder("clear"))
    for call, words in (
        ("--adapter clear:0.5", "no weight: 0.5"),
        ("--adapter clear --adapter clear-2", "are decoders"),
        (f"--adapter clear --model {other}", "another autoencoder than that of other-vae"),
        (f"--adapter {place} --model {other}", "another autoencoder"),
        (f"--adapter clear --model {rgba}", "draws alpha itself"),
        ("--adapter clear --model sticker-mini", "draws alpha itself"),
        (f"--adapter {place}", "draws alpha itself"),
        ("--adapter clear --set sampling.consistency=2", "none is in use"),
        ("--subject clear", "no subject"),
    ):
        ended = cli("generate", "a cat", *call.split())
        assert ended.code == 2 and words in one_line(ended), call
        assert cli("generate", "a cat", *call.split(), "--dry-run").code == 2, call
    merged = cli("merge", "clear", "clear-2", "--name", "both")
    assert merged.code == 2 and "cannot be merged" in one_line(merged)
    rest = cli("tailor", "prompt", tmp_path, "--adapter", "clear", "--name", "x")
    assert rest.code == 2 and "decoder" in one_line(rest)


def test_a_plain_style_of_a_decoder_is_none(tailor, cli):
    assert tailor("--steps", 1, *UNMEASURED).code == 0
    ended = cli("generate", "a cat", "--style", "clear")
    assert ended.code == 2 and "clear" in one_line(ended)


def test_matting_is_known_before_a_weight_is_read(tailor, cli, quick_sd):
    assert tailor("--steps", 1, *UNMEASURED).code == 0
    for options, matting in (
        (("--adapter", "clear"), "none"),
        (("--model", quick_sd), "isnet-general-use"),
        (("--adapter", "clear", "--set", "matting=isnet-general-use"), "isnet-general-use"),
    ):
        ended = cli("generate", "a cat", "--dry-run", "--json", *options)
        assert ended.code == 0, ended.out
        assert ended.json["result"]["matting"] == matting


@pytest.mark.parametrize("measured", [True, False])
def test_a_finished_run_is_taught_on_to_the_same_bytes(tailor, monkeypatch, tmp_path, measured):
    options = ("--set", "validation.every=2") if measured else UNMEASURED
    options = (*options, "--set", "training.lr_decay=0")  # else the rate of both would differ
    assert tailor("--steps", 4, *options).code == 0
    whole = store.find("clear")
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    assert tailor("--steps", 2, *options).code == 0
    assert "--resume --steps 4" in one_line(tailor("--steps", 4, *options))
    refused = tailor("--steps", 4, *options, "--resume", "--lr", 0.1)
    assert "other settings" in one_line(refused)
    assert tailor("--steps", 4, *options, "--resume").code == 0
    assert store.find("clear").sha256 == whole.sha256
    rows = [json.loads(row) for row in run_folder("clear").metrics.read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert tailor("--steps", 1, *options, "--force").code == 0
    assert store.find("clear").sha256 != whole.sha256


def test_a_new_run_has_no_figures_of_the_one_before(tailor):
    assert tailor("--steps", 2, "--set", "validation.every=1").code == 0
    run = run_folder("clear")
    assert run.validation_log.exists() and store.find("clear").made["figures"]
    ended = tailor("--steps", 2, *UNMEASURED, "--force", "--json")
    assert ended.json["result"]["figures"] == store.find("clear").made["figures"] == {}
    assert ended.json["result"]["preview"] is None and not run.validation_log.exists()


def test_other_pictures_are_not_gone_on_with(tailor, stickers):
    assert tailor("--steps", 1, *UNMEASURED).code == 0
    sticker("#102030").save(stickers / "new.png")
    for dry in ((), ("--dry-run",)):
        ended = tailor("--steps", 2, *UNMEASURED, "--resume", *dry)
        assert ended.code == 2 and "other pictures" in one_line(ended)
    assert tailor("--steps", 2, *UNMEASURED, "--force", "--dry-run").code == 0


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_a_run_that_is_killed_goes_on(number, cli, stickers, quick_sd, tmp_path, monkeypatch):
    line = ["tailor", "alpha", stickers, "--name", "clear", "--model", quick_sd, "--batch", 2]
    line += ["--lr", 0.001, "--steps", 6, "--set", "training.save_every=1"]
    line += ["--set", "validation.every=2"]
    assert cli(*line, "--quiet").code == 0
    whole = store.find("clear")
    home = tmp_path / "killed"
    environment = os.environ | {"STICKERFORGE_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "stickerforge", *map(str, line)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    pointer = home / "runs" / "clear" / "checkpoint.json"
    deadline = time.monotonic() + 240
    while not pointer.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode in (143, -signal.SIGKILL, 0)
    assert "Traceback" not in err
    monkeypatch.setenv("STICKERFORGE_HOME", str(home))
    ended = cli(*line, "--quiet", *(() if process.returncode == 0 else ("--resume",)))
    assert ended.code == 0 or process.returncode == 0
    assert store.find("clear").sha256 == whole.sha256


def test_pictures_that_cannot_be_used_cost_exit_4(tailor, stickers):
    Image.new("RGB", (60, 60), "red").save(stickers / "opaque.jpg")
    Image.new("RGBA", (60, 60)).save(stickers / "nothing.png")
    (stickers / "broken.webp").write_bytes(b"RIFF1234WEBPVP8 ")
    (stickers / "notes.md").write_text("no picture")
    ended = tailor("--steps", 1, *UNMEASURED, "--json")
    assert ended.code == 4, ended.out
    assert ended.json["result"]["count"] == 4 and len(ended.json["result"]["failed"]) == 3
    assert store.exists("clear")
    tried = tailor("--name", "again", "--dry-run", "--json", *UNMEASURED)
    assert tried.code == 0 and len(tried.json["result"]["drops"]) == 3


@pytest.mark.parametrize("kind", ["opaque", "clear", "mixed", "empty", "broken", "one"])
def test_a_folder_without_two_pictures_of_use_is_refused(kind, tailor, tmp_path):
    folder = tmp_path / kind
    folder.mkdir()
    pages = {
        "opaque": [Image.new("RGB", (60, 60), "red"), Image.new("RGBA", (60, 60), "#00f8")],
        "clear": [Image.new("RGBA", (60, 60))] * 2,
        "mixed": [Image.new("RGBA", (60, 60)), Image.new("L", (60, 60))],
        "one": [sticker("#123456")],
    }.get(kind, [])
    if kind == "opaque":
        pages[1].putalpha(255)
    for number, page in enumerate(pages):
        page.save(folder / f"{number}.png")
    if kind == "broken":
        (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ended = tailor("--steps", 1, folder=folder)
    words = {
        "opaque": "it has no alpha",
        "clear": "transparent",
        "mixed": "none of the pictures",
        "empty": "no picture in it",
        "broken": "a.png",
        "one": "validation.every=0",
    }
    assert ended.code == 2 and words[kind] in one_line(ended)
    assert ("cut them out" in ended.err) == (kind in ("opaque", "clear", "mixed"))
    assert not run_folder("clear").path.exists() and not store.exists("clear")
    if kind == "one":
        assert tailor("--steps", 1, *UNMEASURED, folder=folder).code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "canvas.color=red"), "canvas.color"),
        (("--set", "canvas.color=#ffffff"), "canvas.color"),
        (("--set", "canvas.scale_low=0.9", "--set", "canvas.scale_high=0.5"), "scale_low"),
        (("--set", "loss.alpha=0", "--set", "loss.composite=0"), "both 0"),
        (("--set", "grounds.photos=nowhere"), "no folder nowhere"),
        (("--set", "training.resolution=33"), "multiple of"),
        (("--set", "decoder.start=white"), "decoder.start"),
        (("--resume", "--force"), "give one of them"),
        (("--name", "A b"), "cannot be a name"),
        (("--name", "sticker"), "preset"),
        (("--device", "tpu"), "tpu"),
    ],
)
def test_settings_that_cannot_work_are_said(options, words, tailor):
    ended = tailor("--steps", 1, *options)
    assert ended.code == 2 and words in one_line(ended)


def test_models_that_cannot_be_extended_are_refused(tailor, cli, stickers, quick_sd, tmp_path):
    rgba = write_tiny_sd(tmp_path / "rgba", channels=4)
    tiny = shutil.copytree(quick_sd, tmp_path / "tiny")
    config = json.loads((tiny / "vae" / "config.json").read_text())
    (tiny / "vae" / "config.json").write_text(
        json.dumps(config | {"_class_name": "AutoencoderTiny"})
    )
    odd = shutil.copytree(quick_sd, tmp_path / "odd")
    (odd / "vae" / "config.json").write_text(json.dumps(config | {"in_channels": 1}))
    for model, words in (
        ("sticker-mini", "draws alpha already"),
        (rgba, "draws alpha already"),
        (tiny, "AutoencoderTiny"),
        (odd, "takes 1 channels"),
        (tmp_path / "nowhere", "nowhere"),
    ):
        ended = tailor("--steps", 1, model=model)
        assert ended.code == 2 and words in one_line(ended)
    ended = cli("tailor", "alpha", stickers, "--name", "clear")
    assert ended.code == 2 and "--model" in one_line(ended)
    broken = shutil.copytree(quick_sd, tmp_path / "broken")
    (broken / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"no")
    ended = tailor("--steps", 1, model=broken)
    assert ended.code == 2 and "cannot be read" in one_line(ended)
    assert not store.exists("clear")


@pytest.mark.parametrize("half", [False, True])
def test_sdxl_and_half_precision(half, tailor, cli, tiny_sdxl, tmp_path):
    folder = shutil.copytree(tiny_sdxl, tmp_path / "quick-sdxl")
    (folder / "stickerforge.json").write_text('{"sampling": {"steps": 2}}')
    if half:
        path = folder / "vae" / "diffusion_pytorch_model.safetensors"
        save_file({key: value.half() for key, value in load_file(path).items()}, path)
    assert tailor("--steps", 1, *UNMEASURED, model=folder).code == 0
    pixels, _ = draw(cli, "--adapter", "clear")
    assert pixels[..., 3].min() < 250


def test_grounds_may_be_photographs(tailor, photos):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    options = ("--steps", 6, "--set", f"grounds.photos={photos}")
    ended = tailor(*options, *UNMEASURED, "--json")
    assert ended.code == 4, ended.out
    assert any("broken.jpg" in line for line in ended.json["warnings"])
    assert ended.json["result"]["failed"][0].startswith("photos/broken.jpg: ")
    tried = tailor(*options, "--dry-run", "--json", "--name", "again").json["result"]
    assert tried["grounds"] == str(photos) and tried["photos"] == len(list(photos.iterdir())) - 1
    assert str(photos) in tailor(*options, "--dry-run", "--name", "again").out
    with_photos = store.find("clear").sha256
    assert tailor("--steps", 6, *UNMEASURED, "--force").code == 0
    assert store.find("clear").sha256 != with_photos


def test_what_does_nothing_is_said(tailor):
    ended = tailor(
        *("--steps", 1, "--json", *UNMEASURED, "--set", "validation.share=0.5"),
        *("--set", "preview.count=2", "--set", "training.memory=0.01"),
    )
    assert ended.code == 0
    said = " ".join(ended.json["warnings"])
    assert "validation.share" in said and "preview.count" in said and "training.memory" in said


def test_alpha_that_is_no_better_than_none_is_said(tailor):
    options = ("--steps", 1, "--json", "--set", "decoder.start=opaque", "--lr", 1e-8)
    ended = tailor(*options, "--set", "validation.every=1")
    assert ended.code == 0
    figures = ended.json["result"]["figures"]
    shares = (figures["constant_error"], 1 - figures["constant_error"])
    assert min(abs(figures["alpha_error"] - share) for share in shares) < 1e-5
    assert figures["rgb_psnr"] > 60 and abs(figures["rgb_change"]) < 1e-3
    assert any("--resume --steps 2 trains on" in line for line in ended.json["warnings"])
    assert tailor("--steps", 2, "--resume", *options[3:], "--set", "validation.every=1").code == 0


def test_the_readme_says_what_works(tailor, quick_sd, monkeypatch):
    assert tailor("--steps", 1, *UNMEASURED).code == 0
    place = store.folder("clear")
    code = (place / "README.md").read_text().split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(place)
    names = {}
    exec(code.replace('"MODEL"', repr(str(quick_sd))), names)
    assert names["rgba"].shape == (1, 4, 32, 32)


def test_a_dry_run_writes_nothing(tailor):
    ended = tailor("--steps", 10, "--dry-run", "--json")
    assert ended.code == 0, ended.out
    result = ended.json["result"]
    assert (result["count"], result["held_out"]) == (4, 1)
    assert result["about_seconds"] > 0 and result["about_memory_mb"] > 100
    assert not run_folder("clear").path.exists() and not store.exists("clear")
    assert tailor("--dry-run").out.startswith("decoder clear for quick-sd")


def test_the_saved_settings_make_the_same(tailor, cli, tmp_path, monkeypatch):
    assert tailor("--steps", 2, *UNMEASURED).code == 0
    whole = store.find("clear")
    saved = run_folder("clear", "tailor alpha").config
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    assert cli("tailor", "alpha", "--config", saved, "--quiet").code == 0
    assert store.find("clear").sha256 == whole.sha256


def test_a_decoder_takes_the_place_of_another_adapter_and_gives_it_back(
    tailor, cli, quick_sd, stickers
):
    assert tailor("--steps", 1, *UNMEASURED).code == 0
    call = ("customize", stickers, "--style", "clear", *TAUGHT, "--model", quick_sd, "--quiet")
    assert cli(*call).code == 2
    assert cli(*call, "--force").code == 0
    assert store.find("clear").kind == "style" and not list(store.folder("clear").glob("vae*"))
    assert tailor("--steps", 1, *UNMEASURED).code == 2
    assert tailor("--steps", 1, *UNMEASURED, "--force").code == 0
    assert (
        store.find("clear").kind == "decoder" and len(list(store.folder("clear").glob("vae*"))) == 1
    )


def test_the_python_api(stickers, quick_sd, monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    settings = {"name": "clear", "model": str(quick_sd), "training.steps": 1, "training.batch": 1}
    result = stickerforge.tailor_alpha(stickers, settings=settings | {"validation.every": 1})
    assert result.tuned.adapter.kind == "decoder" and result.pictures.count == 4
    assert "generate" in result.note() and "alpha error" in result.note()
    with pytest.raises(InputError, match="already"):
        stickerforge.tailor_alpha(stickers, settings=settings)
