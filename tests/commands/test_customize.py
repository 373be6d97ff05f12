"""Teaching, using, merging: whole commands on sticker-mini and on a tiny Stable Diffusion."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from stickerforge.adapters import store
from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.config.schema import GenerateConfig, SamplingConfig
from stickerforge.data.picture_folder import read_folder
from stickerforge.models.registry import find_model, load_model
from stickerforge.runtime import files
from stickerforge.stickers.image_files import read_params
from stickerforge.training import checkpoint
from stickerforge.training.dataset import recognize_style
from stickerforge.training.run_folder import run_folder
from tests.commands.conftest import sticker
from tests.conftest import one_line

SHORT = ("--steps", 3, "--batch", 2, "--rank", 2, "--set", "preview.count=0", "--quiet")
FAST = ("--steps", 2, "--size", "native", "--quiet")


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_subject_from_pictures_to_stickers(cli, art, monkeypatch):
    few = partial(GenerateConfig, sampling=SamplingConfig(steps=2))
    monkeypatch.setattr("stickerforge.training.preview.GenerateConfig", few)
    ended = cli(
        "customize",
        art,
        "--subject",
        "blob",
        "--class",
        "apple",
        "--json",
        "--steps",
        3,
        "--batch",
        2,
        "--rank",
        2,
        "--set",
        "preview.count=1",
    )
    assert ended.code == 0, ended.out
    result = ended.json["result"]
    assert (result["adapter"], result["placeholder"], result["base"], result["pictures"]) == (
        "blob",
        "<blob>",
        "sticker-mini@3.1",
        3,
    )
    assert [Path(path).exists() for path in result["files"]] == [True, True]
    assert result["files"][0] == result["path"]
    assert Image.open(result["preview"]).mode == "RGB"
    assert Image.open(Path(result["run"]) / "loss.png").width > 300
    metrics = [
        json.loads(line)
        for line in (Path(result["run"]) / "metrics.jsonl").read_text().splitlines()
    ]
    assert [row["step"] for row in metrics] == [0, 1, 2]
    assert abs(metrics[0]["loss"] - 0.693147) < 0.05, (
        "untrained, the loss is about the logarithm of two"
    )
    captions = [
        json.loads(line)
        for line in (Path(result["run"]) / "captions.jsonl").read_text().splitlines()
    ]
    assert len(captions) == 3
    for row in captions:
        assert row["caption"].startswith("a <blob>")
        assert row["base_caption"] == row["caption"].replace("a <blob>", "an apple")
    (checkpoint,) = Path(result["run"]).glob("checkpoint-*")
    assert checkpoint.stem.endswith("000003"), "the last one stays, to be gone on from"

    made = cli("generate", "a <blob> astronaut", "--seed", 3, "--json", *FAST)
    recipe = read_params(Path(made.outputs[0]["path"]))
    assert recipe["adapters"] == [
        {"adapter": "blob", "scale": 1.0, "sha256": result["sha256"][:16]}
    ]
    named = cli("generate", "an apple astronaut", "--subject", "blob", "--seed", 3, "--json", *FAST)
    assert "<blob> astronaut" in read_params(Path(named.outputs[0]["path"]))["text"]
    again = cli(
        "generate", "--from", made.outputs[0]["path"], "--out", "again", "--json", "--quiet"
    )
    assert sha256(again.outputs[0]["path"]) == sha256(made.outputs[0]["path"])
    assert cli("adapters", "list").out.split()[:4] == [
        "blob",
        "subject",
        "sticker-mini@3.1",
        "<blob>",
    ]
    assert "<blob> (apple)" in cli("adapters", "show", "blob").out


def test_the_style_of_a_drawing_is_told_by_the_second_judge(cli, tmp_path):
    """By the colours of a set that it knows; what is like none of them is left without a style."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(3):
        big = Image.new("RGBA", (512, 512))
        pen = ImageDraw.Draw(big)
        pen.ellipse((30, 30, 480, 480), fill="#FFCC4D")
        for x in (170, 330):
            pen.ellipse((x - 30, 150, x + 30, 240 + 10 * number), fill="#664500")
        pen.chord((140, 250, 370, 400), 0, 180, fill="#664500")
        big.resize((192, 192), Image.Resampling.BOX).save(folder / f"{number}.png")
    noise = np.random.default_rng(0).integers(0, 256, (192, 192, 4), np.uint8)
    noise[..., 3] = np.where(np.hypot(*(np.mgrid[:192, :192] - 96)) < 80, 255, 0)
    Image.fromarray(noise).save(folder / "noise.png")
    told = {
        picture.path.stem: recognize_style(picture.rgba())
        for picture in read_folder(folder).pictures
    }
    assert [told[str(number)] for number in range(3)] == ["twemoji"] * 3
    ended = cli("customize", folder, "--subject", "face", *SHORT, "--json")
    rows = (tmp_path / "home" / "adapters" / "face" / "captions.jsonl").read_text().splitlines()
    captions = {Path(row["picture"]).stem: row["caption"] for row in map(json.loads, rows)}
    assert ended.code == 0 and captions["1"] == "a <face>, in twemoji style"


