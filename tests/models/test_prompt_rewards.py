"""Rewards with a gradient, against the encoders without one and against differences."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from stickerforge.errors import InputError
from stickerforge.models.encoders import encode_texts, load_encoder
from stickerforge.models.prompt_rewards import check_scores, load_prompt_reward, on_white_square
from stickerforge.models.reward_names import check_reward_name
from stickerforge.objectives.preference import common_direction, preference
from tests.tiny import edit_json, tiny_tokenizer, write_preprocessor

WHITE = (255, 255, 255)
NAMES = ["clip", "siglip", "second", "judge"]
TEXTS = ["a cat", "two dogs eat", "a red cat eats. " * 40, "?!", "\U0001f431"]


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    """A SigLIP of two layers in each tower, which resizes to squares of another size than CLIP."""
    folder = tmp_path_factory.mktemp("rewards") / "tiny-siglip"
    words = tiny_tokenizer()
    torch.manual_seed(3)
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 20,
    }
    vision = {key: text[key] for key in list(text)[1:5]} | {"image_size": 24, "patch_size": 8}
    config = transformers.SiglipConfig(text_config=text, vision_config=vision)
    transformers.SiglipModel(config).save_pretrained(folder)
    words.save_pretrained(folder)
    write_preprocessor(folder, "SiglipImageProcessor", 24)
    return folder


@pytest.fixture(params=NAMES)
def name(request):
    """A judge's name, or a folder."""
    if request.param in ("clip", "siglip"):
        return str(request.getfixturevalue(request.param))
    return request.param


def noise(count, side, channels=3, seed=0):
    """Premultiplied where there is an alpha."""
    pixels = torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed))
    return torch.cat([pixels[:, :3] * pixels[:, 3:], pixels[:, 3:]], 1) if channels == 4 else pixels


def side_of(name):
    return {"tiny-clip": 32, "tiny-siglip": 24}.get(name.rpartition("/")[2], 64)


def test_pictures_of_its_own_size_get_the_vectors_of_the_encoder(name):
    reward, encoder, side = load_prompt_reward(name), load_encoder(name), side_of(name)
    bytes_ = (noise(3, side) * 255).round()
    pictures = [Image.fromarray(p.permute(1, 2, 0).byte().numpy()) for p in bytes_]
    vectors = reward.encode_pixels(bytes_ / 255)
    np.testing.assert_allclose(vectors.numpy(), encoder.images(pictures, WHITE), atol=1e-5)
    assert (reward.name, reward.digest) == (encoder.name, encoder.digest)


def test_larger_pictures_get_nearly_the_vectors_of_the_encoder(name):
    reward, encoder = load_prompt_reward(name), load_encoder(name)
    smooth = torch.nn.functional.interpolate(noise(3, 5), 192, mode="bicubic").clamp(0, 1)
    bytes_ = (smooth * 255).round()
    pictures = [Image.fromarray(p.permute(1, 2, 0).byte().numpy()) for p in bytes_]
    found = reward.encode_pixels(bytes_ / 255).numpy()
    np.testing.assert_allclose(found, encoder.images(pictures, WHITE), atol=0.01)


def test_an_alpha_is_laid_on_white(name):
    reward, pixels = load_prompt_reward(name), noise(2, 40, 4)
    laid = pixels[:, :3] + 1 - pixels[:, 3:]
    torch.testing.assert_close(reward.encode_pixels(pixels), reward.encode_pixels(laid))
    wide = on_white_square(noise(1, 8)[:, :, :5])
    assert wide.shape == (1, 3, 8, 8) and (wide[:, :, 0] == 1).all() and (wide[:, :, 6:] == 1).all()


def test_texts_are_those_of_the_encoder(name):
    reward, encoder = load_prompt_reward(name), load_encoder(name)
    vectors = reward.encode_texts(TEXTS)
    np.testing.assert_array_equal(vectors.numpy(), encode_texts(encoder, TEXTS))
    assert not vectors.requires_grad and not vectors.is_inference()
    norms = vectors.norm(dim=1)
    torch.testing.assert_close(norms[:2], torch.ones(2))
    assert norms[2] <= 1 + 1e-6


