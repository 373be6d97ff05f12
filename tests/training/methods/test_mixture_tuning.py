"""Training of a mixture's gates: its error and balance, and that nothing else changes."""

import hashlib
from dataclasses import replace

import pytest
import torch

from stickerforge.adapters.lora_layers import AdapterSet, attach_lora
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.adapters.mixture import attach_mixture, initial_mixture
from stickerforge.objectives.dco import squared_error
from stickerforge.objectives.mixture import balance
from stickerforge.training.methods.mixture_tuning import MixtureTuning
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.trainer import accumulate, train_step
from tests.adapters.test_mixture import parents_of, random_gates
from tests.training.setups import CONFIG, model_of, random_examples

SETTINGS = replace(CONFIG, batch=4, lr=1e-2, offset_noise=0.0, weight_decay=0.0)


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def folder(request):
    return request.getfixturevalue(request.param)


def tuning(folder, *, weight=0.01, dropout=0.0, part=4, trained=False, parents=None):
    model = model_of(folder)
    start = initial_mixture(model, parents or parents_of(model), 1.0)
    start = random_gates(start, 3.0) if trained else start
    return MixtureTuning(
        model,
        attach_mixture(model, "mixture", start, "it"),
        start,
        random_examples(model, 6, "a cat {}", "a cat {}"),
        SETTINGS,
        seed=3,
        balance_weight=weight,
        caption_dropout=dropout,
        part=part,
    )


def digest(model):
    """Of everything on a model: base and LoRAs of the denoiser, text encoders, autoencoder."""
    result = hashlib.sha256()
    for network in (*model.networks.values(), model.vae):
        for name, value in sorted(network.state_dict().items()):
            result.update(name.encode() + value.numpy().tobytes())
    return result.hexdigest()


def test_only_gates_are_trained(folder):
    method = tuning(folder)
    model, before = method.train_state.model, digest(method.train_state.model)
    optimizer = build_optimizer(method.parameter_groups(), 1e-8)
    for step in range(3):
        metrics = train_step(method, optimizer, step, 1.0)
    assert digest(model) == before
    weights = method.weights()
    assert all(bool(gate.any()) for gate in weights.gates.values())
    for lora, own in zip(weights.loras, parents_of(model).values(), strict=True):
        assert all(torch.equal(lora[layer].up, own[layer].up) for layer in own)
    assert not [p for p in model.denoiser.parameters() if p.requires_grad or p.grad is not None]
    assert {"share_p2", "share_p3", "share_p5", "balance", "error"} <= metrics.keys()
    assert sum(metrics[f"share_p{rank}"] for rank in (2, 3, 5)) == pytest.approx(1, abs=1e-5)


def test_before_training_it_is_the_error_of_the_average(folder):
    method = tuning(folder, weight=0.5)
    batch = method.batch(0)
    output = method.loss(batch, 0)
    assert float(output.metrics["balance"]) == pytest.approx(1)
    model, own = model_of(folder), batch.reference
    for name, lora in parents_of(model).items():
        attach_lora(model, name, AdapterWeights(lora), name)
    AdapterSet(model).activate(dict.fromkeys(parents_of(model), 1 / 3))
    process = model.noise_process
    with torch.no_grad():
        text = model.encode_prompt([example.caption.text for example in own.examples])
        text = text.including("frames", own.frames())
        noisy = process.add_noise(own.latents, own.noise, own.timesteps)
        prediction = model.predict(noisy, own.timesteps, text)
    target = process.target(own.latents, own.noise, own.timesteps)
    expected = squared_error(prediction, target, None).mean()
    assert float(output.metrics["error"]) == pytest.approx(float(expected), rel=1e-4)
    assert float(output.loss.detach()) == pytest.approx(float(expected) + 0.5, rel=1e-4)


def test_the_balance_is_that_of_the_gates_that_drew(folder):
    method, drawn = tuning(folder, trained=True), []
    forward = method.mixture.gates.forward

    def watched(text, timestep):
        drawn.append(forward(text, timestep))
        return drawn[-1]

    method.mixture.gates.forward = watched
    output = method.loss(method.batch(0), 0)
    assert sum(map(len, drawn)) == SETTINGS.batch
    assert torch.equal(output.metrics["balance"], balance(torch.cat(drawn)).detach())
    assert 1 < float(output.metrics["balance"]) < 3


def test_a_strong_balance_evens_the_gates_out(folder):
    spread = {}
    for weight in (0.0, 100.0):
        method = tuning(folder, weight=weight, trained=True)
        optimizer = build_optimizer(method.parameter_groups(), 1e-8)
        for step in range(12):
            metrics = train_step(method, optimizer, step, 1.0)
        spread[weight] = metrics["balance"]
    assert spread[100.0] < spread[0.0]


def test_the_error_falls_as_its_gradient_says(folder):
    """On one batch: by what the gradient promises for a small step, and further with many."""
    method = tuning(folder, weight=0.0)
    batch, gates = method.batch(0), method.gates
    before = method.loss(batch, 0).loss
    (gradient,) = torch.autograd.grad(before, gates)
    size = 0.5 / float(gradient.norm())
    with torch.no_grad():
        gates.sub_(gradient * size)
        after = method.loss(batch, 0).loss
    promised = size * float(gradient.square().sum())
    assert float(before.detach() - after) == pytest.approx(promised, rel=0.2)


@pytest.mark.parametrize("part", [2, 1])
def test_parts_of_a_batch_come_to_the_gradient_of_the_whole(folder, part):
    """Of the error; balance is that of the parts."""
    results = []
    for size in (4, part):
        method = tuning(folder, weight=0.0, part=size, trained=True)
        output = accumulate(method, 0)
        results.append((float(output.loss), method.gates.grad.clone()))
    (loss, whole), (other, parts) = results
    assert other == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(whole, parts, rtol=1e-3, atol=1e-6)


def test_state_is_put_back_and_goes_on_alike(folder):
    first = tuning(folder, dropout=0.5)
    optimizer = build_optimizer(first.parameter_groups(), 1e-8)
    for step in range(2):
        train_step(first, optimizer, step, 1.0)
    second = tuning(folder, dropout=0.5)
    second.restore(first.state())
    assert torch.equal(second.state()["gates"], first.state()["gates"])
    one, two = (method.loss(method.batch(2), 2).loss for method in (first, second))
    assert torch.equal(one, two)
