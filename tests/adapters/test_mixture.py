"""A mixture of LoRAs on a model: what its gates say, to the base's own bits where they are off."""

from dataclasses import replace

import pytest
import torch

from stickerforge.adapters.lora_layers import AdapterSet, attach_lora
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.adapters.mixture import attach_mixture, initial_mixture, pool, shares_at
from stickerforge.adapters.mixture_blend import blended_adapter, even_shares
from stickerforge.errors import InputError
from stickerforge.models.registry import find_model, load_model
from stickerforge.models.text_projections import keep_text_projections
from stickerforge.objectives.mixture import gate_inputs

CPU = torch.device("cpu")
PROMPTS = ("a cat", "two dogs")
AT = torch.tensor(400)


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def model(request):
    return load_model(find_model(str(request.getfixturevalue(request.param))), CPU, torch.float32)


def noisy(model, count):
    shape = (count, *model.latent_shape(model.pixels))
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def predicted(model, prompts=PROMPTS, timestep=AT):
    text = model.encode_prompt(list(prompts))
    return model.predict(noisy(model, len(prompts)), timestep, text)


def random_lora(model, seed, rank, layers="attention"):
    """Factors of a denoiser's layers, with an alpha unlike the rank."""
    random = torch.Generator().manual_seed(seed)
    shapes, spec = AdapterSet(model).layer_shapes(), model.spec
    ends = tuple(f".{end}" for end in spec.lora_targets[layers])
    return {
        name: LoraWeights(
            torch.randn((rank, *shape[1:]), generator=random) / 4,
            torch.randn((shape[0], rank, *[1] * (len(shape) - 2)), generator=random) / 4,
            rank * 0.7,
        )
        for name, shape in shapes.items()
        if name.startswith(f"{spec.denoiser}.") and name.endswith(ends)
    }


def parents_of(model, layers="attention"):
    """Three LoRAs of different ranks; the last one changes half of the layers."""
    parents = {f"p{rank}": random_lora(model, rank, rank, layers) for rank in (2, 3, 5)}
    parents["p5"] = dict(list(parents["p5"].items())[::2])
    return parents


def random_gates(weights, strength=20.0):
    random = torch.Generator().manual_seed(8)
    gates = {
        layer: torch.randn(gate.shape, generator=random) * strength
        for layer, gate in weights.gates.items()
    }
    return replace(weights, gates=gates)


def mixture_of(model, layers="attention", *, trained=True):
    weights = initial_mixture(model, parents_of(model, layers), 1.0)
    return random_gates(weights) if trained else weights


@pytest.mark.parametrize("layers", ["attention", "all", "blocks"])
def test_a_gate_of_one_is_that_lora_alone(model, layers):
    weights = mixture_of(model, layers, trained=False)
    for number, (name, lora) in enumerate(parents_of(model, layers).items()):
        one_hot = {layer: gate.clone() for layer, gate in weights.gates.items()}
        for gate in one_hot.values():
            gate[number, -1] = 1000.0
        attached = attach_mixture(model, f"mix-{name}", replace(weights, gates=one_hot), "it")
        alone = attach_lora(model, name, AdapterWeights(lora), name)
        attached.activate(0.8)
        ours = predicted(model)
        attached.deactivate()
        alone.activate(0.8)
        torch.testing.assert_close(ours, predicted(model), rtol=0, atol=1e-5)
        alone.deactivate()


def test_gates_of_zero_are_the_base_to_the_bit(model):
    before = predicted(model)
    attached = attach_mixture(model, "mix", mixture_of(model), "it")
    attached.activate(1.0)
    assert not torch.equal(predicted(model), before)
    layers = len(attached.gates.layers)
    attached.gates.forward = lambda text, timestep: torch.zeros(len(text), layers, 3)
    assert torch.equal(predicted(model), before)


@pytest.mark.parametrize("layers", ["attention", "all"])
def test_untrained_gates_are_the_average_of_peft(model, layers):
    parents = parents_of(model, layers)
    attached = attach_mixture(model, "mix", mixture_of(model, layers, trained=False), "it")
    for name, lora in parents.items():
        AdapterSet(model).attach(name, lora)
    AdapterSet(model).activate(dict.fromkeys(parents, 1 / 3))
    expected = predicted(model)
    AdapterSet(model).activate({})
    attached.activate(1.0)
    torch.testing.assert_close(predicted(model), expected, rtol=0, atol=1e-5)


def test_switched_off_it_is_the_base_to_the_bit(model):
    before = predicted(model)
    attached = attach_mixture(model, "mix", mixture_of(model), "it")
    assert torch.equal(predicted(model), before), "attached is not active"
    attached.activate(1.0)
    adapted = predicted(model)
    with AdapterSet(model).disabled():  # of consistency guidance
        assert torch.equal(predicted(model), before)
    assert torch.equal(predicted(model), adapted)
    attached.activate(0.3)
    weaker = predicted(model)
    assert not torch.equal(weaker, adapted)
    attached.activate(1.0)
    assert torch.equal(predicted(model), adapted)
    attached.deactivate()
    assert torch.equal(predicted(model), before)
    assert not model.denoiser._forward_pre_hooks and not any(
        part._forward_hooks for part in model.denoiser.modules()
    )


