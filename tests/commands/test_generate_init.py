"""Variations of pictures, and parts painted anew, by whole commands."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from stickerforge.stickers.image_files import read_params
from tests.conftest import one_line
from tests.tiny import as_flow

FAST = ("--steps", 4, "--size", "native", "--quiet", "--json")
HALF = ("--set", "init.strength=0.5")


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGBA"))


def content(ended):
    assert ended.code == 0, ended.out
    return [
        hashlib.sha256(Path(output["path"]).read_bytes()).hexdigest() for output in ended.outputs
    ]


@pytest.fixture
def sticker(cli):
    """A drawing of the size that is sampled."""
    made = cli("generate", "cat", "--seed", 1, "--out", "first", *FAST)
    return Path(made.outputs[0]["path"]).rename("cat.png")


@pytest.fixture
def mask(sticker):
    """White above, black below."""
    picture = Image.new("L", (128, 128))
    picture.paste(255, (0, 0, 128, 64))
    picture.save("top.png")
    return "top.png"


def test_variations_and_their_names(cli, sticker):
    start = ("--init", sticker, *HALF)
    made = cli("generate", "dog", "--count", 2, "--seed", 5, *start, *FAST)
    again = cli("generate", "dog", "--seed", 6, "--out", "again", *start, *FAST)
    assert content(made)[1:] == content(again), "each can be made alone"
    plain = cli("generate", "dog", "--count", 2, "--seed", 5, *FAST)
    assert not set(content(made)) & set(content(plain))
    assert made.json["result"]["init"] == {"file": "cat.png", "strength": 0.5, "mask": None}
    assert plain.json["result"]["init"] is None
    recipes = [output["recipe"] for ended in (made, plain) for output in ended.outputs]
    assert len(set(recipes)) == 4
    rerun = cli("generate", "dog", "--count", 2, "--seed", 5, *start, *FAST)
    assert all(output["skipped"] for output in rerun.outputs)
    other = cli("generate", "dog", "--seed", 5, "--init", sticker, *FAST)
    assert other.outputs[0]["recipe"] not in recipes, "another strength is another picture"


def test_the_strength_that_is_not_given_is_saved_and_the_file_read_again(cli, sticker):
    made = cli("generate", "dog", "--seed", 5, "--init", sticker, *FAST)
    assert read_params(Path(made.outputs[0]["path"]))["init"]["strength"] == 0.6
    again = cli("generate", "--config", "stickers/generate.toml", "--out", "again", *FAST)
    assert content(made) == content(again)


def test_full_strength_is_the_prompt_alone(cli, sticker):
    made = cli("generate", "dog", "--seed", 5, "--init", sticker, "--set", "init.strength=1", *FAST)
    assert made.json["warnings"] == ["--init does nothing with init.strength=1 and no init.mask"]
    plain = cli("generate", "dog", "--seed", 5, "--out", "plain", *FAST)
    first, second = (pixels(ended.outputs[0]["path"]) for ended in (made, plain))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("size", ["native", 200, 512])
@pytest.mark.parametrize("options", [(), ("--style", "flat")])
def test_what_the_mask_leaves_is_the_picture_to_the_bit(cli, size, options, tmp_path):
    drawn = cli("generate", "cat", "--seed", 1, *FAST[:2], "--size", size, *FAST[4:])
    original = drawn.outputs[0]["path"]
    side = len(pixels(original))
    white = np.zeros((side, side), np.uint8)
    white[: side // 2] = 255
    Image.fromarray(white).save("top.png")
    start = ("--init", original, "--set", "init.mask=top.png", "--set", "init.strength=1", *options)
    made = cli("generate", "dog", "--seed", 5, *start, *FAST[:2], "--size", size, *FAST[4:])
    result, before = pixels(made.outputs[0]["path"]), pixels(original)
    assert np.array_equal(result[side // 2 :], before[side // 2 :])
    assert not np.array_equal(result[: side // 2], before[: side // 2])
    assert made.json["result"]["init"]["mask"] == "top.png"


def test_of_a_strangers_picture_visible_pixels_stay_and_nothing_else(cli, mask):
    rgba = np.random.default_rng(0).integers(0, 256, (128, 128, 4), np.uint8)
    rgba[..., 3] = np.where(rgba[..., 3] > 100, 255, 0)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Author", "Jane Doe")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.fromarray(rgba).save("strange.png", pnginfo=chunks, exif=exif)
    start = ("--init", "strange.png", "--set", f"init.mask={mask}")
    made = cli("generate", "dog", "--seed", 5, *start, *FAST)
    file = Path(made.outputs[0]["path"])
    result, before = pixels(file)[64:], rgba[64:]
    assert np.array_equal(result[..., 3], before[..., 3])
    seen = before[..., 3] > 0
    assert np.array_equal(result[seen], before[seen])
    assert not np.array_equal(result[~seen], before[~seen]), "colours of what was cut away"
    assert not any(word in file.read_bytes() for word in (b"Jane", b"at home"))


def test_a_rectangle_is_painted_in_a_square(cli):
    Image.new("RGB", (300, 150), "red").save("wide.png")
    Image.new("L", (300, 150), 255).save("white.png")
    start = ("--init", "wide.png", "--set", "init.mask=white.png")
    made = cli("generate", "dog", "--seed", 5, *start, *FAST)
    result = pixels(made.outputs[0]["path"])
    assert result.shape == (128, 128, 4)
    assert not result[:32, :, 3].any() and not result[96:, :, 3].any(), "nothing lies beside it"


def test_a_model_without_alpha_paints_on_white(cli, quick_sd, sticker, mask):
    options = ("--model", quick_sd, "--set", "matting=none", "--seed", 5, "--quiet", "--json")
    start = ("--init", sticker, "--set", f"init.mask={mask}")
    made = cli("generate", "dog", *start, *options, "--size", 128)
    result, before = pixels(made.outputs[0]["path"]), pixels(sticker)
    assert np.array_equal(result[64:], before[64:])
    assert (result[:64, :, 3] == 255).all()


@pytest.mark.parametrize("scheduler", ["model", "ddim", "euler", "dpm++"])
@pytest.mark.parametrize("folder", ["tiny_sd", "tiny_sdxl"])
def test_every_family_and_scheduler_starts_from_pictures(cli, request, scheduler, folder, sticker):
    model = request.getfixturevalue(folder)
    options = (
        "--model",
        model,
        "--set",
        "matting=none",
        "--set",
        f"sampling.scheduler={scheduler}",
    )
    made = cli("generate", "dog", "--seed", 5, "--init", sticker, *options, *FAST)
    plain = cli("generate", "dog", "--seed", 5, *options, *FAST)
    assert content(made) != content(plain)


def test_a_model_that_follows_a_flow_starts_from_pictures(cli, tiny_sd, tmp_path, sticker, mask):
    flow = as_flow(tiny_sd, tmp_path / "flow")
    options = ("--model", flow, "--set", "matting=none", "--init", sticker)
    made = cli("generate", "dog", "--seed", 5, *options, *FAST)
    masked = ("--set", f"init.mask={mask}")
    assert content(made) != content(cli("generate", "dog", "--seed", 5, *options, *masked, *FAST))


def test_a_picture_remembers_what_it_was_started_from(cli, sticker, mask):
    start = ("--init", sticker, "--set", f"init.mask={mask}", *HALF)
    made = cli("generate", "dog", "--seed", 5, *start, *FAST)
    path = made.outputs[0]["path"]
    params = read_params(Path(path))
    assert params["files"] == {"init": "cat.png", "mask": "top.png"}
    assert params["init"]["strength"] == 0.5
    again = cli("generate", "--from", path, "--out", "again", "--quiet", "--json")
    assert content(again) == content(made)

    sticker.rename("moved.png")
    failed = cli("generate", "--from", path, "--out", "gone")
    assert failed.code == 2
    assert "a picture that is not here: cat.png; give it as --init FILE" in one_line(failed)
    given = cli("generate", "--from", path, "--init", "moved.png", "--out", "third", *FAST[4:])
    first, third = (pixels(ended.outputs[0]["path"]) for ended in (made, given))
    assert np.array_equal(first, third)
    assert given.outputs[0]["recipe"] == made.outputs[0]["recipe"] and not given.json["warnings"]
    Image.new("RGB", (128, 128), "red").save("red.png")
    other = cli("generate", "--from", path, "--init", "red.png", "--out", "red", *FAST[4:])
    assert other.code == 0
    assert other.json["warnings"] == [
        "the picture was started from other files than these of --init: the new one will differ"
    ]


def test_a_picture_that_forgets_its_prompt_forgets_its_files(cli, sticker):
    forget = ("--set", "output.prompt=false")
    made = cli("generate", "dog", "--seed", 5, "--init", sticker, *forget, *FAST)
    path = Path(made.outputs[0]["path"])
    params = read_params(path)
    assert "init" not in params and "files" not in params
    assert b"cat.png" not in path.read_bytes()
    assert "cat.png" not in Path("stickers/generate.toml").read_text()


def test_a_dry_run_names_what_it_reads_and_fewer_steps(cli, sticker, mask):
    start = ("--init", sticker, "--set", f"init.mask={mask}", "--seed", 5)
    ended = cli("generate", "dog", *start, "--steps", 100, "--dry-run", "--json")
    assert ended.json["result"]["reads"][1:] == ["cat.png", "top.png"]
    plain = cli("generate", "dog", "--seed", 5, "--steps", 100, "--dry-run", "--json")
    assert ended.json["result"]["about_seconds"] < plain.json["result"]["about_seconds"]
    lines = cli("generate", "dog", *start, "--dry-run").out
    assert "init    cat.png" in lines and "mask    top.png" in lines
    assert not Path("stickers").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--init", "gone.png"), "--init: no picture gone.png"),
        (("--set", "init.strength=0.5"), "init.strength is about the picture of --init"),
        (("--set", "init.mask=top.png"), "init.mask is about the picture of --init"),
        (("--init", "cat.png", "--set", "init.mask=gone.png"), "init.mask: no picture gone.png"),
        (("--init", "cat.png", "--set", "init.strength=0"), "init.strength = 0.0 is out of range"),
        (
            ("--init", "cat.png", "--set", "init.strength=1.5"),
            "init.strength = 1.5 is out of range",
        ),
        (
            ("--init", "cat.png", "--set", "init.strength=0.2", "--steps", 4),
            "no step of 4 is left with init.strength = 0.2; give --steps 5 or more",
        ),
        (("--init", "."), "it is a folder, not a file"),
    ],
)
def test_what_cannot_be_is_one_line(cli, sticker, mask, options, message):
    ended = cli("generate", "dog", "--seed", 5, "--out", "new", *options)
    assert ended.code == 2 and message in one_line(ended)
    assert not Path("new").exists()


def test_a_prompt_is_still_needed(cli, sticker):
    ended = cli("generate", "--init", sticker)
    assert ended.code == 2 and "no prompt given" in one_line(ended)


def test_all_prompts_of_a_file_start_from_the_picture(cli, sticker):
    Path("prompts.csv").write_text("prompt,id,negative\na cat,a,grass\na dog,b,\n")
    options = ("--prompts", "prompts.csv", "--init", sticker, "--seed", 1, *FAST)
    made = cli("generate", *options)
    assert [Path(output["path"]).name for output in made.outputs] == ["a.png", "b.png"]
    digests = {read_params(Path(o["path"]))["init"]["sha256"] for o in made.outputs}
    assert len(digests) == 1
    ended = cli("generate", *options, *HALF)
    assert ended.code == 2 and "made with another seed or other settings" in ended.out


def test_what_was_taught_is_painted_too(taught, sticker, mask):
    start = ("--init", sticker, "--set", f"init.mask={mask}", *HALF, "--seed", 3, *FAST)
    led = taught(
        "generate", "a <blob>", "--style", "crayon", "--set", "sampling.consistency=1", *start
    )
    own = taught("generate", "a <blob>", "--style", "crayon", *start)
    assert led.code == own.code == 0
    assert content(led) != content(own)


def test_a_window_of_consistency_counts_the_steps_of_the_whole_schedule(taught, sticker):
    window = (
        "--set",
        "sampling.consistency=1",
        "--set",
        "sampling.consistency_end=0.5",
        "--seed",
        3,
    )
    ended = taught("generate", "a <blob>", "--init", sticker, *HALF, *window, *FAST[:-1])
    assert ended.code == 2 and "no step lies between" in one_line(ended)
    late = ("--set", "sampling.consistency_start=0.6", "--set", "sampling.consistency_end=0.8")
    made = taught("generate", "a <blob>", "--init", sticker, *HALF, *window[:2], *late, *FAST)
    assert made.code == 0


def test_a_picture_with_a_ground_keeps_it_and_nothing_is_cut_out(cli, quick_sd, tmp_path):
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "photo.png")
    Image.new("RGBA", (64, 64), (0, 90, 90, 120)).save(tmp_path / "glass.png")
    for name, matting in (("photo", "none"), ("glass", "isnet-general-use")):
        options = ("--model", quick_sd, "--init", tmp_path / f"{name}.png", "--dry-run", "--json")
        result = cli("generate", "a dog", *options).json["result"]
        assert result["matting"] == matting
        assert bool(result["fetches"]) <= (matting != "none")


def test_a_mask_too_fine_for_the_file_is_refused(cli, tmp_path):
    Image.new("RGB", (1600, 1600), "teal").save(tmp_path / "large.png")
    mask = Image.new("L", (1600, 1600))
    mask.putpixel((800, 800), 255)
    mask.save(tmp_path / "dot.png")
    files = ("--init", tmp_path / "large.png", "--set", f"init.mask={tmp_path / 'dot.png'}")
    line = one_line(cli("generate", "cat", *files, "--size", "native"))
    assert "fades in a file of 128 pixels" in line


def test_grey_of_a_mask_mixes_once(cli, sticker, tmp_path):
    original = pixels(sticker).astype(float)
    changes = {}
    for grey in (128, 255):
        Image.new("L", (128, 128), grey).save(tmp_path / "mask.png")
        options = ("--init", sticker, "--set", f"init.mask={tmp_path / 'mask.png'}", "--seed", 3)
        made = cli("generate", "a fish", *options, "--set", "init.strength=1", *FAST)
        drawn = pixels(made.outputs[0]["path"]).astype(float)
        changes[grey] = np.abs(drawn[..., 3] - original[..., 3]).mean()
    assert changes[128] == pytest.approx(changes[255] / 2, rel=0.05)
