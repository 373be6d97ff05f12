"""Prompts of any length: what fits is what diffusers makes of it, and the rest is read as well."""

import re

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from stickerforge.errors import InputError
from stickerforge.models.card import read_card
from stickerforge.models.long_prompts import LongPrompts, base_prompts, shared_rule
from stickerforge.models.registry import find_model, load_model
from tests.tiny import edit_json, write_tiny_sd

CPU = torch.device("cpu")
LONGALIGN = LongPrompts("longalign")
OFFICIAL = LongPrompts("longalign", splitter="official")
# The tiny tokenizers have one token a letter.
SENTENCES = [
    "A red cat sits on a big table, and it has a hat.",  # 38 letters and marks
    "Two dogs look at it! There is a tree behind them.",
    "Is the sky blue? It is, with 3.5 white clouds and a sun.",
]
LONG = " ".join(SENTENCES * 2)
FOLDERS = ["tiny_sd", "tiny_sdxl"]


def load(folder):
    return load_model(find_model(str(folder)), CPU, torch.float32)


@pytest.fixture(params=FOLDERS)
def model(request):
    return load(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def shared(tiny_sd):
    """A model for many texts; each test says how it reads them."""
    return load(tiny_sd)


@pytest.fixture(scope="module")
def beside_diffusers(tiny_sd, tiny_sdxl):
    """(a pipeline of diffusers, our model) for either family."""
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, safety_checker=None)
    xl_pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl)
    return (pipeline, load(tiny_sd)), (xl_pipeline, load(tiny_sdxl))


@pytest.fixture
def calls(model, monkeypatch):
    """Every batch that the first encoder of the model is given."""
    given, real = [], model.text_encoders[0].encode
    monkeypatch.setattr(
        model.text_encoders[0], "encode", lambda texts: given.append(list(texts)) or real(texts)
    )
    return given


def plain(model, text):
    """A text of one window as the encoders read it."""
    return model.encode_windows([text])["hidden"][0]


@pytest.mark.parametrize("prompt", ["a cat", "a" * 75, " Two  cats. ", "猫猫", "?!", "🐱"])
@torch.no_grad()
def test_a_prompt_that_fits_is_encoded_as_the_pipeline_of_diffusers_does_it(
    prompt, beside_diffusers
):
    (pipeline, model), (xl_pipeline, xl_model) = beside_diffusers
    expected, negative = pipeline.encode_prompt(prompt, CPU, 1, True, negative_prompt="a dog")
    assert torch.equal(model.encode_prompt([prompt])["hidden"], expected)
    assert torch.equal(model.encode_prompt(["a dog"])["hidden"], negative)
    expected, negative, pooled, _ = xl_pipeline.encode_prompt(prompt, device=CPU)
    encoded = xl_model.encode_prompt([prompt])
    assert torch.equal(encoded["hidden"], expected) and torch.equal(encoded["pooled"], pooled)
    assert torch.equal(xl_model.encode_prompt([""])["hidden"], negative)


@torch.no_grad()
def test_what_fits_takes_one_pass_and_what_does_not_one_a_window_and_one_for_padding(model, calls):
    model.encode_prompt(["a cat", "a" * 75, ""])
    assert calls == [["a cat", "a" * 75, ""]]
    calls.clear()
    model.encode_prompt(["a cat", LONG])
    assert len(calls) == len(model.windows.divide(LONG, LongPrompts())) + 1
    assert all(len(batch) == 2 for batch in calls), "a text keeps its row"


