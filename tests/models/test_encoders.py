"""Encoders of transformers, on tiny random ones, against transformers' own forward passes."""

import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from stickerforge.errors import InputError
from stickerforge.models.encoders import encode_texts, load_encoder
from stickerforge.sampling.prompt_segments import fit
from tests.tiny import edit_json

WHITE = (255, 255, 255)


def pictures():
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, (40, 40, 4), np.uint8)),
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)),
    ]


def test_the_clip_score_is_that_of_transformers(clip):
    """logits_per_image of CLIPModel's own forward is scale times our cosine."""
    ours = load_encoder(str(clip))
    sentences = ["a cat", "two dogs eat"]
    cosines = ours.images(pictures(), WHITE) @ ours.texts(sentences).T
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    laid = []
    for picture in pictures():
        behind = Image.new("RGBA", picture.size, (*WHITE, 255))
        laid.append(Image.alpha_composite(behind, picture.convert("RGBA")).convert("RGB"))
    processor = transformers.AutoImageProcessor.from_pretrained(clip)
    words = transformers.AutoTokenizer.from_pretrained(clip)
    tokens = words(sentences, padding="max_length", max_length=20, return_tensors="pt")
    with torch.no_grad():
        logits = model(
            pixel_values=processor(laid, return_tensors="pt")["pixel_values"], **tokens
        ).logits_per_image
        expected = (logits / model.logit_scale.exp()).numpy()
    np.testing.assert_allclose(cosines, expected, atol=1e-5)


def test_the_ground_is_what_is_seen_through_alpha(clip):
    ours = load_encoder(str(clip))
    clear = [Image.new("RGBA", (32, 32), (9, 9, 9, 0))]
    white = ours.images(clear, WHITE)
    np.testing.assert_allclose(
        white, ours.images([Image.new("RGB", (32, 32), WHITE)], (0, 0, 0)), atol=1e-6
    )
    assert np.abs(white - ours.images(clear, (0, 0, 0))).max() > 1e-4


def test_dinov2_reads_pictures_only(dinov2):
    ours = load_encoder(str(dinov2))
    vectors = ours.images(pictures(), WHITE)
    assert vectors.shape == (2, 24) and not ours.reads_text
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_evaluate_takes_a_folder(cli, clip, dinov2, tmp_path):
    (tmp_path / "made").mkdir()
    for number, picture in enumerate(pictures()):
        picture.save(tmp_path / "made" / f"{number}.png")
    (tmp_path / "prompts.jsonl").write_text(
        '{"id": "0", "prompt": "a cat"}\n{"id": "1", "prompt": "a dog"}\n'
    )
    arguments = ("evaluate", "made", "--prompts", "prompts.jsonl", "--reference", "made", "--json")
    found = cli(*arguments, "--encoder", clip).json["result"]["figures"]
    assert {"alignment@tiny-clip", "subject_best@tiny-clip"} <= set(
        found
    ) and "facts@tiny-clip" not in found
    ended = cli(*arguments, "--encoder", dinov2)
    assert "alignment@tiny-dinov2" not in ended.json["result"]["figures"]
    assert any("reads no text" in line for line in ended.json["warnings"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_mean": [float("nan")] * 3}, "not finite"),
        ({"image_std": [0, 1, 1]}, "not finite"),
        ({"rescale_factor": 1e300}, "not finite"),
        ({"size": {"height": 100_000, "width": 32}}, "height is 100000"),
        ({"size": 5000}, "over 2048 pixels: shortest_edge is 5000"),
        ({"crop_size": {"height": 32, "width": 10**12}}, "width is 1000000000000"),
        ({"size": {"shortest_edge": 10**6, "longest_edge": 2000}}, "edge is 1000000"),
    ],
)
def test_a_processor_that_makes_nothing_sensible_of_a_picture(dinov2, tmp_path, changes, said):
    folder = shutil.copytree(dinov2, tmp_path / "dinov2")
    edit_json(folder / "preprocessor_config.json", **changes)
    with pytest.raises(InputError, match=said):
        load_encoder(str(folder))


@pytest.mark.parametrize("harm", ["weights", "config", "processor"])
def test_a_broken_folder_is_one_line(clip, tmp_path, harm):
    folder = tmp_path / harm
    shutil.copytree(clip, folder)
    if harm == "weights":
        (folder / "model.safetensors").write_bytes(b"nothing")
    else:
        (
            folder / {"config": "config.json", "processor": "preprocessor_config.json"}[harm]
        ).write_text("{")
    with pytest.raises(InputError, match="cannot be read|cannot read"):
        load_encoder(str(folder))


@pytest.mark.parametrize("name", ["clip", "judge"])
def test_long_texts_are_read_to_the_last_word(request, name):
    """The mean over parts that fit, not normalized; what fits is what it is by itself."""
    ours = load_encoder(str(request.getfixturevalue("clip")) if name == "clip" else name)
    room = 18 if name == "clip" else 208
    assert ours.text_tokens == room and ours.count_tokens("a cat") in (2, 4)
    fits, long = ["a cat", "two dogs eat"], "a red cat eats. " * 40
    np.testing.assert_array_equal(encode_texts(ours, fits), ours.texts(fits))
    first, second, other = encode_texts(ours, ["a cat", long, f"{long} two dogs"])
    np.testing.assert_allclose(first, ours.texts(["a cat"])[0], atol=1e-6)
    assert np.linalg.norm(second) <= 1 + 1e-6 and not np.allclose(second, other, atol=1e-6)
    assert np.isfinite(encode_texts(ours, ["?!" * 300, long, "\U0001f431" * 300])).all()
    if name == "clip":
        assert np.linalg.norm(other) < 1 - 1e-4


def test_a_mean_of_cosines_is_the_cosine_with_the_mean(clip):
    ours, text = load_encoder(str(clip)), "a b c d e f g. " * 4
    images = ours.images(pictures(), WHITE)
    parts = fit([text], ours.count_tokens, ours.text_tokens)
    assert len(parts) > 1 and all(ours.count_tokens(part) <= ours.text_tokens for part in parts)
    expected = (images @ ours.texts(parts).T).mean(1)
    np.testing.assert_allclose(images @ encode_texts(ours, [text])[0], expected, atol=1e-6)
