"""`generate --control` on tiny random models and ControlNets."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stickerforge.stickers.image_files import encode_image, read_params
from tests.conftest import one_line
from tests.tiny import write_tiny_control, write_tiny_image_adapter

PLAIN = ("--size", "native", "--set", "matting=none", "--seed", 3)


@pytest.fixture
def call(cli, quick_sd, tmp_path):
    """The command line with a model, a ControlNet, and two pictures."""
    write_tiny_control(tmp_path / "net", quick_sd)
    for number, name in enumerate(("a", "b")):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")

    def run(*words, network="net", model=quick_sd):
        options = ["--model", model, *PLAIN]
        options += ["--set", f"control.model={network}"] if network else []
        return cli("generate", *words, *options)

    return run


def made(ended):
    assert ended.code == 0, ended.out + ended.err
    return ended.json["result"]


def pixels_of(path):
    return np.asarray(Image.open(path)).astype(int)


def test_a_prompt_with_a_control_picture(call):
    result = made(call("a dog", "--control", "edges:a.png:0.8", "--json"))
    (output,) = result["outputs"]
    params = read_params(Path(output["path"]))
    control = params["control"]
    assert (control["kind"], control["scale"]) == ("edges", 0.8) and "model" not in control
    assert len(control["sha256"]) == len(control["fingerprint"]) == 16
    assert params["files"] == {"control": "a.png"}
    assert result["control"] == control | {"file": "a.png", "model": "net"}
    saved = tomllib.loads(Path(result["config"]).read_text())
    assert saved["control"]["pictures"] == ["edges:a.png:0.8"]
    again = made(call("a dog", "--control", "edges:a.png:0.8", "--json"))["outputs"][0]
    assert again["skipped"] and again["path"] == output["path"]
    plain = made(call("a dog", "--json", "--out", "plain", network=""))
    path = plain["outputs"][0]["path"]
    assert not {"control", "files"} & set(read_params(Path(path))) and plain["control"] is None
    assert np.abs(pixels_of(path) - pixels_of(output["path"])).max() > 0
    zero = made(call("a dog", "--control", "edges:a.png:0", "--json", "--out", "zero"))
    assert np.array_equal(pixels_of(zero["outputs"][0]["path"]), pixels_of(path))


def test_digests_are_of_contents_kinds_scales_and_settings(call, quick_sd, tmp_path):
    def recipe(control, *words, **options):
        ended = call("a dog", "--control", control, *words, "--json", "--dry-run", **options)
        return made(ended)["writes"][0]

    shutil.copy("a.png", "copy.png")
    one = recipe("edges:a.png")
    assert recipe("edges:copy.png") == recipe("edges:a.png:1") == one
    shutil.copytree("net", "renamed")
    assert recipe("edges:a.png", network="renamed") == one
    others = [recipe(text) for text in ("edges:b.png", "pose:a.png", "edges:a.png:0.5")]
    others += [
        recipe("edges:a.png", "--set", f"control.{what}") for what in ("start=0.5", "end=0.5")
    ]
    write_tiny_control(tmp_path / "other", quick_sd, seed=1)
    assert len({one, *others, recipe("edges:a.png", network="other")}) == 7


def test_a_picture_is_repeated_where_its_control_picture_is_here(call, tmp_path):
    first = made(call("a dog", "--control", "edges:a.png:0.5", "--json"))["outputs"][0]
    again = made(call("--from", first["path"], "--json"))["outputs"][0]
    assert again["skipped"] and again["recipe"] == first["recipe"]
    (tmp_path / "elsewhere").mkdir()
    shutil.move("a.png", "elsewhere/renamed.png")
    line = one_line(call("--from", first["path"]))
    assert "not here: a.png; give --control edges:a.png:0.5" in line
    given = ("--control", "edges:elsewhere/renamed.png:0.5")
    assert made(call("--from", first["path"], *given, "--json"))["outputs"][0]["skipped"]
    shutil.copy("elsewhere/renamed.png", Path(first["path"]).parent / "a.png")
    assert made(call("--from", first["path"], "--json"))["outputs"][0]["skipped"]
    ended = call("--from", first["path"], "--control", "pose:b.png", "--json")
    assert any("another control picture or scale" in line for line in ended.json["warnings"])
    line = one_line(call("--from", first["path"], network=""))
    assert "the ControlNet of a folder" in line
    shutil.move("net", "renamed")
    ended = call("--from", first["path"], "--json", network="renamed")
    assert made(ended)["outputs"][0]["skipped"] and not ended.json["warnings"]
    ended = call("--from", first["path"], "--set", "control.pictures=[]", "--json", network="")
    assert made(ended)["control"] is None
    assert any("another control picture" in line for line in ended.json["warnings"])


@pytest.mark.parametrize(
    "control",
    [
        {"kind": "edges", "scale": 1.0},
        {"kind": "nonsense", "sha256": "0" * 16, "scale": 1.0},
        {"kind": "edges", "sha256": "0" * 16, "scale": 9},
        {"kind": ["edges"], "sha256": "0" * 16, "scale": 1.0},
        {"kind": "edges", "sha256": "0" * 16, "scale": 1.0, "model": {"a": 1}},
        {"kind": "edges", "sha256": "0" * 16, "scale": 1.0, "model": "a/b", "end": [1]},
        {"kind": "edges", "sha256": "0" * 16, "scale": 1.0},
        {"kind": "edges", "sha256": "0" * 16, "scale": 1.0, "model": "no name"},
    ],
)
def test_a_strangers_picture_says_what_cannot_be(control, call):
    params = {"prompt": "cat", "seed": 1, "control": control}
    Path("x.png").write_bytes(encode_image(np.zeros((8, 8, 4), np.uint8), params, "t", "png"))
    assert "what cannot be as" in one_line(call("--from", "x.png"))


def test_a_strangers_picture_fetches_no_network(call):
    params = {"prompt": "cat", "seed": 1, "files": {"control": "/etc/a.png"}}
    control = {"kind": "edges", "sha256": "0" * 16, "scale": 1.0, "model": "owner/name"}
    picture = encode_image(np.zeros((8, 8, 4), np.uint8), params | {"control": control}, "t", "png")
    Path("x.png").write_bytes(picture)
    assert "not here: a.png" in one_line(call("--from", "x.png", network=""))
    ended = call("--from", "x.png", "--control", "edges:a.png", network="")
    assert ended.code == 3 and "ControlNet owner/name, which is not here" in one_line(ended)


def test_a_file_that_forgets_its_prompt_forgets_the_control(call):
    words = ("--control", "edges:a.png", "--set", "output.prompt=false", "--json")
    result = made(call("a dog", *words))
    params = read_params(Path(result["outputs"][0]["path"]))
    assert not {"prompt", "control", "files"} & set(params)
    assert "a.png" not in Path(result["config"]).read_text()


def test_a_dry_run_says_what_is_read_and_fetched(call):
    ended = call("a dog", "--control", "pose:a.png", "--dry-run", "--json")
    assert made(ended)["reads"][1:] == ["a.png", "net"] and made(ended)["fetches"] == []
    text = call("a dog", "--control", "pose:a.png:0.5", "--dry-run").out
    assert "control pose of a.png, scale 0.5\n" in text and "network net\n" in text
    hub = "lllyasviel/control_v11p_sd15_canny"
    ended = call("a dog", "--control", "edges:a.png", "--dry-run", "--json", network=hub)
    assert made(ended)["fetches"] == [f"{hub}, 1445 MB"] and made(ended)["reads"][1:] == ["a.png"]
    plain = made(call("a dog", "--dry-run", "--json", network=""))["about_memory_mb"]
    assert made(ended)["about_memory_mb"] - plain in (1445, 1445 // 2)  # of 16 bits on CUDA
    ended = call("a dog", "--control", "edges:a.png", "--offline", network=hub)
    assert ended.code == 3 and "not in the cache" in one_line(ended)


def test_bad_calls_are_one_line(call, cli, tiny_sdxl, tmp_path):
    Image.new("RGBA", (20, 20)).save("clear.png")
    Image.new("RGB", (1, 1)).save("pixel.png")
    Image.new("RGB", (20, 20), "grey").save("plain.png")
    Image.new("RGB", (20, 20)).save("black.png")
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    Path("text.png").write_text("no picture")
    for text, message in {
        "edges:gone.png": "no picture gone.png",
        "edges:clear.png": "is transparent",
        "edges:pixel.png": "pixel",
        "edges:plain.png": "no edges are found in plain.png",
        "pose:black.png": "is black throughout",
        "pose:moving.gif": "is animated",
        "pose:text.png": "text.png",
        "pose:.": "--control",
        "a.png": "begins with no kind",
        "sketch:a.png": "there is no kind 'sketch'",
        "edges:a.png:2.1": "out of range",
    }.items():
        ended = call("a dog", "--control", text)
        assert ended.code == 2 and message in one_line(ended), text
    ended = call("a dog", "--control", "edges:a.png", "--control", "pose:b.png")
    assert ended.code == 2 and "a call takes one" in one_line(ended)
    write_tiny_control(tmp_path / "xl", tiny_sdxl)
    ended = call("a dog", "--control", "edges:a.png", network="xl")
    assert ended.code == 2 and "is for Stable Diffusion XL" in one_line(ended)
    ended = call("a dog", "--control", "pose:a.png", network="")
    assert ended.code == 2 and "no usual ControlNet for pose" in one_line(ended)
    ended = cli("generate", "cat", "--control", "edges:a.png")
    line = one_line(ended)
    assert ended.code == 2 and "no ControlNet for sticker-mini" in line and "--init FILE" in line
    assert not Path("stickers").exists()


def test_broken_weights_are_one_line(call, tmp_path):
    weights = Path("net/diffusion_pytorch_model.safetensors")
    whole = weights.read_bytes()
    for content in (whole[:1000], b"", b"\x80\x04pickle", whole[:-4] + b"\x00\x00\xc0\x7f"):
        weights.write_bytes(content)
        ended = call("a dog", "--control", "edges:a.png")
        assert ended.code == 2 and "net" in one_line(ended)
    weights.write_bytes(whole)
    weights.rename("net/diffusion_pytorch_model.bin")
    ended = call("a dog", "--control", "edges:a.png")
    assert ended.code == 2 and "pickled" in one_line(ended)


def test_full_memory_is_one_line(call, monkeypatch):
    from stickerforge.models.control_network import ControlNetwork

    def fail(*arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(ControlNetwork, "residuals", fail)
    ended = call("a dog", "--control", "edges:a.png")
    assert ended.code == 3 and "memory" in one_line(ended)


def test_beside_init_mask_image_prompt_and_a_window(call, quick_sd, image_encoder, tmp_path):
    write_tiny_image_adapter(tmp_path / "ip.safetensors", quick_sd, "base")
    mask = Image.new("L", (60, 40))
    mask.paste(255, (0, 0, 60, 20))
    mask.save("mask.png")
    follow = ("--control", "pose:a.png")
    start = ("--init", "b.png", "--set", "init.strength=0.5", "--set", "init.mask=mask.png")
    like = ("--adapter", "ip.safetensors", "--image-prompt", "b.png")
    like += ("--set", f"image_prompt.encoder={image_encoder}")
    window = ("--set", "control.start=0.5")
    pictures = []
    for number, words in enumerate(
        ((), follow, start, (*start, *follow), (*like, *follow), (*like,), (*window, *follow))
    ):
        result = made(call("a dog", *words, "--json", "--out", str(number)))
        pictures.append(pixels_of(result["outputs"][0]["path"]).tobytes())
        if words == (*start, *follow):
            files = read_params(Path(result["outputs"][0]["path"]))["files"]
            assert files == {"init": "b.png", "mask": "mask.png", "control": "a.png"}
            again = made(call("--from", result["outputs"][0]["path"], "--json", "--out", "3"))
            assert again["outputs"][0]["skipped"]
    assert len(set(pictures)) == 7
    ended = call("a dog", *start, *follow, "--set", "control.end=0.5")
    assert ended.code == 2 and "no step lies between control.start" in one_line(ended)
    assert "from 0.5 on: give a smaller control.start or a larger control.end" in one_line(ended)


def test_rows_counts_and_long_prompts(call, tmp_path):
    long = " ".join(["a red dog beside a blue house"] * 12)
    (tmp_path / "prompts.csv").write_text(f"prompt,id\na cat,a\n{long},b\n")
    words = ("--prompts", "prompts.csv", "--control", "edges:a.png", "--json")
    ended = call(*words)
    paths = [Path(output["path"]) for output in made(ended)["outputs"]]
    assert [path.name for path in paths] == ["a.png", "b.png"] and not ended.json["warnings"]
    batch = ("--set", "sampling.batch=2", "--control", "edges:a.png", "--json")
    three = made(call("a dog", "--count", 3, *batch, "--out", "three"))["outputs"]
    alone = made(call("a dog", *batch, "--out", "alone"))["outputs"]
    assert Path(three[0]["path"]).read_bytes() == Path(alone[0]["path"]).read_bytes()


def test_xl_follows_a_picture_too(call, tiny_sdxl, tmp_path):
    write_tiny_control(tmp_path / "xl", tiny_sdxl)
    steps = ("--steps", 2, "--json")
    options = {"network": "xl", "model": tiny_sdxl}
    follows = made(call("a dog", "--control", "edges:a.png", *steps, **options))["outputs"][0]
    plain = made(call("a dog", *steps, model=tiny_sdxl, network=""))["outputs"][0]
    assert not np.array_equal(pixels_of(follows["path"]), pixels_of(plain["path"]))


def test_at_scale_zero_nothing_is_fetched(call):
    hub = "lllyasviel/control_v11p_sd15_canny"
    words = ("a dog", "--control", "edges:a.png:0", "--json")
    assert made(call(*words, "--dry-run", network=hub))["fetches"] == []
    ended = call(*words, "--offline", network=hub)
    assert made(ended)["outputs"] and "scale 0" in ended.json["warnings"][0]