@torch.no_grad()
def test_a_long_prompt_is_read_window_by_window(model):
    parts = model.windows.divide(LONG, LongPrompts())
    assert len(parts) >= 3 and " ".join(parts) == LONG
    assert all(part.endswith((".", "!", "?")) for part in parts), "whole sentences"
    text = model.encode_prompt([LONG])
    counts = [len(part.replace(" ", "")) for part in parts]
    states = [plain(model, part)[: n + 1] for part, n in zip(parts[:-1], counts, strict=False)]
    expected = torch.cat([*states, plain(model, parts[-1])])
    windows = -(-len(expected) // 77)
    assert text["hidden"].shape[1] == 77 * windows and model.context_windows(LONG) == windows
    hidden, rest = text["hidden"][0].split([len(expected), 77 * windows - len(expected)])
    torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(rest, plain(model, "")[77 - len(rest) :], rtol=0, atol=1e-6)
    if "pooled" in text:
        first = model.encode_windows([parts[0]])["pooled"]
        torch.testing.assert_close(text["pooled"], first, rtol=0, atol=1e-6)


@torch.no_grad()
def test_prompts_and_negatives_have_one_length(model):
    windows = model.context_windows(LONG)
    together = model.encode_prompt(["a cat", LONG, "", SENTENCES[0]])
    assert together["hidden"].shape[:2] == (4, 77 * windows)
    assert torch.equal(model.encode_prompt(["a cat"], 2)["hidden"][0, :77], plain(model, "a cat"))
    alone = model.encode_prompt([""], windows)
    torch.testing.assert_close(together["hidden"][2:3], alone["hidden"], rtol=0, atol=1e-6)
    torch.testing.assert_close(
        together["hidden"][0, 77:], plain(model, "").repeat(windows - 1, 1), rtol=0, atol=1e-6
    )
    if "pooled" in alone:  # what the pipeline makes of no prompt, however long
        assert alone["hidden"].count_nonzero() == alone["pooled"].count_nonzero() == 0


def derive_official(folder, captions, length=240):
    """LongAlign's encoding, written from its description alone: for one encoder or two."""
    segments = []
    for caption in captions:
        parts = [part + "." for part in re.split(r'"!|\.|\?|;"', caption) if len(part) > 0]
        segments.append(parts or [""])
    flat = [part for parts in segments for part in parts]
    kinds, states, pads = [("", CLIPTextModel)], [], []
    if (folder / "text_encoder_2").exists():
        kinds.append(("_2", CLIPTextModelWithProjection))
    for suffix, kind in kinds:
        words = CLIPTokenizer.from_pretrained(folder / f"tokenizer{suffix}")
        encoder = kind.from_pretrained(folder / f"text_encoder{suffix}").eval()

        def encode(texts, padding, words=words, encoder=encoder):
            tokens = words(
                texts, padding=padding, truncation=True, max_length=77, return_tensors="pt"
            )
            output = encoder(tokens.input_ids, output_hidden_states=True)
            last = output.hidden_states[-2] if len(kinds) > 1 else output.last_hidden_state
            return tokens.input_ids, last

        ids, hidden = encode(flat, "longest")
        keep = (ids != words.pad_token_id) & (ids != words.eos_token_id)
        states.append([row[kept] for row, kept in zip(hidden, keep, strict=True)])
        pads.append(encode([""], "max_length")[1][0, -60:].mean(0))
    joined = [torch.cat(parts, -1) for parts in zip(*states, strict=True)]
    pad, rows = torch.cat(pads, -1), []
    for parts in segments:
        row = torch.cat([joined.pop(0) for _ in parts])[:length]
        rows.append(torch.cat([row, pad.expand(length - len(row), -1)]))
    return torch.stack(rows)


@pytest.mark.parametrize("length", [240, 60])
@pytest.mark.parametrize("folder", FOLDERS)
@torch.no_grad()
def test_longalign_is_the_official_encoding(folder, length, request):
    path = request.getfixturevalue(folder)
    model = load(path)
    model.long_prompts = LongPrompts("longalign", length, splitter="official")
    captions = [
        'A cat sits. "Wow"! It is 3.5 m tall; really? Yes! done',
        "no punctuation",
        "Ends with dot. ",
        LONG,
        "Mr. Fox at 10 a.m.",
        "",
    ]
    ours = model.encode_prompt(captions)["hidden"]
    expected = derive_official(path, captions, length)
    if folder == "tiny_sdxl":  # whose base model was trained on zeros for no prompt
        expected[-1] = 0
    assert ours.shape == expected.shape and (ours - expected).abs().max() < 5e-6  # rounded


@pytest.mark.parametrize("text", ["a cat", SENTENCES[1], "猫。犬。", "?!", "", LONG])
@torch.no_grad()
def test_the_states_of_longalign(model, text):
    before = model.encode_windows([text])
    model.long_prompts = LONGALIGN
    encoded = model.encode_prompt([text, "a dog"])
    assert encoded["hidden"].shape[1] == 240 and model.context_windows(text) == 1
    parts = model.windows.divide(text, LONGALIGN)
    used = sum(model.windows.count(part) + 1 for part in parts)
    assert used == len(text.replace(" ", "").encode()) + len(parts) or "猫" in text
    if text and len(parts) == 1:
        n = model.windows.count(text)
        ours, plain_states = encoded["hidden"][0, : n + 1], before["hidden"][0, : n + 1]
        torch.testing.assert_close(ours, plain_states, rtol=0, atol=1e-6)
    if "pooled" in encoded and text not in ("", LONG):
        torch.testing.assert_close(encoded["pooled"][:1], before["pooled"], rtol=0, atol=1e-6)
    assert bool(model.unread_text(text)) == (used > 240)


@torch.no_grad()
def test_a_pad_of_its_own_and_one_of_another_model(model):
    width = model.encode_prompt(["a"])["hidden"].shape[-1]
    model.long_prompts = LongPrompts("longalign", 50, pad=(0.25,) * width)
    assert (model.encode_prompt(["a cat"])["hidden"][0, 5:] == 0.25).all()
    model.long_prompts = LongPrompts("longalign", 50, pad=(0.25,) * (width + 1))
    with pytest.raises(InputError, match=f"pad has {width + 1} numbers.*{width}"):
        model.encode_prompt(["a cat"])


@torch.no_grad()
def test_what_longalign_has_no_room_for_is_named(model):
    model.long_prompts = LongPrompts("longalign", 31)
    text = "A red cat sits here. Two dogs look at it! And so ON."
    assert model.unread_text(text) == "it! And so ON."
    assert model.unread_text("A red cat sits here.") == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?!. ,;" * 40,
        "🐱🐶" * 60,
        "a cat قطة حمراء 猫 " * 20,
        "x" * 1000,
        "\u200f\u202b" * 40,
        "word " * 500,
    ],
)
@pytest.mark.parametrize("rule", [LongPrompts(), LONGALIGN, OFFICIAL, LongPrompts("cut")])
@torch.no_grad()
def test_any_text_is_encoded(shared, text, rule):
    model = shared
    model.long_prompts = rule
    hidden = model.encode_prompt([text])["hidden"]
    assert hidden.isfinite().all() and len(hidden) == 1
    assert hidden.shape[1] == (
        240 if rule.mode == "longalign" else 77 * model.context_windows(text)
    )
    states = sum(model.windows.count(part) + 1 for part in model.windows.divide(text, rule))
    room = {"compat": states, "longalign": 240, "cut": 76}[rule.mode]
    assert bool(model.unread_text(text)) == (states > room)


