"""Rewards on tiny random models, against transformers' own passes and formulas in float64."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from stickerforge.errors import InputError
from stickerforge.models.rewards import QUESTION, load_reward, yes_tokens
from stickerforge.sampling.prompt_segments import fit
from tests.tiny import tiny_vision, write_preprocessor


def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)) for _ in range(3)]


@pytest.fixture(scope="module")
def aesthetic(tmp_path_factory):
    """A vision tower with a head of two layers beside it, in one file."""
    folder = tmp_path_factory.mktemp("rewards") / "tiny-aesthetic"
    torch.manual_seed(1)
    transformers.CLIPVisionModelWithProjection(tiny_vision()).save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    for number, (before, after) in {
        0: (24, 16),
        2: (16, 8),
        4: (8, 6),
        6: (6, 4),
        7: (4, 1),
    }.items():
        tensors |= {
            f"layers.{number}.weight": torch.randn(after, before),
            f"layers.{number}.bias": torch.randn(after),
        }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    write_preprocessor(folder, "CLIPImageProcessor", 32)
    return folder


def test_a_preference_is_the_logit_of_transformers(clip):
    prompts = ["a cat", "two dogs eat", "a red cat"]
    found = load_reward("pickscore", str(clip))
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    inputs = transformers.AutoImageProcessor.from_pretrained(clip)(pictures(), return_tensors="pt")
    tokens = transformers.AutoTokenizer.from_pretrained(clip)(
        prompts, padding="max_length", max_length=20, return_tensors="pt"
    )
    with torch.no_grad():
        expected = (
            model(pixel_values=inputs["pixel_values"], **tokens)
            .logits_per_image.diagonal()
            .double()
            .numpy()
        )
    np.testing.assert_allclose(found.scores(pictures(), prompts), expected, rtol=1e-5)
    assert found.name == "tiny-clip" and found.needs_text


def test_an_aesthetic_score_is_linear_in_the_unit_features(aesthetic):
    found = load_reward("aesthetic", str(aesthetic))
    tower = transformers.CLIPVisionModelWithProjection.from_pretrained(aesthetic).eval()
    inputs = transformers.AutoImageProcessor.from_pretrained(aesthetic)(
        pictures(), return_tensors="pt"
    )
    with torch.no_grad():
        features = tower(**inputs).image_embeds.double().numpy()
    x = features / np.linalg.norm(features, axis=1, keepdims=True)
    tensors = {
        key: value.double().numpy()
        for key, value in load_file(aesthetic / "model.safetensors").items()
        if key[:6] == "layers"
    }
    for number in (0, 2, 4, 6, 7):
        x = x @ tensors[f"layers.{number}.weight"].T + tensors[f"layers.{number}.bias"]
    np.testing.assert_allclose(found.scores(pictures(), ["", "", ""]), x[:, 0], rtol=1e-4)


def test_a_relative_of_the_aesthetic_predictor_is_refused(aesthetic, tmp_path):
    """That with ReLUs has other layer numbers; without them every score would be wrong."""
    folder = shutil.copytree(aesthetic, tmp_path / "relu")
    tensors = load_file(folder / "model.safetensors")
    numbers = {0: 0, 2: 3, 4: 6, 6: 9, 7: 11}
    renamed = {}
    for key, value in tensors.items():
        head, _, rest = key.removeprefix("layers.").partition(".")
        renamed[f"layers.{numbers[int(head)]}.{rest}" if key.startswith("layers.") else key] = value
    save_file(renamed, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="its head has the layers"):
        load_reward("aesthetic", str(folder))


def test_yes_is_found_with_and_without_a_space():
    class Words:
        def __call__(self, text, add_special_tokens):
            return type("Ids", (), {"input_ids": {"Yes": [5], " Yes": [7]}[text]})

        def decode(self, ids):
            return {5: "Yes", 7: " Yes"}[ids[0]]

    assert yes_tokens(Words()) == [5, 7]


def test_vqascore_is_the_chance_of_yes(vlm):
    found = load_reward("vqascore", str(vlm))
    prompts = ["a red cat", "a dog", "a dog"]
    scores = found.scores(pictures(), prompts)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(vlm).eval()
    processor = transformers.AutoProcessor.from_pretrained(vlm)
    for picture, prompt, score in zip(pictures(), prompts, scores, strict=True):
        text = f"USER: <image> {QUESTION.format(prompt)} ASSISTANT:"
        with torch.no_grad():
            logits = (
                model(**processor(text=text, images=picture, return_tensors="pt"))
                .logits[0, -1]
                .double()
                .numpy()
            )
        chances = np.exp(logits - logits.max())
        assert score == pytest.approx(chances[22] / chances.sum(), rel=1e-6)
    assert len(set(scores)) == 3


@pytest.mark.parametrize("kind", ["pickscore", "aesthetic", "vqascore"])
def test_a_folder_of_something_else_is_one_line(tmp_path, dinov2, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    for folder in (tmp_path, dinov2):
        with pytest.raises(InputError):
            load_reward(kind, str(folder))


def test_a_long_prompt_is_scored_to_its_last_word(clip):
    found, long = load_reward("hpsv2", str(clip)), "a red cat eats. " * 9
    first, second = (
        found.scores(pictures(), ["a cat", "two dogs", prompt]) for prompt in (long, long + "dog")
    )
    np.testing.assert_allclose(first[:2], second[:2], rtol=1e-6)
    assert first[2] != second[2]
    parts = fit([long], found.encoder.count_tokens, found.encoder.text_tokens)
    each = [found.scores([pictures()[2]], [part])[0] for part in parts]
    np.testing.assert_allclose(first[2], np.mean(each), rtol=1e-5)
