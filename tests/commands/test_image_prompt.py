"""`generate --image-prompt` on tiny random models and image adapters."""

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from stickerforge.adapters import store
from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import IMAGE
from stickerforge.models.checksums import fingerprint
from stickerforge.stickers.image_files import read_params
from tests.conftest import one_line
from tests.tiny import tiny_image_adapter, write_tiny_image_adapter

PLAIN = ("--size", "native", "--set", "matting=none", "--seed", 3)


@pytest.fixture
def call(cli, quick_sd, image_encoder, tmp_path):
    """The command line with a model, an image adapter, an encoder, and two pictures."""
    write_tiny_image_adapter(tmp_path / "ip.safetensors", quick_sd, "base")
    for number, name in enumerate(("ref", "other")):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")

    def run(*words, adapter="ip.safetensors", encoder=image_encoder, model=quick_sd):
        options = [*(("--adapter", adapter) if adapter else ()), "--model", model, *PLAIN]
        options += ["--set", f"image_prompt.encoder={encoder}"] if encoder else []
        return cli("generate", *words, *options)

    return run


def pixels_of(path):
    return np.asarray(Image.open(path)).astype(int)


def made(ended):
    assert ended.code == 0, ended.out + ended.err
    return ended.json["result"]


def test_a_prompt_with_a_picture(call, tmp_path):
    result = made(call("a dog", "--image-prompt", "ref.png:0.6", "--json"))
    (output,) = result["outputs"]
    params = read_params(Path(output["path"]))
    prompt = params["image_prompt"]
    (reference,) = prompt["references"]
    assert reference["scale"] == 0.6 and len(reference["sha256"]) == 16
    assert params["references"] == ["ref.png"] and prompt["encoder"] == "tiny-vision"
    assert prompt["fit"] == "crop" and len(prompt["fingerprint"]) == 16
    assert result["image_prompt"]["pictures"] == ["ref.png"]
    assert result["image_prompt"]["adapter"] == "ip.safetensors"
    saved = tomllib.loads(Path(result["config"]).read_text())
    assert saved["image_prompt"]["pictures"] == ["ref.png:0.6"]
    plain = made(call("a dog", "--json", "--out", "plain", adapter="", encoder=""))["outputs"][0]
    assert "image_prompt" not in read_params(Path(plain["path"]))
    assert np.abs(pixels_of(output["path"]) - pixels_of(plain["path"])).max() > 0
    again = made(call("a dog", "--image-prompt", "ref.png:0.6", "--json"))["outputs"][0]
    assert again["skipped"] and again["path"] == output["path"]
    nothing = made(call("a dog", "--image-prompt", "ref.png:0", "--json", "--out", "zero"))
    zero = nothing["outputs"][0]["path"]
    assert np.array_equal(pixels_of(zero), pixels_of(plain["path"]))
    assert made(call("a dog", "--json", "--out", "idle"))["outputs"][0]["recipe"] != plain["recipe"]


def test_digests_are_of_contents_scales_and_settings_and_not_of_names(call, tmp_path):
    def recipe(picture, *words):
        ended = call("a dog", "--image-prompt", picture, *words, "--json", "--dry-run")
        return made(ended)["writes"][0]

    shutil.copy("ref.png", "copy.png")
    one = recipe("ref.png")
    assert recipe("copy.png") == recipe("ref.png:0.5") == one
    others = [recipe("other.png"), recipe("ref.png:0.4")]
    settings = ("fit=pad", "ground=000000", "end=0.5", "start=0.2")
    others += [recipe("ref.png", "--set", f"image_prompt.{setting}") for setting in settings]
    assert len({one, *others}) == 7


def test_a_picture_alone_is_what_files_are_named_after(call):
    result = made(call("--image-prompt", "ref.png", "--json", "--count", 2))
    paths = [Path(output["path"]) for output in result["outputs"]]
    assert [path.name[:6] for path in paths] == ["ref-3-", "ref-4-"]
    params = read_params(paths[0])
    assert params["prompt"] == params["text"] == ""
    assert params["image_prompt"]["references"][0]["scale"] == 1.0
    again = made(call("--from", paths[0], "--json"))["outputs"][0]
    assert again["skipped"] and again["path"] == str(paths[0])
    styled = made(call("--image-prompt", "ref.png", "--style", "flat", "--json", "--dry-run"))
    assert Path(styled["writes"][0]).name.startswith("ref-3-")