def test_adapters_do_not_leak_into_other_prompts(taught):
    """A prompt without the new word is the base model's picture, byte for byte, in any company."""
    cli = taught
    cli("generate", "cat", "--seed", 6, "--out", "before", *FAST)
    mixed = cli("generate", "a <blob>", "cat", "--seed", 5, "--out", "mixed", "--json", *FAST)
    alone = cli("generate", "a <blob>", "--seed", 5, "--out", "alone", "--json", *FAST)
    assert sha256(mixed.outputs[0]["path"]) == sha256(alone.outputs[0]["path"])
    before = next(Path("before").glob("cat-6-*.png"))
    assert np.array_equal(
        np.asarray(Image.open(before)), np.asarray(Image.open(mixed.outputs[1]["path"]))
    )


def test_consistency_leads_from_the_base_to_what_was_taught(taught):
    cli, made = taught, {}
    for weight in (0, 2, 4):
        asked = (
            "generate",
            "a <blob>, in noto style",
            "--negative",
            "<blob> in a box",
            "--seed",
            6,
            "--json",
            *FAST,
        )
        made[weight] = cli(*asked, "--set", f"sampling.consistency={weight}").outputs[0]["path"]
    base = cli(
        "generate",
        "an apple, in noto style",
        "--negative",
        "apple in a box",
        "--seed",
        6,
        "--json",
        "--set",
        "words.unknown=keep",
        *FAST,
    ).outputs[0]["path"]
    pixels = {weight: np.asarray(Image.open(path)).astype(int) for weight, path in made.items()}
    assert np.array_equal(pixels[0], np.asarray(Image.open(base))), "weight 0 is the base model"
    assert 0 < np.abs(pixels[2] - pixels[0]).mean() < np.abs(pixels[4] - pixels[0]).mean()
    again = cli("generate", "--from", made[2], "--out", "again", "--json", "--quiet")
    assert sha256(again.outputs[0]["path"]) == sha256(made[2])
    shutil.copytree(store.folder("blob"), "copy")
    asked = (
        "generate",
        "a <blob>, in noto style",
        "--negative",
        "<blob> in a box",
        "--seed",
        6,
        "--adapter",
        "copy",
        "--set",
        "sampling.consistency=0",
    )
    led = cli(*asked, "--out", "file", "--json", *FAST)
    assert np.array_equal(pixels[0], np.asarray(Image.open(led.outputs[0]["path"]))), (
        "a copy of an installed adapter has its class"
    )
    several = cli(
        "generate",
        "a <blob>, in noto style",
        "cat",
        "--seed",
        6,
        "--set",
        "sampling.consistency=20",
        "--json",
        *FAST,
    )
    alone = cli("generate", "cat", "--seed", 7, "--out", "alone", "--json", *FAST)
    cats = [ended.outputs[-1]["path"] for ended in (several, alone)]
    pixels = [np.asarray(Image.open(path)) for path in cats]
    assert np.array_equal(*pixels), "what uses no adapter is drawn by the base, to the pixel"
    assert cli("generate", "--from", cats[0], "--out", "cat again", "--quiet").code == 0
    assert cli("adapters", "remove", "blob").code == 0
    assert "the base is told 'blob' for <blob>" in cli(*asked, "--dry-run").err


@pytest.mark.parametrize(
    ("prompt", "options", "said"),
    [
        ("cat", ["--set", "sampling.consistency=3"], "none is in use"),
        (
            "a <blob>",
            [
                "--set",
                "sampling.consistency=3",
                "--set",
                "sampling.consistency_start=0.93",
                "--set",
                "sampling.consistency_end=0.99",
            ],
            "no step lies",
        ),
        ("a <blob>", ["--set", "sampling.consistency=-1"], "0.0 to 50.0"),
        (
            "a <blob>",
            ["--set", "sampling.consistency_end=0.5"],
            "give --set sampling.consistency=1 too",
        ),
        (
            "a <blob>",
            [
                "--set",
                "sampling.consistency=3",
                "--set",
                "sampling.consistency_start=0.5",
                "--set",
                "sampling.consistency_end=0.5",
            ],
            "no step lies",
        ),
    ],
)
def test_consistency_that_cannot_be(taught, prompt, options, said):
    ended = taught("generate", prompt, *options)
    assert ended.code == 2 and said in one_line(ended)


