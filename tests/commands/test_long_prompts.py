"""Long prompts, from the command line: read to the last word, or the words not read are named."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from stickerforge.adapters import store
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.errors import InputError
from stickerforge.models.checksums import fingerprint
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.registry import find_model
from tests.conftest import one_line

WORDS = "A red cat sits on a big table. Two dogs look at it, and a tree stands behind them. "
LONG = WORDS * 9  # 162 words
KEEP = ("--set", "words.unknown=keep")
ONCE = ("--steps", 1, "--seed", 1, "--size", "native", "--set", "matting=none")


def cutting(model, tmp_path, **card):
    """A copy of a model folder that reads as many words as fit."""
    folder = shutil.copytree(model, tmp_path / "cutting")
    card |= {"long_prompts": {"mode": "cut"}, "sampling": {"steps": 2}}
    (folder / "stickerforge.json").write_text(json.dumps(card))
    return folder


def not_read(ended):
    return [line for line in ended.json["warnings"] if "not read" in line]


@pytest.mark.parametrize("folder", ["tiny_sd", "tiny_sdxl"])
def test_prompts_and_negatives_are_read_to_the_last_word(cli, request, folder):
    call = ("generate", *ONCE, "--model", request.getfixturevalue(folder), "--json")
    pictures = set()
    other = LONG + "zebra " * 20
    for prompt, negative in ((LONG, ""), (other, ""), ("cat", LONG), ("cat", other)):
        ended = cli(*call, prompt, "--negative", negative)
        assert ended.code == 0 and not not_read(ended)
        with Image.open(ended.outputs[0]["path"]) as image:
            pictures.add(np.asarray(image).tobytes())
    assert len(pictures) == 4


def test_sticker_mini_names_the_first_words_that_it_does_not_read(cli):
    prompt, negative = "red cat and " * 25 + "Zebra, two dogs", "grass, " * 40 + "Leaf"
    ended = cli("generate", *ONCE, *KEEP, prompt, "--negative", negative, "--json")
    first, second = not_read(ended)
    assert first.startswith("sticker-mini reads 75 tokens; not read of the prompt: 'Zebra, two")
    assert "not read of the negative prompt: 'grass" in second and len(first) < 200
    assert not not_read(cli("generate", *ONCE, *KEEP, "red cat and " * 25, "--json"))


@pytest.mark.parametrize(
    "text", ["?!.,;" * 70, "🐱🐶👨\u200d👩\u200d👧 " * 40, "a cat قطة حمراء。猫 " * 30]
)
def test_odd_prompts_are_read(cli, tiny_sd, text):
    ended = cli("generate", *ONCE, "--model", tiny_sd, text, "--json")
    assert ended.code == 0 and not not_read(ended)


@pytest.mark.parametrize(("text", "what"), [("", "is empty"), ("word " * 10_000, "at most 4000")])
def test_what_is_no_prompt_is_refused_in_one_line(cli, tiny_sd, text, what):
    ended = cli("generate", *ONCE, "--model", tiny_sd, text)
    assert ended.code == 2 and what in one_line(ended)


def test_captions_of_different_lengths_are_learned_from(cli, tiny_sd, art, tmp_path):
    (art / "one.txt").write_text("a blob. " + LONG)
    (art / "two.txt").write_text("a blob, short")
    (art / "three.txt").write_text(LONG + "The last thing is a blob.")
    call = ("customize", art, "--subject", "blob", "--steps", 2, "--batch", 3, "--rank", 2)
    call += ("--set", "preview.count=0", "--json")
    ended = cli(*call, "--model", tiny_sd, "--set", "training.text_rank=2")
    assert ended.code == 0 and not not_read(ended), ended.out
    made = cli(
        "generate", *ONCE, f"{LONG} and a <blob>", "--set", "sampling.consistency=1", "--json"
    )
    assert made.code == 0 and not not_read(made)
    call += ("--force", "--model", cutting(tiny_sd, tmp_path))
    ended = cli(*call)
    assert ended.code == 4 or ended.code == 2
    assert "mentions <blob> too late to be read" in ended.out
    (art / "three.txt").unlink()
    ended = cli(*call)
    assert ended.code == 0, ended.out
    (line,) = not_read(ended)
    assert "not read of the caption of one.png: 'it" in line or "of one.png: '" in line


def save_adapter(name, model, rule):
    card = find_model(str(model))
    return store.save(
        name,
        AdapterWeights({}, {f"<{name}>": {"clip_l": torch.ones(64)}}),
        kind="subject",
        base=store.Base(str(model), "", fingerprint(card.folder)),
        tokens={f"<{name}>": "cat"},
        phrase="",
        made={},
        long_prompts=rule,
    )


def test_an_adapter_keeps_how_it_reads_prompts(cli, tiny_sd):
    rule = LongPrompts("longalign", 99, pad=(0.1, -2.5), splitter="official")
    adapter = save_adapter("one", tiny_sd, rule)
    assert store.find("one") == adapter and store.find("one").long_prompts == rule
    path = store.folder("one") / store.CARD
    path.write_text(json.dumps(json.loads(path.read_text()) | {"long_prompts": {"length": "x"}}))
    with pytest.raises(InputError, match=r"is broken: long_prompts.length"):
        store.find("one")
    save_adapter("two", tiny_sd, None)
    assert "long_prompts" not in json.loads((store.folder("two") / store.CARD).read_text())


def test_prompts_are_read_as_the_adapters_in_use_were_trained(cli, tiny_sd):
    save_adapter("plain", tiny_sd, None)
    save_adapter("long", tiny_sd, LongPrompts("longalign", 120))
    save_adapter("other", tiny_sd, LongPrompts("longalign", 130))

    def drawn(name, *options, prompt="a red cat. It runs."):
        ended = cli("generate", *ONCE, prompt, "--adapter", name, *options, "--json", "--force")
        assert ended.code == 0
        with Image.open(ended.outputs[0]["path"]) as image:
            return np.asarray(image).tobytes(), not_read(ended)

    assert drawn("plain")[0] != drawn("long")[0] != drawn("other")[0]
    base = drawn("plain", "--set", "sampling.consistency=0")
    assert base == drawn("long", "--set", "sampling.consistency=0"), (
        "the base reads prompts in its own way"
    )
    _, (line,) = drawn("long", prompt=LONG)
    assert "tiny-sd reads 120 tokens; not read of the prompt: '" in line
    ended = cli("generate", *ONCE, "cat", "--adapter", "long", "--adapter", "other", "--dry-run")
    assert ended.code == 2 and "long was trained to read prompts as longalign" in one_line(ended)
    ended = cli("merge", "long", "other", "--name", "both")
    assert ended.code == 2 and "use one of them" in one_line(ended)
    assert cli("merge", "long", "plain", "--name", "both").code == 0
    assert store.find("both").long_prompts == LongPrompts("longalign", 120)


def test_previews_and_class_images_name_what_is_not_read_as_well(cli, tiny_sd, art, tmp_path):
    folder = cutting(tiny_sd, tmp_path, class_prompt=f"a {{}} {'red, ' * 40}so Long")
    prompt = f"a {{}} {'big, ' * 40}so High"
    ended = cli(
        *("customize", art, "--subject", "blob", "--model", folder, "--steps", 2, "--rank", 2),
        *("--set", "training.prior_weight=1", "--set", "training.prior_count=1", "--json"),
        *("--set", f"preview.prompts={json.dumps([prompt])}", "--set", "preview.count=1"),
    )
    assert ended.code == 0, ended.out
    assert len(not_read(ended)) == 2
    for line in not_read(ended):
        assert line.startswith("cutting reads 75 tokens; not read of the prompt: '"), line