@pytest.mark.parametrize("channels", [3, 4])
def test_the_gradient_of_the_pixels_is_that_of_differences(name, channels):
    reward, pixels = load_prompt_reward(name), noise(1, 40, channels) * 0.8 + 0.1
    texts = reward.encode_texts(["a cat"])
    score = lambda made: (reward.encode_pixels(made) @ texts.T).sum()  # noqa: E731
    pixels.requires_grad_()
    (gradient,) = torch.autograd.grad(score(pixels), pixels)
    assert gradient.shape == pixels.shape and (gradient.abs().amax((0, 2, 3)) > 0).all()
    with torch.no_grad():
        step = gradient / gradient.norm() * 0.005
        difference = (score(pixels + step) - score(pixels - step)) / 0.01
    torch.testing.assert_close(difference, gradient.norm(), rtol=0.05, atol=0)


def test_weights_get_no_gradient_and_are_not_shared(clip, siglip):
    first, second = load_prompt_reward(str(clip)), load_prompt_reward(str(siglip))
    pixels = noise(1, 32)
    before = first.encode_pixels(pixels)
    assert second.encode_pixels(pixels).shape == (1, 32)
    torch.testing.assert_close(first.encode_pixels(pixels), before, rtol=0, atol=0)
    assert not before.requires_grad and first.model is not load_prompt_reward(str(clip)).model