def test_a_placeholder_is_one_token_and_stays_whole(model):
    text = "a cat " * 18 + "<my dog. x> " * 3 + "a tree " * 10
    model.add_token("<my dog. x>", model.word_embeddings("dog"))
    parts = model.windows.divide(text, LongPrompts())
    assert sum(part.count("<my dog. x>") for part in parts) == 3 and len(parts) > 1
    model.encode_prompt([text])["hidden"].square().mean()
    for rows in model.text_encoders:
        rows.embedding.rows[0].requires_grad_(True)
    model.encode_prompt([text])["hidden"].square().mean().backward()
    assert all(rows.embedding.rows[0].grad.abs().sum() > 0 for rows in model.text_encoders)


def test_a_card_says_how_its_model_reads_long_prompts(tmp_path):
    folder = write_tiny_sd(tmp_path / "model")
    assert read_card(folder, "x").long_prompts == LongPrompts("compat")
    assert find_model("sticker-mini").long_prompts == LongPrompts("cut")
    (folder / "stickerforge.json").write_text("{}")
    edit_json(folder / "stickerforge.json", long_prompts={"mode": "longalign", "length": 99})
    model = load(folder)
    assert model.encode_prompt(["a cat"])["hidden"].shape[1] == 99
    with base_prompts(model):
        assert model.long_prompts.length == 99
    for broken in ({"mode": "cut it"}, {"length": 0}, {"pad": ["x"]}, [], {"splitter": 1}):
        edit_json(folder / "stickerforge.json", long_prompts=broken)
        with pytest.raises(InputError, match=r"stickerforge.json is broken: long_prompts"):
            find_model(str(folder))


def test_adapters_of_different_modes_are_not_used_together():
    assert shared_rule([("a", None), ("b", None)]) is None
    assert shared_rule([("a", None), ("b", LONGALIGN), ("c", LONGALIGN)]) == LONGALIGN
    for other in (LongPrompts("longalign", 300), LongPrompts("compat"), OFFICIAL):
        with pytest.raises(InputError, match="a was trained to read prompts as .* and c as"):
            shared_rule([("a", LONGALIGN), ("b", None), ("c", other)])