def masks(*names):
    return "--set", f"image_prompt.masks={json.dumps(names)}"


TWO = ("a dog", "--image-prompt", "ref.png:0.8", "--image-prompt", "other.png:0.8", "--json")


@pytest.fixture
def halves(call):
    """left.png and right.png: masks of other sizes than what is drawn."""
    for name, side, box in (("left", 64, (0, 0, 32, 64)), ("right", 16, (8, 0, 16, 16))):
        mask = Image.new("L", (side, side))
        mask.paste(255, box)
        mask.save(f"{name}.png")


def test_masks_say_where_each_picture_acts(call, halves):
    result = made(call(*TWO, *masks("left.png", "right.png")))
    (output,) = result["outputs"]
    params = read_params(Path(output["path"]))
    assert [set(one) for one in params["image_prompt"]["references"]] == [
        {"sha256", "scale", "mask"}
    ] * 2
    assert params["reference_masks"] == ["left.png", "right.png"]
    assert result["image_prompt"]["masks"] == ["left.png", "right.png"]
    saved = tomllib.loads(Path(result["config"]).read_text())
    assert saved["image_prompt"]["masks"] == ["left.png", "right.png"]
    again = made(call("--config", result["config"], "--json"))["outputs"][0]
    assert again["skipped"] and again["path"] == output["path"]
    swapped = made(call(*TWO, *masks("right.png", "left.png")))["outputs"][0]
    plain = made(call(*TWO))["outputs"][0]
    assert "reference_masks" not in read_params(Path(plain["path"]))
    paths = [one["path"] for one in (output, swapped, plain)]
    assert len({pixels_of(path).tobytes() for path in paths}) == len(set(paths)) == 3


def test_one_mask_is_a_text_and_does_not_depend_on_pictures_beside_it(call, halves):
    words = ("a dog", "--image-prompt", "ref.png", "--set", "image_prompt.masks=left.png")
    words += ("--json", "--set", "sampling.batch=2")
    alone = made(call(*words, "--out", "alone"))["outputs"][0]["path"]
    three = made(call(*words, "--out", "three", "--count", 3))["outputs"][0]["path"]
    assert Path(alone).read_bytes() == Path(three).read_bytes()


def test_masks_beside_consistency_init_and_a_window(call, halves, tmp_path):
    lora = ("--adapter", lora_file(tmp_path / "lora.safetensors"), "--image-prompt", "ref.png:1")
    others = ("--set", "sampling.consistency=2", "--init", "other.png")
    others += ("--set", "init.strength=0.5", "--set", "image_prompt.start=0.5")
    words = ("a dog", *lora, *others, "--json")
    files = [
        made(call(*words, *own, "--out", out))["outputs"][0]["path"]
        for own, out in ((masks("left.png"), "left"), ((), "whole"))
    ]
    assert not np.array_equal(*map(pixels_of, files))


def test_a_picture_is_repeated_where_its_masks_are_here(call, halves):
    first = made(call(*TWO, *masks("left.png", "right.png")))["outputs"][0]
    repeat = ("--from", first["path"], "--json")
    assert made(call(*repeat))["outputs"][0]["skipped"]
    Path("elsewhere").mkdir()
    shutil.move("right.png", "elsewhere/moved.png")
    line = call(*repeat).json["error"]
    assert line["message"].endswith("was prompted with a mask that is not here: right.png")
    assert line["hint"] == """give --set 'image_prompt.masks=["left.png", "right.png"]'"""
    given = masks("left.png", "elsewhere/moved.png")
    assert made(call(*repeat, *given))["outputs"][0]["skipped"]
    shutil.copy("left.png", Path(first["path"]).parent / "right.png")
    assert call(*repeat).code == 2  # the name, and another content
    shutil.copy("elsewhere/moved.png", Path(first["path"]).parent / "right.png")
    assert made(call(*repeat))["outputs"][0]["skipped"]
    same = TWO[1:-1]  # the pictures of the image, given again
    assert made(call(*repeat, *same))["outputs"][0]["skipped"]
    ended = call(*repeat, "--image-prompt", "other.png:0.8")  # others: the masks are left out
    assert made(ended)["image_prompt"]["masks"] == []
    assert any("other pictures, scales or masks" in line for line in ended.json["warnings"])
    ended = call(*repeat, "--set", "image_prompt.masks=[]")
    assert made(ended)["image_prompt"]["masks"] == []
    assert any("other pictures, scales or masks" in line for line in ended.json["warnings"])


