"""Tuning on captions: which are left out, and parts of a batch against the whole."""

from dataclasses import replace

import pytest
import torch

from stickerforge.models.long_prompts import LongPrompts
from stickerforge.training.methods.caption_tuning import CaptionTuning
from stickerforge.training.trainer import accumulate
from tests.training.setups import CONFIG, model_of, random_examples, state_of

SETTINGS = replace(CONFIG, batch=4, layers="blocks", offset_noise=0.0)
LONG = "a cat sits on a mat. " * 8


def tuning(folder, *, dropout=0.0, part=4, captions="{}"):
    model = model_of(folder)
    state = state_of(model, SETTINGS, {})
    model.long_prompts = LongPrompts("longalign", 120, tuple(model.pad_vector()))
    examples = random_examples(model, 6, captions, captions)
    with torch.no_grad():
        for index, parameter in enumerate(state.factors):
            random = torch.Generator().manual_seed(index)
            parameter.add_(torch.randn(parameter.shape, generator=random) / 20)
    return CaptionTuning(state, examples, SETTINGS, seed=3, caption_dropout=dropout, part=part)


def gradients(method):
    output = accumulate(method, 0)
    return float(output.loss), [factor.grad.clone() for factor in method.train_state.factors]


@pytest.mark.parametrize("part", [2, 1])
def test_parts_of_a_batch_come_to_the_gradient_of_the_whole(tiny_sd, part):
    loss, whole = gradients(tuning(tiny_sd, captions=LONG + "{}"))
    other, parts = gradients(tuning(tiny_sd, captions=LONG + "{}", part=part))
    assert other == pytest.approx(loss, rel=1e-5)
    for one, two in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)


def test_so_many_captions_are_left_out_and_the_same_ones_each_time(tiny_sd):
    method = tuning(tiny_sd, dropout=0.3, captions="a cat {}")
    captions = [
        example.caption.text
        for step in range(150)
        for example in method.batch(step).reference.examples
    ]
    assert 0.25 < captions.count("") / len(captions) < 0.35
    again = [example.caption.text for example in method.batch(7).reference.examples]
    assert again == captions[28:32]
    assert all(example.caption.text for example in tuning(tiny_sd).batch(0).reference.examples)


def test_the_end_of_a_long_caption_counts(tiny_sd):
    """In the loss of a model that reads on; it does not where the text is cut."""
    losses = {}
    for end in ("It is red.", "It is blue."):
        method = tuning(tiny_sd, captions=LONG[:110] + end)
        losses[end] = float(method.loss(method.batch(0), 0).loss)
        method.train_state.model.long_prompts = LongPrompts("cut")
        method.train_state.text_cache.clear()
        losses["cut", end] = float(method.loss(method.batch(0), 0).loss)
    assert losses["It is red."] != losses["It is blue."]
    assert losses["cut", "It is red."] == losses["cut", "It is blue."]
