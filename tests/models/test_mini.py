"""What is promised of the embedded model's folder."""

import hashlib
import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from hypothesis import given, settings
from hypothesis import strategies as st

from stickerforge.models.checksums import verify
from stickerforge.models.registry import EMBEDDED, find_model, load_model
from stickerforge.sampling.denoise import denoise
from stickerforge.sampling.guidance import ClassifierFree

FOLDER = EMBEDDED["sticker-mini"]


@pytest.fixture(scope="module")
def model():
    return load_model(find_model("sticker-mini"), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def pipeline():
    loaded = StableDiffusionPipeline.from_pretrained(FOLDER)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def test_it_stays_within_its_size():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30e6
    assert max(path.stat().st_size for path in files) < 16e6
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".txt", ".md"}


def test_its_shape(model):
    assert sum(p.numel() for p in model.denoiser.parameters()) <= 12e6
    assert max(model.latent_shape(model.pixels)[1:]) <= 16
    assert model.denoiser.config.in_channels != 4, (
        "stock img2img takes any 4-channel picture for latents"
    )
    assert model.denoiser.config.cross_attention_dim % 64 == 0
    assert (model.vae.config.in_channels, model.vae.config.out_channels) == (4, 4)
    assert model.text_encoders[0].tokenizer.model_max_length == 77
    assert (
        model.text_encoders[0].encoder.config.eos_token_id
        == model.text_encoders[0].tokenizer.eos_token_id
        != 2
    )


def test_every_file_is_listed_and_intact():
    verify(FOLDER)
    listed = json.loads((FOLDER / "stickerforge.json").read_text())["files"]
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert files - set(listed) == {"README.md", "stickerforge.json"}
    assert all(
        hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest
        for name, digest in listed.items()
    )


def test_saved_keys_have_the_usual_prefix():
    from safetensors import safe_open

    with safe_open(FOLDER / "text_encoder" / "model.safetensors", "pt") as file:
        assert all(key.startswith("text_model.") for key in file.keys())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_no_text_yields_the_unknown_token(model, text):
    ids = model.text_encoders[0].tokenizer(text, add_special_tokens=False).input_ids
    if "<|" not in text:
        assert model.text_encoders[0].tokenizer.unk_token_id not in ids


def test_every_byte_is_in_the_vocabulary(model):
    from tokenizers import pre_tokenizers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    assert len(alphabet) == 256
    assert {c for c in alphabet} | {c + "</w>" for c in alphabet} <= set(
        model.text_encoders[0].tokenizer.get_vocab()
    )


def test_plain_diffusers_draws_the_same(model, pipeline):
    noise = torch.randn((1, *model.latent_shape(128)), generator=torch.Generator().manual_seed(1))
    theirs = pipeline(
        "cat in flat style",
        latents=noise.clone(),
        num_inference_steps=4,
        guidance_scale=4.0,
        output_type="pil",
    ).images[0]
    text, empty = model.encode_prompt(["cat in flat style"]), model.encode_prompt([""])
    ours = model.decode(
        denoise(
            model.predict,
            model.noise_process.scheduler("model", 4, noise.shape[1:]),
            noise,
            ClassifierFree(text, empty, 4.0),
        )
    )[0]
    assert (theirs.mode, theirs.size) == ("RGBA", (128, 128))
    expected = np.asarray(theirs).astype(np.float32) / 255
    assert np.abs(ours.permute(1, 2, 0).numpy() - expected).max() < 2 / 255


def test_the_prompt_decides_the_picture(model):
    """The same noise under other words is another image, and its ground is clear."""
    prompts = ["tomato in twemoji style", "dolphin in twemoji style"]
    noise = torch.randn(
        (1, *model.latent_shape(128)), generator=torch.Generator().manual_seed(2)
    ).expand(2, -1, -1, -1)
    text, empty = model.encode_prompt(prompts), model.encode_prompt(["", ""])
    red, blue = model.decode(
        denoise(
            model.predict,
            model.noise_process.scheduler("model", 12, noise.shape[1:]),
            noise,
            ClassifierFree(text, empty, 4.0),
        )
    )
    assert (red[0] - red[2]).sum() > 0 > (blue[0] - blue[2]).sum()
    for picture in (red, blue):
        assert picture[3, :4, :4].mean() < 0.1
        assert picture[3].mean() > 0.1
