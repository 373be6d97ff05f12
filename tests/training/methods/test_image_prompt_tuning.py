"""Training of an image adapter: its batches, its error, and that nothing else changes."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from stickerforge.adapters.image_prompt_training import TrainableImagePrompt, new_image_prompt
from stickerforge.config.schema import AugmentConfig, DropConfig, TrainingConfig
from stickerforge.data.captions import Caption
from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError
from stickerforge.models.image_encoder import ClipImageEncoder, JudgeImageEncoder
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.registry import find_model, load_model
from stickerforge.training import frozen_texts
from stickerforge.training.batches import TrainingExample
from stickerforge.training.methods.image_prompt_tuning import ImagePromptTuning, drop_masks
from stickerforge.training.references import ReferencePixels, References, readable

CONFIG = TrainingConfig(steps=4, batch=4, lr=1e-3, weight_decay=0.0, objective="plain")
NO_DROPS = DropConfig(image=0.0, text=0.0, both=0.0)
AS_THEY_ARE = AugmentConfig(crop=1.0, flip=0.0, color=0.0, ground=False)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Four stickers of different colours."""
    folder = tmp_path_factory.mktemp("art")
    for number in range(4):
        page = Image.new("RGBA", (40, 40))
        page.paste((250 - 50 * number, 60 * number, 90, 255), (5, 5, 15 + 6 * number, 35))
        page.save(folder / f"{number}.png")
    return [load_picture(path)[0] for path in sorted(folder.iterdir())]


@pytest.fixture
def method(request, pictures, image_encoder, tmp_path):
    """From (a model's fixture, variant) to the training method of an untrained adapter."""

    def build(
        name, variant="base", *, drops=NO_DROPS, augment=AS_THEY_ARE, part=64, dtype=torch.float32
    ):
        folder = request.getfixturevalue(name)
        card = find_model(str(folder), offline=True, say=print)
        model = load_model(card, CPU, dtype)
        encoder = ClipImageEncoder(image_encoder, CPU, torch.float32)
        weights = new_image_prompt(model, variant, encoder.width(variant), encoder="", seed=3)
        adapter = TrainableImagePrompt(model, weights)
        model.long_prompts = LongPrompts("compat")
        captions = ("a cat", "a red dog", "a cat, " * 30, "food")
        random = torch.Generator().manual_seed(0)
        shape = model.latent_shape(model.pixels)
        examples = [
            TrainingExample(
                f"{number}",
                Caption(caption, caption),
                torch.randn(shape, generator=random),
                torch.full(shape, 0.1),
                (32, 32, 0, 0, 32, 32),
            )
            for number, caption in enumerate(captions)
        ]
        kept = ReferencePixels(tmp_path, encoder.side, augment.crop)
        assert not readable(pictures, kept)
        kept.close()
        references = References(pictures, kept, encoder, augment, "crop", 5)
        return ImagePromptTuning(
            model, adapter, examples, references, CONFIG, drops=drops, seed=7, part=part
        )

    return build


def test_shares_of_what_is_left_out():
    count, drops = 100_000, DropConfig()
    chances = torch.rand(count, generator=torch.Generator().manual_seed(1))
    no_image, no_text = drop_masks(chances, drops)
    deviation = (0.05 * 0.95 / count) ** 0.5
    for which in (no_image & ~no_text, no_text & ~no_image, no_image & no_text):
        assert abs(float(which.float().mean()) - 0.05) < 3 * deviation
    none = drop_masks(chances, NO_DROPS)
    assert not none[0].any() and not none[1].any()
    every = drop_masks(chances, DropConfig(image=0.0, text=0.0, both=1.0))
    assert every[0].all() and every[1].all()