def test_every_row_has_the_gates_of_its_own_text_and_timestep(model):
    attached = attach_mixture(model, "mix", mixture_of(model), "it")
    attached.activate(1.0)
    prompts, timesteps = ["", "a cat", "two dogs"], torch.tensor([20, 400, 900])
    with attached.recording() as passes:
        together = predicted(model, prompts, timesteps)
    (gates,) = passes
    torch.testing.assert_close(gates.sum(-1), torch.ones(gates.shape[:-1]))
    assert (gates[1] - gates[2]).abs().max() > 0.1
    latents = noisy(model, 3)
    for row, (prompt, timestep) in enumerate(zip(prompts, timesteps, strict=True)):
        with torch.no_grad(), attached.recording() as passes:
            text = model.encode_prompt([prompt])
            alone = model.predict(latents[row : row + 1], timestep, text)
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-5)
        torch.testing.assert_close(gates[row : row + 1], passes[0])


def test_beside_another_lora_both_count(model):
    other = random_lora(model, 9, 4)
    attached = attach_mixture(model, "mix", mixture_of(model), "it")
    alone = attach_lora(model, "other", AdapterWeights(other), "other")
    attached.activate(0.9)
    alone.activate(0.5)
    both = predicted(model)
    alone.deactivate()
    assert not torch.equal(predicted(model), both)
    attached.deactivate()
    alone.activate(0.5)
    attached.activate(0.9)
    torch.testing.assert_close(predicted(model), both, rtol=0, atol=1e-5)


@torch.no_grad()
def test_keys_and_values_that_are_kept_follow_the_timestep(model):
    """What a sampler keeps of a text must not be that of another step's gates."""
    attached = attach_mixture(model, "mix", mixture_of(model), "it")
    attached.activate(1.0)
    text, latents = model.encode_prompt(list(PROMPTS)), noisy(model, 2)
    times = [torch.tensor(time) for time in (900, 400, 20)]
    expected = [model.predict(latents, time, text) for time in times]
    with keep_text_projections(model.denoiser):
        kept = [model.predict(latents, time, text) for time in times]
    assert all(map(torch.equal, kept, expected))
    assert not torch.allclose(expected[0], expected[2])


@torch.no_grad()
def test_a_baked_mixture_is_the_same_at_its_timestep_for_its_prompt(model):
    weights = mixture_of(model, "all")
    attached = attach_mixture(model, "mix", weights, "it")
    baked = blended_adapter(weights, shares_at(model, weights, "a cat", 400))
    plain = attach_lora(model, "baked", baked, "baked")
    mean = attach_lora(model, "mean", blended_adapter(weights, even_shares(weights)), "mean")

    def differences(timestep, prompt="a cat"):
        own = torch.tensor(timestep)
        attached.activate(1.0)
        expected = predicted(model, [prompt], own)
        attached.deactivate()
        found = []
        for other in (plain, mean):
            other.activate(1.0)
            found.append(float((predicted(model, [prompt], own) - expected).abs().max()))
            other.deactivate()
        return found

    same, of_mean = differences(400)
    assert same <= 1e-5 < of_mean
    assert differences(20)[0] > 1e-3 and differences(400, "two dogs")[0] > 1e-4


@torch.no_grad()
def test_shares_are_what_the_pooled_text_and_the_timestep_say(model):
    weights = mixture_of(model)
    text = model.encode_prompt(["a cat"])
    pooled = text["pooled"] if "pooled" in text else text["hidden"].mean(1)
    assert torch.equal(pool(text["hidden"], pooled if "pooled" in text else None), pooled)
    inputs = gate_inputs(pooled, AT)[0]
    shares = shares_at(model, weights, "a cat", 400)
    assert list(shares) == weights.layers
    for layer, gate in weights.gates.items():
        expected = torch.softmax(gate @ inputs, 0)
        torch.testing.assert_close(torch.tensor(shares[layer]), expected, rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_refused(model):
    weights = mixture_of(model)
    narrow = {layer: gate[:, 1:] for layer, gate in weights.gates.items()}
    with pytest.raises(InputError, match="the gates of it read"):
        attach_mixture(model, "mix", replace(weights, gates=narrow), "it")
    text = f"{model.spec.text_encoders[0]}."
    shapes = AdapterSet(model).layer_shapes()
    layer = next(name for name in shapes if name.startswith(text) and name.endswith("q_proj"))
    outputs, inputs = shapes[layer]
    lora = {layer: LoraWeights(torch.ones(2, inputs), torch.ones(outputs, 2), 2.0)}
    of_text = initial_mixture(model, {"a": lora, "b": lora}, 1.0)
    with pytest.raises(InputError, match="may change the unet only"):
        attach_mixture(model, "mix", of_text, "it")
    stranger = {"unet.no.such.layer": next(iter(weights.loras[0].values()))}
    with pytest.raises(InputError, match="this model has not"):
        attach_mixture(model, "mix", initial_mixture(model, {"a": stranger}, 1.0), "it")
    assert not list(AdapterSet(model).layers()), "nothing was attached"
