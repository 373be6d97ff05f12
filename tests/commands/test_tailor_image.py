"""`tailor image` as people use it, on sticker-mini and on tiny models."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import stickerforge
from stickerforge.adapters import store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import IMAGE
from stickerforge.stickers.image_files import read_params
from stickerforge.training.run_folder import run_folder
from tests.commands.conftest import sticker
from tests.conftest import one_line
from tests.tiny import write_tiny_image_adapter

SHORT = ("--batch", 2, "--lr", 0.001, "--quiet")
UNMEASURED = ("--set", "validation.every=0")
COLOURS = {"apple": "#c03a2b", "cloud": "#ffffff", "fish": "#2030d0", "leaf": "#30a050"}


@pytest.fixture
def drawings(tmp_path):
    """Four drawings with their captions."""
    folder = tmp_path / "drawings"
    folder.mkdir()
    for number, (name, colour) in enumerate(COLOURS.items()):
        sticker(colour, (80 + 10 * number, 90)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"a {name}")
    return folder


@pytest.fixture
def pairs(drawings):
    """The same as a table, each with another one to be drawn like."""
    names = list(COLOURS)
    rows = [
        {"file_name": f"{name}.png", "text": f"a {name}", "condition": f"{names[place - 1]}.png"}
        for place, name in enumerate(names)
    ]
    table = drawings / "pairs.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return table


@pytest.fixture
def tailor(cli, drawings, quick_sd, image_encoder):
    """Make the image adapter `looks` for a tiny model."""

    def tailor(*options, data=drawings, model=quick_sd, encoder=image_encoder):
        name = () if "--name" in options else ("--name", "looks")
        given = ("--set", f"image_prompt.encoder={encoder}") if encoder else ()
        words = ("tailor", "image", data, *name, "--model", model, *SHORT, *given, *options)
        return cli(*words)

    return tailor


def test_from_drawings_to_a_picture_on_sticker_mini(tailor, cli, drawings, pairs):
    options = ("--steps", 2, "--json", "--set", "validation.every=1")
    ended = tailor(*options, data=pairs, model="sticker-mini", encoder="")
    assert ended.code == 0, ended.out + ended.err
    result = ended.json["result"]
    assert (result["kind"], result["variant"], result["encoder"]) == ("image", "base", "second")
    assert (result["count"], result["held_out"], result["failed"]) == (4, 1, [])
    rows = [
        json.loads(row) for row in run_folder("looks").validation_log.read_text().split("\n")[:-1]
    ]
    assert [row["step"] for row in rows] == [1, 2]
    best = max(rows, key=lambda row: row["score"])
    assert result["kept_step"] == best["step"] and best["score"] == -best["error"]
    assert result["figures"] == {key: best[key] for key in ("error", "error_without")}
    # The errors of the frozen model alone are the same each time.
    assert rows[0]["error_without"] == rows[1]["error_without"] != rows[0]["error"]
    preview = Image.open(store.folder("looks") / "preview.png")
    assert preview.width > 2 * 192 and Path(result["preview"]).exists()
    assert Path(result["path"]).stat().st_size < 4_000_000
    assert IMAGE.read(read_file(Path(result["path"]))).encoder == "second"

    drawn = cli(
        *("generate", "a cat", "--image-prompt", drawings / "apple.png", "--adapter", "looks"),
        *("--seed", 1, "--json", "--set", "sampling.steps=2"),
    )
    assert drawn.code == 0, drawn.out + drawn.err
    path = Path(drawn.outputs[0]["path"])
    params = read_params(path)
    assert params["image_prompt"]["encoder"] == "second"
    assert params["adapters"][0]["adapter"] == "looks"
    shutil.copy(drawings / "apple.png", ".")
    again = cli("generate", "--from", path, "--json")
    assert again.code == 0 and again.outputs[0]["skipped"], again.out
    listed = cli("adapters", "show", "looks")
    assert listed.code == 0 and "image" in listed.out


@pytest.mark.parametrize("variant", ["base", "plus"])
@pytest.mark.parametrize("model", ["quick_sd", "tiny_sdxl"])
def test_both_variants_of_both_families(tailor, cli, request, drawings, variant, model):
    folder = request.getfixturevalue(model)
    options = ("--steps", 1, "--variant", variant, "--json", "--set", "validation.shown=1")
    ended = tailor(*options, "--resolution", 32, model=folder)
    assert ended.code == 0, ended.out + ended.err
    file = read_file(store.find("looks").path)
    weights = IMAGE.read(file)
    assert weights.shape.variant == variant and weights.encoder == ""
    assert weights.shape.tokens == {"base": 4, "plus": 16}[variant]
    # Its encoder is found again without being named.
    drawn = cli(
        *("generate", "--image-prompt", drawings / "leaf.png", "--adapter", "looks"),
        *("--seed", 1, "--json", "--size", "native", "--set", "matting=none"),
        *("--set", "sampling.pixels=32", "--set", "sampling.steps=1"),
    )
    assert drawn.code == 0, drawn.out + drawn.err


def test_another_encoder_than_that_of_the_training_is_refused(tailor, cli, drawings, image_encoder):
    assert tailor("--steps", 1, *UNMEASURED).code == 0
    config = image_encoder / "config.json"
    content = config.read_text()
    try:
        config.write_text(json.dumps(json.loads(content) | {"layer_norm_eps": 0.1}))
        ended = cli("generate", "--image-prompt", drawings / "leaf.png", "--adapter", "looks")
        assert ended.code == 2 and "another image encoder" in one_line(ended)
    finally:
        config.write_text(content)


def test_a_run_is_taught_on_to_the_same_bytes(tailor, monkeypatch, tmp_path):
    options = ("--set", "validation.every=2", "--set", "validation.shown=0")
    options = (*options, "--set", "training.lr_decay=0")  # else the rate of both would differ
    assert tailor("--steps", 4, *options).code == 0
    whole = store.find("looks")
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "other"))
    assert tailor("--steps", 2, *options).code == 0
    assert "--resume --steps 4" in one_line(tailor("--steps", 4, *options))
    for changed in (("--lr", 0.1), ("--set", "drops.image=0.5"), ("--set", "augment.flip=0")):
        refused = tailor("--steps", 4, *options, "--resume", *changed)
        assert "other settings" in one_line(refused)
    assert tailor("--steps", 4, *options, "--resume").code == 0
    assert store.find("looks").sha256 == whole.sha256


def test_other_conditions_are_not_gone_on_with(tailor, pairs):
    assert tailor("--steps", 1, *UNMEASURED, data=pairs).code == 0
    pairs.write_text(
        pairs.read_text().replace('"condition": "leaf.png"', '"condition": "fish.png"')
    )
    ended = tailor("--steps", 2, *UNMEASURED, "--resume", "--dry-run", data=pairs)
    assert ended.code == 2 and "other pictures" in one_line(ended)


def test_it_begins_from_another_adapter(tailor, quick_sd, tmp_path):
    write_tiny_image_adapter(tmp_path / "official.safetensors", quick_sd, "base")
    still = (*UNMEASURED, "--lr", 1e-8, "--set", "training.weight_decay=0")
    assert tailor("--steps", 1, *still, "--adapter", tmp_path / "official.safetensors").code == 0
    official = IMAGE.read(read_file(tmp_path / "official.safetensors")).tensors
    own = IMAGE.read(read_file(store.find("looks").path)).tensors
    assert all(torch.allclose(own[key], official[key], atol=1e-6) for key in official)
    assert tailor("--steps", 1, *still, "--adapter", "looks", "--name", "further").code == 0
    for options, words in (
        (("--adapter", "looks", "--variant", "plus"), "--variant base"),
        (("--adapter", "looks", "--model", "sticker-mini"), "texts of width"),
        (("--adapter", "nobody"), "nobody"),
    ):
        ended = tailor("--name", "other", *options, "--dry-run")
        assert ended.code == 2 and words in one_line(ended), options


def test_saved_settings_mean_the_same_elsewhere(tailor, cli, image_encoder, tmp_path, monkeypatch):
    shutil.copytree(image_encoder, "clip")
    assert tailor("--steps", 1, *UNMEASURED, encoder="clip").code == 0
    settings = run_folder("looks", "tailor image").config
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ended = cli("tailor", "image", "--config", settings, "--resume", "--steps", 2, "--dry-run")
    assert ended.code == 0, ended.out + ended.err


def test_another_way_to_squares_than_in_training_is_said(tailor, cli, drawings):
    assert tailor("--steps", 1, *UNMEASURED, "--set", "image_prompt.fit=pad").code == 0
    words = ("generate", "--image-prompt", drawings / "leaf.png", "--adapter", "looks", "--dry-run")
    assert "image_prompt.fit=pad" in cli(*words).err
    assert "fit=pad" not in cli(*words, "--set", "image_prompt.fit=pad").err


def test_pictures_that_cannot_be_used_cost_exit_4(tailor, pairs, drawings):
    (drawings / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pairs.open("a") as file:
        file.write('{"file_name": "fish.png", "text": "a fish", "condition": "broken.png"}\n')
        file.write('{"file_name": "fish.png", "text": "a fish", "condition": "gone.png"}\n')
    ended = tailor("--steps", 1, *UNMEASURED, "--json", data=pairs)
    assert ended.code == 4, ended.out
    result = ended.json["result"]
    assert result["count"] == 4 and len(result["failed"]) == 2
    assert "broken.png" in result["failed"][0] and "gone.png" in result["failed"][1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--name", "Bad Name"), "only a-z"),
        (("--set", "drops.image=0.5", "--set", "drops.text=0.6"), "come to 1.15"),
        (("--variant", "plus", "--set", "image_prompt.encoder=second"), "--variant base"),
        (("--set", "image_prompt.encoder=nowhere"), "no folder 'nowhere'"),
        (("--resolution", 33), "resolution"),
    ],
)
def test_what_cannot_work_is_refused_at_once(tailor, options, words):
    ended = tailor(*options, "--steps", 1, encoder="")
    assert ended.code == 2 and words in one_line(ended)
    assert not store.exists("looks") and not run_folder("looks").path.exists()


def test_data_that_cannot_be_used_is_refused(tailor, tmp_path, drawings, pairs):
    row = json.loads(pairs.read_text().split("\n")[0])
    tables = {
        "number.jsonl": (row | {"condition": 3}, "'condition' is no text"),
        "wordless.jsonl": ({"file_name": "leaf.png"}, "no text"),
        "one.jsonl": (row, "validation.every=0"),
    }
    for name, (content, words) in tables.items():
        (drawings / name).write_text(json.dumps(content) + "\n")
        ended = tailor("--steps", 1, data=drawings / name)
        assert ended.code == 2 and words in one_line(ended), name
    assert "there is no" in one_line(tailor("--steps", 1, data=tmp_path / "nowhere"))
    for text in drawings.glob("*.txt"):
        text.unlink()
    assert "caption" in one_line(tailor("--steps", 1))


def test_a_dry_run_writes_nothing_and_says_what_would_be(tailor, tmp_path):
    ended = tailor("--dry-run", "--json")
    assert ended.code == 0, ended.out
    result = ended.json["result"]
    assert (result["count"], result["held_out"], result["encoder"]) == (4, 1, "tiny-vision")
    assert result["training"]["steps"] == 4000 and result["about_memory_mb"] > 0
    assert not run_folder("looks").path.exists()
    hub = tailor("--dry-run", "--json", encoder="")
    assert hub.code == 0, hub.out + hub.err
    assert "h94/IP-Adapter" in hub.json["result"]["fetches"]


def test_from_python(drawings, quick_sd, image_encoder, monkeypatch, tmp_path):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    settings = {"name": "looks", "model": str(quick_sd), "training.steps": 1}
    settings |= {"validation.every": 0, "image_prompt.encoder": str(image_encoder)}
    result = stickerforge.tailor_image(drawings, settings=settings)
    assert result.result()["count"] == 4
