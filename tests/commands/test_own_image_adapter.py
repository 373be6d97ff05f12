"""`generate --image-prompt` on sticker-mini, with the image adapter that it comes with."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import IMAGE
from stickerforge.models.checksums import fingerprint
from stickerforge.models.registry import find_model
from stickerforge.stickers.image_files import read_params
from tests.commands.conftest import sticker
from tests.conftest import one_line

QUICK = ("--seed", 3, "--size", "native", "--json", "--set", "sampling.steps=4")


@pytest.fixture
def draw(cli):
    """From words of the command line to (pixels, path, what ended)."""
    sticker("#c03a2b").save("apple.png")
    sticker("#2030d0", (90, 120)).save("fish.png")

    def draw(*words):
        ended = cli("generate", *words, *QUICK)
        assert ended.code == 0, ended.out + ended.err
        path = Path(ended.outputs[0]["path"])
        return np.asarray(Image.open(path)).astype(int), path, ended

    return draw


def test_the_file_is_small_and_listed_and_no_part_of_the_model_itself(tmp_path):
    card = find_model("sticker-mini")
    path = card.image_adapter_file
    assert path.stat().st_size < 4_000_000
    weights = IMAGE.read(read_file(path))
    assert (weights.encoder, weights.shape.tokens) == ("second", 4)
    copy = shutil.copytree(card.folder, tmp_path / "copy")
    entries = json.loads((copy / "stickerforge.json").read_text())
    assert path.name in entries["files"]
    del entries["files"][entries.pop("image_adapter")]
    (copy / "stickerforge.json").write_text(json.dumps(entries))
    assert fingerprint(copy) == fingerprint(card.folder)


def test_a_picture_beside_words_and_alone(draw):
    plain, *_ = draw("a cat")
    both, path, ended = draw("a cat", "--image-prompt", "apple.png:1")
    assert np.abs(both - plain).max() > 0 and not ended.json["warnings"]
    params = read_params(path)
    assert params["image_prompt"]["encoder"] == "second"
    (used,) = params["adapters"]
    assert used["adapter"] == "image-adapter.safetensors"
    other, *_ = draw("a cat", "--image-prompt", "fish.png:1")
    assert np.abs(other - both).max() > 0
    nothing, *_ = draw("a cat", "--image-prompt", "fish.png:0")
    assert np.array_equal(nothing, plain)
    _, path, _ = draw("--image-prompt", "apple.png")
    assert path.name.startswith("apple-3-")
    params = read_params(path)
    assert (params["prompt"], params["text"]) == ("", "a sticker")
    _, path, _ = draw("--image-prompt", "apple.png", "--style", "flat")
    assert read_params(path)["text"] == "a sticker, in flat style"


def test_pictures_are_repeated_with_it(draw, cli):
    _, path, _ = draw("a cat", "--image-prompt", "apple.png:0.7")
    again = cli("generate", "--from", path, "--json")
    assert again.code == 0 and again.outputs[0]["skipped"], again.out
    assert not again.json["warnings"]
    Path("apple.png").unlink()
    ended = cli("generate", "--from", path)
    assert ended.code == 2 and "--image-prompt apple.png:0.7" in one_line(ended)


def test_words_that_name_nothing_are_read_beside_a_picture(draw, cli):
    pictured, path, _ = draw("a sticker in flat style", "--image-prompt", "apple.png")
    assert read_params(path)["text"] == "a sticker in flat style"
    refused = cli("generate", "a sticker in flat style")
    assert refused.code == 2 and "names nothing" in one_line(refused)


def test_a_mask_says_where_it_acts(draw):
    mask = np.zeros((128, 128), np.uint8)
    mask[:, :64] = 255
    Image.fromarray(mask).save("left.png")
    plain, *_ = draw("a cat")
    left, *_ = draw(
        "a cat", "--image-prompt", "fish.png:1.5", "--set", "image_prompt.masks=left.png"
    )
    difference = np.abs(left - plain)[..., :3].mean((0, 2))
    assert difference[:64].mean() > difference[64:].mean()


def test_a_damaged_one_is_named(cli, tmp_path):
    copy = shutil.copytree(find_model("sticker-mini").folder, tmp_path / "copy")
    path = copy / "image-adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"oops")
    sticker("#c03a2b").save("apple.png")
    ended = cli("generate", "a cat", "--image-prompt", "apple.png", "--model", copy)
    assert ended.code in (2, 3) and "image-adapter.safetensors" in one_line(ended)