def test_a_file_that_forgets_its_prompt_forgets_its_masks(call, halves):
    words = ("--set", "output.prompt=false")
    result = made(call(*TWO, *masks("left.png", "right.png"), *words))
    params = read_params(Path(result["outputs"][0]["path"]))
    assert not {"image_prompt", "references", "reference_masks"} & set(params)
    assert "left.png" not in Path(result["config"]).read_text()


def test_bad_masks_are_one_line(call, halves):
    Image.new("L", (32, 32)).save("black.png")
    Image.new("L", (32, 64), 255).save("high.png")
    for given, line in (
        (masks("left.png"), "has 1 mask, --image-prompt 2 pictures; give one for each"),
        (masks("left.png", "black.png"), "the mask black.png is black throughout"),
        (
            masks("left.png", "high.png"),
            "is 32 x 64 pixels, what is drawn 32 x 32; give a square",
        ),
        (masks("left.png", "gone.png"), "image_prompt.masks: no picture gone.png"),
        (("--set", "image_prompt.masks=3"), "is not a list of texts"),
    ):
        ended = call(*TWO[:-1], *given)
        assert ended.code == 2 and line in one_line(ended)
    ended = call("a dog", *masks("left.png"))
    assert ended.code == 2 and "there are none; give --image-prompt FILE too" in one_line(ended)


def test_a_dry_run_reads_the_masks(call, halves):
    result = made(call(*TWO, *masks("left.png", "right.png"), "--dry-run"))
    assert result["reads"][1:5] == ["ref.png", "other.png", "left.png", "right.png"]


def test_without_words_and_pictures_there_is_no_prompt(call):
    assert "no prompt given" in one_line(call())


def test_a_picture_is_repeated_where_its_reference_is_here(call, tmp_path):
    first = made(call("a dog", "--image-prompt", "ref.png:0.6", "--json"))["outputs"][0]
    again = made(call("--from", first["path"], "--json"))["outputs"][0]
    assert again["skipped"] and again["recipe"] == first["recipe"]
    (tmp_path / "elsewhere").mkdir()
    shutil.move("ref.png", "elsewhere/renamed.png")
    line = one_line(call("--from", first["path"]))
    assert "not here: ref.png; give --image-prompt ref.png:0.6" in line
    given = ("--image-prompt", "elsewhere/renamed.png:0.6")
    again = made(call("--from", first["path"], *given, "--json"))["outputs"][0]
    assert again["skipped"]
    shutil.copy("elsewhere/renamed.png", Path(first["path"]).parent / "ref.png")
    assert made(call("--from", first["path"], "--json"))["outputs"][0]["skipped"]
    shutil.copy("other.png", Path(first["path"]).parent / "ref.png")
    assert "not here: ref.png" in one_line(call("--from", first["path"]))
    ended = call("--from", first["path"], "--image-prompt", "other.png:0.6", "--json")
    assert any("prompted with other pictures" in line for line in ended.json["warnings"])
    line = one_line(call("--from", first["path"], *given, encoder=""))
    assert "image encoder of a folder" in line


@pytest.mark.parametrize(
    "prompt",
    [
        {"references": []},
        {"references": [{"sha256": "0" * 16}]},
        {"references": [3]},
        {"references": "x", "fit": "crop"},
        {"references": [{"sha256": "0" * 16, "scale": 1.0}], "fit": ["crop"]},
        {"references": [{"sha256": 1, "scale": 1.0}]},
        {"references": [{"sha256": "0" * 16, "scale": 1.0}], "encoder": {"a": 1}},
        {"references": [{"sha256": "0" * 16, "scale": 1.0, "mask": 3}]},
        {"references": [{"sha256": "0" * 16, "scale": 1.0, "mask": None}]},
        {"references": [{"sha256": "0", "scale": 1, "mask": "0"}, {"sha256": "0", "scale": 1}]},
    ],
)
def test_a_strangers_picture_says_what_cannot_be(prompt, call):
    from stickerforge.stickers.image_files import encode_image

    params = {"prompt": "cat", "seed": 1, "image_prompt": prompt}
    Path("x.png").write_bytes(encode_image(np.zeros((8, 8, 4), np.uint8), params, "t", "png"))
    assert "what cannot be as" in one_line(call("--from", "x.png"))