def test_a_picture_has_one_reward_in_any_batch(name):
    reward, pixels = load_prompt_reward(name), noise(8, 40, 4)
    texts = reward.encode_texts([f"{n} cats" for n in range(8)])
    direction = common_direction(texts)
    whole = preference(reward.encode_pixels(pixels), texts, direction, 0.3).score
    for row in range(8):
        alone = preference(
            reward.encode_pixels(pixels[row : row + 1]), texts[row : row + 1], direction, 0.3
        )
        torch.testing.assert_close(alone.score[0], whole[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["pickscore", "hpsv2"])
def test_models_of_preferences_are_taken_by_folder(kind, clip):
    reward = load_prompt_reward(f"{kind}={clip}")
    plain = load_prompt_reward(str(clip))
    torch.testing.assert_close(
        reward.encode_pixels(noise(2, 32)), plain.encode_pixels(noise(2, 32))
    )
    assert reward.name == "tiny-clip" and reward.digest == plain.digest


def test_folders_may_be_called_anything(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a=b", "second"):
        shutil.copytree(clip, tmp_path / folder)
    assert load_prompt_reward("a=b").name == "a=b"
    assert load_prompt_reward("pickscore=second").encode_texts(["a cat"]).shape == (1, 24)
    assert load_prompt_reward("second").encode_texts(["a cat"]).shape == (1, 96)


def test_sizes_and_crops_follow_the_processor(clip, tmp_path):
    """An edge and a crop, as CLIP's own processor has them; also where it crops more, or pads."""
    for edge, crop in ((32, 32), (40, 32), (24, 32)):
        folder = shutil.copytree(clip, tmp_path / f"{edge}")
        write_preprocessor(folder, "CLIPImageProcessor", 32)
        edit_json(
            folder / "preprocessor_config.json",
            size={"shortest_edge": edge},
            crop_size={"height": crop, "width": crop},
            do_center_crop=True,
            image_mean=[0.48, 0.46, 0.41],
            image_std=[0.27, 0.26, 0.28],
        )
        bytes_ = (noise(2, edge) * 255).round()
        pictures = [Image.fromarray(p.permute(1, 2, 0).byte().numpy()) for p in bytes_]
        found = load_prompt_reward(str(folder)).encode_pixels(bytes_ / 255)
        expected = load_encoder(str(folder)).images(pictures, WHITE)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_half_precision_has_gradients(clip, tmp_path):
    folder = shutil.copytree(clip, tmp_path / "half")
    transformers.CLIPModel.from_pretrained(clip).half().save_pretrained(folder)
    reward, pixels = load_prompt_reward(str(folder)), noise(1, 224).requires_grad_()
    assert reward.model.dtype == torch.float32
    (reward.encode_pixels(pixels) @ reward.encode_texts(["a cat"]).T).sum().backward()
    assert (pixels.grad != 0).float().mean() > 0.99


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dinov2", "dinov2 reads no text"),
        ("hpsv2", "weights of the reward hpsv2 must be given; give hpsv2=FOLDER"),
        ("hpsv2=", "weights of the reward hpsv2 must be given"),
        ("pickscore=nowhere", "there is no folder 'nowhere'"),
        ("aesthetic", "aesthetic does not compare"),
        ("vqascore=x", "vqascore does not compare"),
        ("secnd", "unknown reward 'secnd'; did you mean 'second'"),
        ("clip=x", "unknown reward 'clip=x'"),
        ("", "unknown reward ''"),
        (".hidden/name", "unknown reward"),
        ("a/b/c", "unknown reward 'a/b/c'"),
        ("x\0", "null character"),
    ],
)
def test_a_name_that_is_none_is_one_line(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        check_reward_name(name)
    assert "\n" not in str(caught.value) and caught.value.hint
    with pytest.raises(InputError, match=said):
        load_prompt_reward(name, offline=True)


@pytest.mark.parametrize(
    "name", ["second", "clip", "pickscore", "owner/model", "hpsv2=owner/model"]
)
def test_names_are_checked_without_reading(name):
    check_reward_name(name)


@pytest.mark.parametrize("kind", ["", "pickscore="])
def test_a_folder_of_something_else_is_one_line(kind, dinov2, tiny_sd, vlm, clip, tmp_path):
    (tmp_path / "empty").mkdir()
    naflex = shutil.copytree(clip, tmp_path / "odd")
    values = json.loads((naflex / "preprocessor_config.json").read_text())
    processor = values | {"image_processor_type": "BitImageProcessor", "resample": 0}
    processor |= {"size": {"height": 16, "width": 16}}
    (naflex / "preprocessor_config.json").write_text(json.dumps(processor))
    for folder in (dinov2, tiny_sd, vlm, tmp_path / "empty", naflex):
        with pytest.raises(InputError) as caught:
            load_prompt_reward(f"{kind}{folder}")
        assert "\n" not in str(caught.value) and caught.value.hint
        assert "--reward" not in str(caught.value)  # which takes prompts, where these are used


def test_a_processor_of_another_kind_is_refused(clip, tmp_path, monkeypatch):
    reward = load_prompt_reward(str(clip))
    other = reward.encoder.images
    turned = lambda pictures, ground: other([p.rotate(90) for p in pictures], ground)  # noqa: E731
    monkeypatch.setattr(reward.encoder, "images", turned)
    with pytest.raises(InputError, match="tiny-clip prepares pictures in a way"):
        reward.check()


def test_a_reward_that_gives_no_number_is_named(clip):
    pixels = noise(3, 32)
    check_scores(torch.zeros(3), pixels, "tiny")
    nothing = torch.tensor([0.0, float("nan"), 1.0])
    with pytest.raises(InputError, match="the reward tiny gives no number for one of 3 pictures"):
        check_scores(nothing, pixels, "tiny")
    check_scores(nothing, pixels * float("nan"), "tiny")  # the pictures are at fault


def test_weights_that_are_no_numbers_are_refused(clip, tmp_path):
    folder = shutil.copytree(clip, tmp_path / "nan")
    model = transformers.CLIPModel.from_pretrained(clip)
    with torch.no_grad():
        model.visual_projection.weight[0, 0] = float("nan")
    model.save_pretrained(folder)
    with pytest.raises(InputError):
        load_prompt_reward(str(folder))
