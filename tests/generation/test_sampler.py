"""The one primitive that turns texts and seeds into pixels."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention
from PIL import Image

from stickerforge.generation import sampler
from stickerforge.generation.sampler import (
    ConsistencyParams,
    GuidanceParams,
    SamplingParams,
    sample,
)
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.registry import find_model, load_model
from stickerforge.stickers.alpha import snap_alpha, unpremultiply
from stickerforge.stickers.despeckle import despeckle
from stickerforge.stickers.edges import clean_edges

GUIDANCE = GuidanceParams(scale=4.0)


@pytest.fixture(scope="module")
def model():
    return load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)


def test_alone_it_gives_the_pixels_of_the_command(cli, model):
    asked = ("--steps", 2, "--guidance", 4, "--size", "native", "--set", "matting=none", "--quiet")
    drawn = ("--set", "output.colours=drawn", "--set", "sampling.guidance_rescale=0")
    made = cli(
        "generate", "cat", "dog", "--seed", 6, "--negative", "grass", *asked, *drawn, "--json"
    )
    sampling = SamplingParams(steps=2, pixels=model.pixels)
    pixels = sample(model, ["cat", "dog"], [6, 7], sampling, GUIDANCE, negatives=["grass"] * 2)
    for output, planes in zip(made.outputs, pixels, strict=True):
        assert planes.shape == (4, 128, 128) and planes.dtype == torch.float32
        rgba = unpremultiply(clean_edges(despeckle(snap_alpha(planes.permute(1, 2, 0).numpy()))))
        with Image.open(Path(output["path"])) as picture:
            assert np.array_equal(np.asarray(picture), rgba)


def test_an_image_does_not_depend_on_its_company(model):
    sampling = SamplingParams(steps=2, pixels=model.pixels, batch=3)
    texts, seeds = ["cat", "dog", "tree", "car", "house"], [5, 6, 8, 10, 7]  # 5 and 8 collide
    together = list(sample(model, texts, seeds, sampling, GUIDANCE))
    assert len(together) == 5
    for text, seed, pixels in list(zip(texts, seeds, together, strict=True))[::2]:
        alone = list(sample(model, [text], [seed], sampling, GUIDANCE))
        assert len(alone) == 1 and torch.equal(alone[0], pixels)
    backwards = list(sample(model, texts[::-1], seeds[::-1], sampling, GUIDANCE))
    assert all(map(torch.equal, backwards, together[::-1]))


@pytest.mark.parametrize("consistency", [None, ConsistencyParams(0.5)])
def test_company_with_longer_prompts_changes_nothing(tiny_sd, consistency):
    """Those are read in more windows, and so would be the others if they shared a pass."""
    model = load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)
    sampling = SamplingParams(steps=2, pixels=model.pixels, batch=3)
    guidance = GuidanceParams(4.0, consistency=consistency)
    long = "A red cat sits here. " * 9
    texts, negatives = ["cat", long, "dog", "tree"], ["", "", "blurry " * 20, long + "x"]
    arguments = list(zip(texts, negatives, texts[1:] + texts[:1], strict=True))

    def draw(items):
        texts, negatives, base_texts = zip(*items, strict=True)
        seeds = [arguments.index(item) for item in items]
        return list(
            sample(
                model, texts, seeds, sampling, guidance, negatives=negatives, base_texts=base_texts
            )
        )

    together = draw(arguments)
    for item, pixels in zip(arguments, together, strict=True):
        assert torch.equal(draw([item])[0], pixels)
    assert all(map(torch.equal, draw(arguments[::-1]), together[::-1]))


def test_a_long_prompt_is_read_to_its_last_word(tiny_sd):
    model = load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)
    sampling = SamplingParams(steps=1, pixels=model.pixels)

    def differ(text, other, **options):
        first, second = (
            next(sample(model, [said], [1], sampling, GUIDANCE, **options))
            for said in (text, other)
        )
        return not torch.equal(first, second)

    long = "A red cat sits here. " * 20
    assert differ(long + "no", long + "yes")
    first, second = (
        next(sample(model, ["cat"], [1], sampling, GUIDANCE, negatives=[long + end]))
        for end in ("no", "yes")
    )
    assert not torch.equal(first, second)
    model.long_prompts = LongPrompts("cut")
    assert not differ(long + "no", long + "yes")
    model.long_prompts = LongPrompts("longalign", 500)
    assert differ(long + "no", long + "yes")


@pytest.mark.parametrize(("scale", "calls"), [(4.0, 2), (1.0, 2)])
def test_prompts_that_fit_are_encoded_in_as_many_passes_as_ever(model, monkeypatch, scale, calls):
    given, real = [], model.text_encoders[0].core.forward
    monkeypatch.setattr(
        model.text_encoders[0].core,
        "forward",
        lambda *args, **options: given.append(options["input_ids"].shape) or real(*args, **options),
    )
    sampling = SamplingParams(steps=1, pixels=model.pixels, batch=2)
    list(sample(model, ["cat", "dog"], [0, 1], sampling, GuidanceParams(scale)))
    assert given == [(2, 77)] * calls


def test_every_step_is_reported_with_the_images_that_it_advanced(model):
    sampling, steps = SamplingParams(steps=2, pixels=model.pixels, batch=2), []
    images = sample(model, ["cat"] * 3, [1, 2, 3], sampling, GUIDANCE, on_step=steps.append)
    assert steps == [], "nothing is sampled before it is wanted"
    assert len(list(images)) == 3 and steps == [2, 2, 1, 1]


def test_texts_and_seeds_must_be_as_many(model):
    sampling = SamplingParams(steps=1, pixels=model.pixels)
    with pytest.raises(ValueError):
        sample(model, ["cat", "dog"], [1], sampling, GUIDANCE)
    with pytest.raises(ValueError):
        sample(model, ["cat"], [1], sampling, GUIDANCE, negatives=["grass", "leaf"])
    assert list(sample(model, [], [], sampling, GUIDANCE)) == []


@pytest.mark.parametrize("guidance", [GUIDANCE, GuidanceParams(scale=1.0)])
def test_texts_and_their_projections_are_computed_once(model, guidance, monkeypatch):
    """The same pixels as with everything computed anew in each step and for each image."""
    sampling = SamplingParams(steps=3, pixels=model.pixels)
    texts, encoded = ["cat", "cat", "dog"], []
    real = model.encode_prompt
    monkeypatch.setattr(
        model, "encode_prompt", lambda texts, *length: encoded.append(texts) or real(texts, *length)
    )
    attention = next(
        module
        for module in model.denoiser.modules()
        if isinstance(module, Attention) and module.is_cross_attention
    )
    images = list(sample(model, texts, [1, 2, 3], sampling, guidance))
    assert sorted(set(encoded)) == sorted(encoded) and ("cat",) in encoded
    assert "forward" not in vars(attention.to_k), "nothing stays behind"
    monkeypatch.setattr(sampler, "keep_text_projections", lambda network: nullcontext())
    monkeypatch.setattr(sampler, "lru_cache", lambda maxsize: lambda function: function)
    plain = list(sample(model, texts, [1, 2, 3], sampling, guidance))
    assert all(map(torch.equal, images, plain))