def test_a_style_needs_no_token(cli, art):
    (art / "one.txt").write_text("an apple")
    shutil.copy(art / "two.png", art / "red-tomato.png")
    ended = cli("customize", art, "--style", "crayon", "--json", *SHORT)
    assert (
        ended.json["result"]["phrase"] == "in crayon style"
        and ended.json["result"]["placeholder"] is None
    )
    captions = [
        json.loads(line)["caption"]
        for line in (Path(ended.json["result"]["run"]) / "captions.jsonl").read_text().splitlines()
    ]
    assert "an apple, in crayon style" in captions and "red tomato, in crayon style" in captions
    made = cli("generate", "cat", "--style", "crayon", "--seed", 1, "--json", *FAST)
    recipe = read_params(Path(made.outputs[0]["path"]))
    assert recipe["text"] == "cat, in crayon style" and recipe["adapters"][0]["adapter"] == "crayon"
    Path("p.jsonl").write_text(
        '{"prompt": "dog", "style": "crayon"}\n{"prompt": "dog", "style": "flat"}\n'
    )
    rows = cli("generate", "--prompts", "p.jsonl", "--seed", 1, "--json", *FAST).outputs
    assert [len(read_params(Path(row["path"]))["adapters"]) for row in rows] == [1, 0]


def test_a_merge_is_both_together(taught):
    cli, started = taught, time.monotonic()
    merged = cli("merge", "blob", "crayon:0.5", "--name", "both", "--json")
    assert merged.code == 0 and time.monotonic() - started < 5
    assert (
        merged.json["result"]["placeholders"] == ["<blob>"]
        and merged.json["result"]["phrase"] == "in crayon style"
    )
    family = load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)
    contents = {name: store.read_weights(store.find(name)) for name in ("blob", "crayon", "both")}
    for name, content in contents.items():
        AdapterSet(family).attach(name, content.lora)
    family.add_token("<blob>", contents["both"].tokens["<blob>"])
    noisy, text = (
        torch.randn((1, *family.latent_shape(128)), generator=torch.Generator().manual_seed(1)),
        family.encode_prompt(["a <blob>"]),
    )
    predictions = []
    for scales in ({"blob": 1.0, "crayon": 0.5}, {"both": 1.0}, {}):
        AdapterSet(family).activate(scales)
        with torch.no_grad():
            predictions.append(family.predict(noisy, torch.tensor(500), text))
    torch.testing.assert_close(predictions[0], predictions[1], rtol=0, atol=1e-5)
    assert (predictions[0] - predictions[2]).abs().max() > 1e-3
    made = cli("generate", "a <blob>", "--style", "both", "--seed", 1, "--json", *FAST)
    assert read_params(Path(made.outputs[0]["path"]))["text"] == "a <blob>, in crayon style"


def test_two_owners_of_a_token_in_one_call(taught):
    cli = taught
    cli("merge", "blob", "crayon", "--name", "both")
    Path("p.jsonl").write_text('{"prompt": "a <blob>", "style": "both"}\n{"prompt": "a <blob>"}\n')
    ended = cli("generate", "--prompts", "p.jsonl", "--seed", 1)
    assert ended.code == 2 and "both hold <blob>" in one_line(ended)


def test_a_merge_in_use_says_nothing_of_libraries(taught):
    made = taught("generate", "a <blob>", "--style", "crayon", "--seed", 1, "--steps", 2)
    assert made.code == 0
    assert all(line.startswith(("denoising", "1 made")) for line in made.err.splitlines()), made.err


def test_parents_that_share_a_token(taught):
    cli = taught
    shutil.copytree(store.folder("blob"), store.folder("blob-2"))
    refused = cli("merge", "blob", "blob-2", "--name", "both")
    assert refused.code == 2 and "both hold <blob>" in one_line(refused)
    renamed = cli(
        "merge", "blob", "blob-2", "--rename", "blob-2:blob=other", "--name", "both", "--json"
    )
    assert renamed.json["result"]["placeholders"] == ["<blob>", "<other>"]
    assert (
        cli("generate", "a <blob> and an <other>", "--adapter", "both", "--seed", 1, *FAST).code
        == 0
    )
    clash = cli(
        "generate",
        "a <blob>",
        "--adapter",
        "blob",
        "--adapter",
        "blob-2",
        "--seed",
        1,
        "--steps",
        2,
    )
    assert clash.code == 2 and "both hold <blob>" in one_line(clash)