@pytest.mark.parametrize("variant", ["base", "plus"])
@pytest.mark.parametrize("name", ["tiny_sd", "tiny_sdxl"])
def test_the_error_is_that_of_the_denoiser_with_text_and_tokens(method, name, variant):
    own = method(name, variant)
    batch = own.batch(0)
    with torch.no_grad():
        errors = own.errors(batch)
        process = own.model.noise_process
        noisy = process.add_noise(batch.batch.latents, batch.batch.noise, batch.batch.timesteps)
        target = process.target(batch.batch.latents, batch.batch.noise, batch.batch.timesteps)
        tokens = own.tokens(batch)
        for row, example in enumerate(batch.batch.examples):
            text = own.model.encode_prompt([example.caption.text], batch.windows[row])
            text = text.including("image_tokens", tokens[row : row + 1])
            text = text.including("frames", batch.batch.frames()[row : row + 1])
            predicted = own.model.predict(
                noisy[row : row + 1], batch.batch.timesteps[row : row + 1], text
            )
            expected = (predicted - target[row : row + 1]).square().mean()
            assert torch.isclose(errors[row], expected, rtol=1e-4)
        assert not torch.allclose(errors, own.errors(batch, image=False))


@pytest.mark.parametrize("variant", ["base", "plus"])
def test_a_reference_that_is_left_out_follows_the_zero_convention(method, variant):
    """Zeros for base; what the encoder makes of grey for plus."""
    own = method("tiny_sd", variant, drops=DropConfig(image=1.0, text=0.0, both=0.0))
    batch = own.batch(0)
    assert batch.unseen.all()
    encoder = own.references.encoder
    if variant == "base":
        nothing = torch.zeros(1, encoder.width("base"))
    else:
        nothing = encoder.patches(torch.zeros(1, 3, encoder.side, encoder.side)).clone()
    expected = own.adapter.tokens(nothing).expand(4, -1, -1, -1)
    assert torch.allclose(own.tokens(batch), expected, atol=1e-6)
    captions = [example.caption.text for example in batch.batch.examples]
    assert all(captions)


def test_a_caption_that_is_left_out_stays_as_long(method):
    own = method("tiny_sd", drops=DropConfig(image=0.0, text=1.0, both=0.0))
    batch = own.batch(0)
    assert not batch.unseen.any()
    assert [example.caption.text for example in batch.batch.examples] == [""] * 4
    assert sorted(batch.windows) == [1, 1, 1, 2]


@pytest.mark.parametrize("variant", ["base", "plus"])
def test_everything_that_is_trained_gets_a_gradient_and_nothing_else(method, variant):
    own = method("tiny_sd", variant)
    trained = own.parameter_groups()[0]["params"]
    before = copy.deepcopy(own.model.networks["unet"].state_dict())
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    started = [value.detach().clone() for value in trained]
    own.loss(own.batch(0), 0).loss.backward()
    assert all(value.grad is not None and value.grad.abs().max() > 0 for value in trained)
    optimizer.step()
    assert all(not torch.equal(now, then) for now, then in zip(trained, started, strict=True))
    after = own.model.networks["unet"].state_dict()
    frozen = [key for key in before if "processor" not in key]
    assert frozen and all(torch.equal(before[key], after[key]) for key in frozen)


def test_a_model_in_half_precision_is_trained_in_full(method):
    """As on a GPU: what is trained stays float32, tokens are in the model's precision."""
    own = method("tiny_sd", dtype=torch.bfloat16)
    assert {value.dtype for value in own.adapter.parameters()} == {torch.float32}
    own.loss(own.batch(0), 0).loss.backward()
    assert all(value.grad.dtype == torch.float32 for value in own.adapter.parameters())
    assert own.adapter.attached.tokens(own.nothing).dtype == torch.bfloat16
    with torch.no_grad():
        assert own.errors(own.batch(0)).isfinite().all()