def test_a_strangers_picture_fetches_no_encoder(call):
    from stickerforge.stickers.image_files import encode_image

    params = {"prompt": "cat", "seed": 1, "references": ["/etc/ref.png"]}
    prompt = {"references": [{"sha256": "0" * 16, "scale": 1.0}], "encoder": "owner/name/part"}
    picture = encode_image(
        np.zeros((8, 8, 4), np.uint8), params | {"image_prompt": prompt}, "t", "png"
    )
    Path("x.png").write_bytes(picture)
    assert "not here: ref.png" in one_line(call("--from", "x.png", encoder=""))
    ended = call("--from", "x.png", "--image-prompt", "ref.png", encoder="")
    assert ended.code == 3 and "owner/name/part, which is not here" in one_line(ended)


def test_a_file_that_forgets_its_prompt_forgets_its_pictures(call):
    words = ("--image-prompt", "ref.png", "--set", "output.prompt=false", "--json")
    result = made(call("a dog", *words))
    params = read_params(Path(result["outputs"][0]["path"]))
    assert not {"prompt", "image_prompt", "references", "adapter", "adapters"} & set(params)
    assert "ref.png" not in Path(result["config"]).read_text()


def test_a_dry_run_says_what_is_read_and_fetched(call, image_encoder, quick_sd, tmp_path):
    result = made(call("a dog", "--image-prompt", "ref.png", "--dry-run", "--json"))
    assert result["reads"][1:] == ["ref.png", str(image_encoder), "ip.safetensors"]
    assert result["fetches"] == []
    result = made(call("a dog", "--image-prompt", "ref.png", "--dry-run", "--json", encoder=""))
    assert result["fetches"] == ["h94/IP-Adapter/models/image_encoder, 2528 MB"]
    ended = call("a dog", "--image-prompt", "ref.png", "--offline", encoder="")
    assert ended.code == 3 and "not in the cache" in one_line(ended)


def test_bad_calls_are_one_line(call, quick_sd, tiny_sdxl, tmp_path, cli):
    write_tiny_image_adapter(tmp_path / "xl.safetensors", tiny_sdxl, "plus")
    ended = call("a dog", "--image-prompt", "ref.png", adapter="xl.safetensors")
    assert ended.code == 2 and "texts of width 96" in one_line(ended)
    ended = call("a dog", "--image-prompt", "ref.png", adapter="")
    assert ended.code == 2 and "needs an image adapter" in one_line(ended)
    eight = tiny_image_adapter(quick_sd, "base", tokens=8)
    save_file(eight, tmp_path / "eight.safetensors")
    ended = call("a dog", "--image-prompt", "ref.png", adapter="eight.safetensors")
    assert ended.code == 2 and "8 tokens" in one_line(ended)
    ended = call("a dog", "--image-prompt", "ref.png:3")
    assert ended.code == 2 and "out of range" in one_line(ended)
    ended = call("a dog", "--image-prompt", "ref.png", encoder=tmp_path)
    assert ended.code == 2 and "no config.json" in one_line(ended)
    ended = call("a dog", "--image-prompt", "ref.png", "--set", "sampling.consistency=2")
    assert ended.code == 2 and "none is in use" in one_line(ended)
    ended = cli("generate", "dog", "--image-prompt", "ref.png", "--adapter", "ip.safetensors")
    assert ended.code == 2 and "those of sticker-mini" in one_line(ended)


def test_a_faceid_file_is_refused_and_the_loras_of_the_user_stay(call, quick_sd, tmp_path):
    """Its bundled LoRA would switch theirs off in diffusers."""
    face = tiny_image_adapter(quick_sd, "base")
    face["ip_adapter.0.to_q_lora.down.weight"] = torch.ones(4, 64)
    save_file(face, tmp_path / "face.safetensors")
    ended = call("a dog", "--image-prompt", "ref.png", adapter="face.safetensors")
    assert ended.code == 2 and "IP-Adapter FaceID" in one_line(ended)