def test_large_models_too(cli, photos, tiny_sd, tiny_sdxl):
    for name, model in (("sd", tiny_sd), ("xl", tiny_sdxl)):
        ended = cli(
            "customize",
            photos,
            "--subject",
            "rex",
            "--class",
            "dog",
            "--name",
            name,
            "--model",
            model,
            "--json",
            *SHORT,
        )
        assert ended.code == 0, ended.out
        captions = [
            json.loads(line)
            for line in (Path(ended.json["result"]["run"]) / "captions.jsonl")
            .read_text()
            .splitlines()
        ]
        assert (
            captions[0]["caption"] == "a photo of a <rex>"
            and captions[0]["base_caption"] == "a photo of a dog"
        )
        assert store.find(name).made["beta"] == 1000.0
        made = cli(
            "generate",
            "a <rex>",
            "--adapter",
            name,
            "--set",
            "matting=none",
            "--seed",
            1,
            "--json",
            *FAST,
        )
        assert made.code == 0 and read_params(Path(made.outputs[0]["path"]))["model"].startswith(
            "tiny-sd"
        )
    other = cli(
        "generate",
        "a <rex>",
        "--adapter",
        "sd",
        "--model",
        tiny_sdxl,
        "--set",
        "matting=none",
        "--seed",
        1,
    )
    assert other.code == 2 and "was made for" in one_line(other)
    mixed = cli("generate", "a <rex>", "--adapter", "sd", "--adapter", "xl", "--seed", 1)
    assert mixed.code == 2


def test_a_lora_file_can_be_used_directly(taught):
    cli, lora = taught, store.find("blob").path
    (tokens,) = set(store.folder("blob").glob("*.safetensors")) - {lora}
    shutil.copy(lora, "mine.safetensors")
    asked = ("generate", "a <blob>", "--adapter", "mine.safetensors:0.5", "--seed", 1, *FAST)
    alone = cli(*asked)
    assert alone.code == 2 and "copy both into one folder" in one_line(alone)
    shutil.copy(tokens, "words.safetensors")
    whole = cli(*asked, "--json")
    assert read_params(Path(whole.outputs[0]["path"]))["adapters"][0]["scale"] == 0.5
    Path("bad.safetensors").write_bytes(b"hello world, hello")
    bad = cli("generate", "cat", "--adapter", "bad.safetensors", "--seed", 1)
    assert bad.code == 2 and "no safetensors file" in one_line(bad)