def test_all_pictures_are_measured_once_with_the_same_noise(method):
    own = method("tiny_sd", part=3)
    batches = list(own.batches_of_all(0))
    assert [len(batch.windows) for batch in batches] == [3, 1]
    names = [example.name for batch in batches for example in batch.batch.examples]
    assert sorted(names) == ["0", "1", "2", "3"]
    again, other = list(own.batches_of_all(0)), list(own.batches_of_all(1))
    assert torch.equal(batches[0].batch.noise, again[0].batch.noise)
    assert not torch.equal(batches[0].batch.noise, other[0].batch.noise)
    for batch in batches:
        for row, example in enumerate(batch.batch.examples):
            assert torch.equal(batch.pixels[row], own.references.plain(int(example.name))[0])


def test_weights_are_a_copy(method):
    own = method("tiny_sd")
    first = own.weights()
    kept = {name: value.clone() for name, value in first.tensors.items()}
    with torch.no_grad():
        for value in own.adapter.parameters():
            value.add_(1)
    assert all(torch.equal(first.tensors[name], kept[name]) for name in kept)


def test_parts_of_a_batch_have_the_gradient_of_the_whole(method):
    def gradient(part):
        own = method("tiny_sd", part=part)
        parts = own.split(own.batch(1))
        for each in parts:
            (own.loss(each, 1).loss / len(parts)).backward()
        return len(parts), [value.grad for value in own.adapter.parameters()]

    (one, whole), (two, halves) = gradient(4), gradient(2)
    assert (one, two) == (1, 2)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole, halves, strict=True))


def test_what_a_checkpoint_holds_is_put_back(method):
    one, two = method("tiny_sd"), method("tiny_sd")
    with torch.no_grad():
        for value in one.adapter.parameters():
            value.add_(0.01)
    two.restore(one.state())
    first, second = one.weights().tensors, two.weights().tensors
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_batches_depend_on_the_step_alone_and_views_change(method, pictures):
    own = method("tiny_sd", augment=AugmentConfig())
    assert torch.equal(own.batch(3).pixels, own.batch(3).pixels)
    same = own.references.pixels([0, 0], 1)
    assert not torch.equal(same[0], same[1])
    plain = method("tiny_sd").references.pixels([0, 0], 1)
    assert torch.equal(plain[0], plain[1])


def test_the_judge_reads_alpha_and_both_parts_alike(pictures):
    encoder = JudgeImageEncoder()
    picture = Image.fromarray(pictures[0].rgba())
    pixels = encoder.pixels(picture, "crop", (255, 255, 255))
    assert pixels.shape[:2] == (1, 4) and pixels[0, 3].min() == 0
    features = encoder.features(pixels, "base")
    content = 2 * encoder.judge.network.shape.widths[-1]
    assert features.shape == (1, encoder.width("base"))
    for part in (features[:, :content], features[:, content:]):
        assert abs(float(part.mean())) < 1e-4 and abs(float(part.var()) - 1) < 0.02
    assert not encoder.no_features("base").any()
    with pytest.raises(InputError, match="--variant base"):
        encoder.width("plus")
    wide = Image.fromarray(np.tile(pictures[0].rgba(), (1, 3, 1)))
    seen = [encoder.pixels(wide, fit, (0, 0, 0)) for fit in ("crop", "stretch", "pad")]
    assert all(not torch.equal(a, b) for a, b in zip(seen, seen[1:], strict=False))


def test_texts_that_are_kept_are_the_last_ones(method, monkeypatch):
    own = method("tiny_sd")
    size = frozen_texts.size_of(own.texts.encoding("a", 1))
    monkeypatch.setattr(frozen_texts, "MAX_BYTES", 2 * size)
    for text in "abc":
        own.texts.encoding(text, 1)
    assert [text for text, _ in own.texts.known] == ["b", "c"]
    assert own.texts.bytes == 2 * size
    expected = own.model.encode_prompt(["c"], 1)["hidden"]
    assert torch.equal(own.texts.encode(["c"], 1)["hidden"], expected)


def test_examples_stay_as_they_are(method):
    own = method("tiny_sd", drops=DropConfig(image=0.0, text=1.0, both=0.0))
    before = [dataclasses.replace(example) for example in own.examples]
    own.batch(0)
    assert [example.caption for example in own.examples] == [each.caption for each in before]