def lora_file(path):
    random = torch.Generator().manual_seed(0)
    layer = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q"
    factors = {
        f"{layer}.lora_A.weight": torch.randn(2, 64, generator=random),
        f"{layer}.lora_B.weight": torch.randn(64, 2, generator=random),
    }
    save_file(factors, path)
    return path


def test_a_lora_and_consistency_beside_a_picture(call, tmp_path):
    lora = ("--adapter", lora_file(tmp_path / "lora.safetensors"))
    words = ("a dog", *lora, "--json")
    both = made(call(*words, "--image-prompt", "ref.png", "--out", "both"))["outputs"][0]["path"]
    alone = made(call(*words, "--out", "alone"))["outputs"][0]["path"]
    led = made(
        call(*words, "--image-prompt", "ref.png", "--set", "sampling.consistency=2", "--out", "led")
    )
    paths = [both, alone, led["outputs"][0]["path"]]
    pictures = [pixels_of(path) for path in paths]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
    zero = made(call(*words, "--image-prompt", "ref.png:0", "--out", "zero"))["outputs"][0]["path"]
    assert np.array_equal(pixels_of(zero), pictures[1])


def test_a_picture_to_start_from_beside_one_to_draw_like(call):
    start = ("--init", "other.png", "--set", "init.strength=0.5")
    like = ("--image-prompt", "ref.png")
    files = [
        made(call("a dog", *words, "--json", "--out", out))["outputs"][0]["path"]
        for words, out in ((start, "a"), ((*start, *like), "b"), (like, "c"))
    ]
    assert len({pixels_of(path).tobytes() for path in files}) == 3
    again = made(call("--from", files[1], "--json", "--out", "b"))["outputs"][0]
    assert again["skipped"]
    late = ("--set", "image_prompt.end=0.5")
    assert "no step lies between" in one_line(call("a dog", *start, *like, *late))


def test_a_long_prompt_beside_a_picture(call):
    prompt = " ".join(["a red dog beside a blue house"] * 12)
    ended = call(prompt, "--image-prompt", "ref.png", "--json")
    assert made(ended)["outputs"] and not ended.json["warnings"]


def test_an_image_adapter_of_the_store(call, quick_sd, tmp_path, cli):
    weights = IMAGE.read(read_file(tmp_path / "ip.safetensors"))
    base = store.Base(str(quick_sd), "", fingerprint(quick_sd))
    store.save("look", weights, kind="image", base=base, tokens={}, phrase="", made={})
    named = made(call("a dog", "--image-prompt", "ref.png", "--json", adapter="look"))
    path = made(call("a dog", "--image-prompt", "ref.png", "--json", "--out", "file"))
    pictures = [pixels_of(one["outputs"][0]["path"]) for one in (named, path)]
    assert np.array_equal(*pictures)
    ended = cli("adapters", "show", "look", "--json")
    assert ended.code == 0 and json.loads(ended.out)["result"]["kind"] == "image"
    halved = made(call("a dog", "--image-prompt", "ref.png:1", "--json", adapter="look:0.5"))
    assert np.array_equal(pixels_of(halved["outputs"][0]["path"]), pictures[0])
    ended = cli("merge", "look", "look", "--name", "both")
    assert ended.code == 2
    ended = cli("generate", "dog", "--style", "look")
    assert ended.code == 2 and "is no style" in one_line(ended)


def test_rows_of_a_file_share_the_pictures(call, tmp_path):
    (tmp_path / "prompts.csv").write_text("prompt,id\na cat,a\na dog,b\n")
    result = made(call("--prompts", "prompts.csv", "--image-prompt", "ref.png", "--json"))
    assert [Path(output["path"]).name for output in result["outputs"]] == ["a.png", "b.png"]
    scales = {
        read_params(Path(output["path"]))["image_prompt"]["references"][0]["scale"]
        for output in result["outputs"]
    }
    assert scales == {0.5}


def test_a_picture_does_not_depend_on_those_beside_it(call):
    words = ("--image-prompt", "ref.png", "--json", "--set", "sampling.batch=2")
    alone = made(call("a dog", *words, "--out", "alone"))["outputs"][0]["path"]
    three = made(call("a dog", *words, "--out", "three", "--count", 3))["outputs"][0]["path"]
    assert Path(alone).read_bytes() == Path(three).read_bytes()