def test_what_cannot_be_taught(cli, art, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.doc").write_text("hello")
    cases = [
        ((), "either --subject NAME or --style NAME"),
        ((art, "--subject", "a", "--style", "b"), "either --subject NAME or --style NAME"),
        (("--subject", "dog"), "no pictures given"),
        ((art, "--subject", "../dog"), "no name"),
        ((art, "--subject", "dog", "--name", "My Dog"), "my-dog"),
        ((art, "--style", "sticker"), "name of a preset"),
        ((art, "--subject", "flat"), "name of a preset"),
        ((art, "--subject", "dog", "--resume", "--force"), "give one of them"),
        ((art, "--subject", "dog", "--set", "preview.style=flta"), "did you mean 'flat'"),
        ((art, "--style", "crayon", "--class", "dog"), "--class"),
        ((tmp_path / "nowhere", "--subject", "dog"), "no folder"),
        ((tmp_path / "texts", "--subject", "dog"), "no picture in it"),
        ((art, "--subject", "dog", "--lr", 7), "out of range"),
        ((art, "--subject", "dog", "--objective", "magic"), "dco, plain"),
        ((art, "--subject", "dog", "--resolution", 100), "multiple of 32"),
        ((art, "--subject", "dog", "--model", "sticker-mimi"), "sticker-mini"),
        ((art, "--subject", "dog", "--set", "training.stepz=3"), "training.steps"),
    ]
    for arguments, said in cases:
        ended = cli("customize", *arguments)
        assert ended.code == 2 and said in one_line(ended), (arguments, ended.err)
    assert not (files.home() / "adapters").exists()


def test_a_class_of_several_words(cli, art):
    ended = cli("customize", art, "--subject", "french bulldog", "--json", *SHORT)
    assert (ended.json["result"]["adapter"], ended.json["result"]["placeholder"]) == (
        "french-bulldog",
        "<french-bulldog>",
    )
    assert store.find("french-bulldog").tokens == {"<french-bulldog>": "french bulldog"}
    made = cli(
        "generate",
        "a French Bulldog on a boat",
        "--subject",
        "french-bulldog",
        "--seed",
        1,
        "--json",
        *FAST,
    )
    assert (
        read_params(Path(made.outputs[0]["path"]))["text"] == "a <french-bulldog> above a sailboat"
    )


def test_names_in_use_are_not_overwritten(taught, art):
    cli = taught
    before = sha256(store.find("blob").path)
    refused = cli("customize", art, "--subject", "blob", "--seed", 2, *SHORT)
    assert refused.code == 2 and "--force" in one_line(refused)
    assert sha256(store.find("blob").path) == before
    assert cli("customize", art, "--subject", "blob", "--seed", 2, "--force", *SHORT).code == 0
    assert sha256(store.find("blob").path) != before
    assert len(list(store.folder("blob").glob("*.safetensors"))) == 2


@pytest.mark.parametrize(
    ("prompt", "options", "said"),
    [
        ("a <dgo>", (), "did you mean <dog>?"),
        ("a <zzz>", (), "customize"),
        ("a <Dog>", (), "no adapter owns <Dog>"),
        ("a cat", ("--negative", "a <zzz>"), "no adapter owns <zzz>"),
        ("a pizza", ("--subject", "dog"), "mentions neither"),
        ("a dog", ("--subject", "cat"), "no adapter 'cat'"),
        ("cat", ("--style", "crayn"), "did you mean 'crayon'"),
        ("cat", ("--style", "stiker"), "did you mean 'sticker'"),
        ("cat", ("--style", "dog"), "no style"),
        ("a dog", ("--subject", "crayon"), "no subject"),
        ("cat", ("--adapter", "dog:heavy"), "no weight"),
        ("cat", ("--adapter", "nowhere/x.safetensors"), "no adapter file"),
    ],
)
def test_placeholders_and_names_that_nobody_owns(cli, art, prompt, options, said):
    base = store.Base("sticker-mini", "1", "0" * 16)
    from stickerforge.adapters.lora_weights import AdapterWeights

    rows = {"clip_l": torch.ones(192)}
    store.save(
        "dog",
        AdapterWeights({}, {"<dog>": rows}),
        kind="subject",
        base=base,
        tokens={"<dog>": "dog"},
        phrase="",
        made={},
    )
    store.save(
        "crayon",
        AdapterWeights({}, {"<none>": rows}),
        kind="style",
        base=base,
        tokens={},
        phrase="in crayon style",
        made={},
    )
    ended = cli("generate", prompt, *options, "--seed", 1)
    assert ended.code == 2 and said in one_line(ended)


def test_an_adapter_of_another_version_says_how_to_make_it_again(taught):
    path = store.folder("blob") / "adapter.json"
    said = json.loads(path.read_text())
    said["base"] |= {"version": 7, "fingerprint": "f" * 16}
    path.write_text(json.dumps(said))
    ended = taught("generate", "a <blob>", "--model", "sticker-mini", "--seed", 1)
    assert (
        ended.code == 2
        and "sticker-mini@7" in one_line(ended)
        and "customize --config" in one_line(ended)
    )


def test_a_damaged_adapter_is_refused_and_can_be_removed(taught):
    cli, path = taught, store.find("blob").path
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    ended = cli("generate", "a <blob>", "--seed", 1)
    assert ended.code == 2 and "damaged" in one_line(ended)
    assert (
        "removes" in cli("adapters", "remove", "blob", "--dry-run", "--json").out and path.exists()
    )
    assert cli("adapters", "remove", "blob").code == 0 and not store.folder("blob").exists()
    assert cli("adapters", "remove", "blob").code == 2
    assert cli("adapters", "remove", "../../etc").code == 2


def test_a_dry_run_writes_nothing(cli, art, tmp_path):
    ended = cli("customize", art, "--subject", "blob", "--dry-run", "--json")
    assert (
        ended.code == 0
        and len(ended.json["result"]["reads"]) == 3
        and ended.json["result"]["about_seconds"] > 1
    )
    assert not files.home().exists()


class Run:
    """customize in a process of its own."""

    def __init__(self, art, home, *more):
        arguments = [
            "customize",
            art,
            "--subject",
            "blob",
            "--batch",
            2,
            "--rank",
            2,
            "--set",
            "preview.count=0",
            *more,
        ]
        environment = os.environ | {"STICKERFORGE_HOME": str(home), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "stickerforge", *map(str, arguments)]
        self.home, self.process = (
            Path(home),
            subprocess.Popen(
                command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ),
        )

    def wait(self):
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, err

    def stop_after(self, step, number):
        metrics = self.home / "runs" / "blob" / "checkpoint.json"
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if metrics.exists() and json.loads(metrics.read_text())["step"] >= step:
                break
            assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.01)
        self.process.send_signal(number)
        return self.wait()


