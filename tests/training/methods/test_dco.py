"""Direct Consistency Optimization as a training method."""

import math
from dataclasses import replace

import torch

from stickerforge.objectives.dco import dco_loss
from stickerforge.training.methods.denoising import base_denoising_error, denoising_error
from tests.training.setups import CONFIG, class_examples, method_of, model_of, random_examples


def test_untrained_the_loss_is_the_logarithm_of_two(tiny_sd):
    model = model_of(tiny_sd)
    examples = random_examples(model, caption="a dog {}")
    config = replace(CONFIG, beta=1000.0, offset_noise=0.0)
    method = method_of(model, config, examples=examples, tokens={})
    batch = method.batch(0)
    output = method.loss(batch, 0)
    state = method.train_state
    assert torch.equal(
        denoising_error(state, batch.reference), base_denoising_error(state, batch.reference)
    )
    assert output.metrics["gap"] == 0
    assert abs(float(output.loss.detach()) - math.log(2)) < 1e-6


def test_cached_noise_asks_the_base_once_and_changes_no_error(tiny_sd, monkeypatch):
    model = model_of(tiny_sd)
    method = method_of(model, replace(CONFIG, cached_noise=4), changed=True)
    cache = method.base_errors
    method.base_errors = None
    live = [
        (method.base_error(batch.reference), method.loss(batch, step).loss)
        for step in range(8)
        for batch in [method.batch(step)]
    ]
    method.base_errors = cache
    calls, predict = [], model.predict
    monkeypatch.setattr(
        model, "predict", lambda *given: calls.append(len(given[0])) or predict(*given)
    )
    cached = [
        (method.base_error(batch.reference), method.loss(batch, step).loss)
        for step in range(8)
        for batch in [method.batch(step)]
    ]
    for (first_error, first_loss), (second_error, second_loss) in zip(live, cached, strict=True):
        torch.testing.assert_close(first_error, second_error, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(first_loss, second_loss, rtol=1e-3, atol=1e-4)
    of_base = sum(calls) - 8 * CONFIG.batch
    assert of_base == int((~cache.isnan()).sum()) <= 16
    again = method.loss(method.batch(3), 3)
    assert torch.equal(again.metrics["base_error"], cached[3][0].mean())
    assert sum(calls) - 9 * CONFIG.batch == of_base


def test_class_images_count_like_pictures_that_are_not_learned_yet(tiny_sd):
    model = model_of(tiny_sd)
    config = replace(CONFIG, beta=40.0, prior_weight=0.3)
    method = method_of(model, config, prior=class_examples(model), changed=True)
    state, batch = method.train_state, method.batch(0)
    with torch.no_grad():
        error, prior_error = (
            denoising_error(state, part) for part in (batch.reference, batch.prior)
        )
        base_error = base_denoising_error(state, batch.reference)
        expected = dco_loss(error, base_error, 40.0) + 0.3 * 20.0 * prior_error.mean()
    torch.testing.assert_close(method.loss(batch, 0).loss.detach(), expected)
    method.config = replace(config, snr_gamma=5.0)
    with torch.no_grad():
        snr = [model.noise_process.snr(part.timesteps) for part in (batch.reference, batch.prior)]
        factors = [value.clamp(max=5) / value for value in snr]
        expected = (
            dco_loss(factors[0] * error, factors[0] * base_error, 40.0)
            + 0.3 * 20.0 * (factors[1] * prior_error).mean()
        )
    torch.testing.assert_close(method.loss(batch, 0).loss.detach(), expected)
    assert not torch.equal(batch.prior.noise, batch.reference.noise)
    assert method_of(model_of(tiny_sd), config).batch(0).prior is None


def test_an_automatic_beta_follows_the_gap(tiny_sd):
    method = method_of(model_of(tiny_sd), replace(CONFIG, beta="auto"), changed=True)
    assert method.beta(0) == 5000
    output = method.loss(method.batch(0), 0)
    method.after_step(output)
    gap = float(output.metrics["gap"])
    assert method.beta(1) == min(max(1 / gap, 1.0), 5000.0) != 5000
    state = method.state()
    method.mean_gap = 0.0
    method.restore(state)
    assert abs(method.mean_gap - 0.01 * gap) < 1e-12


def test_checkpoints_name_their_tensors_as_they_always_have(tiny_sd):
    """A run that an earlier version began can be resumed."""
    method = method_of(model_of(tiny_sd), replace(CONFIG, cached_noise=4))
    layers = [key.removeprefix("up/") for key in method.state() if key.startswith("up/")]
    assert "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q" in layers
    assert method.state().keys() == {
        *(f"{factor}/{layer}" for layer in layers for factor in ("down", "up")),
        "token/clip_l/<dog>",
        "mean_gap",
        "reference",
    }
    assert method.state()["mean_gap"].dtype == torch.float64
    assert method.state()["reference"].shape == (4, 4)