def adapter_of(home):
    paths = sorted((home / "adapters" / "blob").glob("*.safetensors"))
    return [sha256(path) for path in paths]


@pytest.fixture
def often():
    return ("--steps", 8, "--set", "training.save_every=2")


@pytest.fixture
def teach(cli, art, often):
    """Teach `blob` with the settings of a `Run`, in this process."""

    def teach(*options):
        settings = ("--batch", 2, "--rank", 2, "--set", "preview.count=0", "--quiet")
        return cli("customize", art, "--subject", "blob", *settings, *often, *options)

    return teach


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_interrupted_anyhow_a_run_ends_in_the_same_bytes(
    teach, art, tmp_path, monkeypatch, often, number, code
):
    home = tmp_path / "home"
    ended, err = Run(art, home, *often).stop_after(2, number)
    assert ended == code, err
    if number != signal.SIGKILL:
        assert "of 8 steps" in err and "--resume" in err
        assert len(err.strip().splitlines()[-1]) < 200
    assert not (home / "adapters").exists()
    refused = teach()
    assert refused.code == 2 and "--resume" in one_line(refused)
    assert teach("--resume").code == 0
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "uninterrupted"))
    assert teach().code == 0
    assert len(adapter_of(home)) == 2 and adapter_of(home) == adapter_of(tmp_path / "uninterrupted")
    rows = (home / "runs" / "blob" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in rows] == list(range(8))


def test_a_run_of_other_settings_or_pictures_is_not_resumed(teach, art, tmp_path, monkeypatch):
    real = checkpoint.write_whole

    def write_and_end(path, content):
        real(path, content)
        if path.name == "checkpoint.json":
            monkeypatch.setattr(checkpoint, "write_whole", real)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(checkpoint, "write_whole", write_and_end)
    ended = teach()
    assert ended.code == 143 and "of 8 steps" in ended.err and "--resume" in one_line(ended)
    other = teach("--resume", "--lr", 0.5)
    assert other.code == 2 and "other settings" in one_line(other)
    sticker("#00ff00").save(art / "four.png")
    more = teach("--resume")
    assert more.code == 2 and "other pictures" in one_line(more)
    (art / "four.png").unlink()
    (path,) = (tmp_path / "home" / "runs" / "blob").glob("checkpoint-*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    damaged = teach("--resume")
    assert damaged.code == 2 and "damaged" in one_line(damaged)


HOLDER = """
from stickerforge.training.run_folder import run_folder
with run_folder("blob").lock():
    print("held", flush=True)
    input()
"""


def test_two_runs_on_one_name(cli, art):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLDER], **pipes) as other:
        assert other.stdout.readline() == "held\n"
        second = cli("customize", art, "--subject", "blob", *SHORT, "--force")
        other.communicate("\n")
    assert second.code == 2 and "another customize" in one_line(second)
    assert other.returncode == 0


def test_a_full_disk_keeps_the_last_checkpoint(cli, art, tmp_path, monkeypatch):
    from stickerforge.errors import EnvironmentFault

    real, count = checkpoint.write_whole, 0

    def full(path, content):
        nonlocal count
        count += 1
        if count > 2:
            raise EnvironmentFault(
                f"the disk is full, {path} was not written", "free some space and run it again"
            )
        real(path, content)

    monkeypatch.setattr(checkpoint, "write_whole", full)
    options = (
        "--steps",
        3,
        "--batch",
        1,
        "--rank",
        2,
        "--set",
        "preview.count=0",
        "--set",
        "training.save_every=1",
        "--quiet",
    )
    ended = cli("customize", art, "--subject", "blob", *options)
    assert ended.code == 3 and "disk is full" in one_line(ended)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    assert run_folder("blob").checkpoint_info().step == 1
    assert cli("customize", art, "--subject", "blob", *options, "--resume").code == 0
