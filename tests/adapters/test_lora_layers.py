"""Adapters on a model: the base stays the base, to the bit."""

import pytest
import torch
from peft import LoraConfig

from stickerforge.adapters.lora_layers import AdapterSet, attach_lora
from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights
from stickerforge.adapters.merging import concatenate
from stickerforge.errors import InputError
from stickerforge.models.registry import find_model, load_model
from stickerforge.sampling.denoise import denoise

CPU = torch.device("cpu")


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def model(request):
    return load_model(find_model(str(request.getfixturevalue(request.param))), CPU, torch.float32)


def noisy(model, count=2):
    return torch.randn(
        (count, *model.latent_shape(model.pixels)), generator=torch.Generator().manual_seed(3)
    )


def predicted(model, prompts=("a cat", "two dogs")):
    with torch.no_grad():
        return model.predict(noisy(model), torch.tensor(400), model.encode_prompt(list(prompts)))


def random_lora(model, seed, rank=3):
    """Factors for every attention layer of the denoiser."""
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name, module in model.denoiser.named_modules():
        if name.endswith(("to_q", "to_k", "to_v", "to_out.0")) and isinstance(
            module, torch.nn.Linear
        ):
            down = torch.randn((rank, module.in_features), generator=random) / 4
            found[f"unet.{name}"] = LoraWeights(
                down, torch.randn((module.out_features, rank), generator=random) / 4, 2.0
            )
    return found


def test_the_base_is_bitwise_what_it_was(model):
    before = predicted(model)
    first, second = random_lora(model, 1), random_lora(model, 2, 5)
    AdapterSet(model).attach("first", first)
    AdapterSet(model).attach("second", second)
    AdapterSet(model).activate({"first": 0.8, "second": 0.5})
    adapted = predicted(model)
    assert (adapted - before).abs().max() > 0.01
    with AdapterSet(model).disabled():
        assert torch.equal(predicted(model), before)
    assert torch.equal(predicted(model), adapted), (
        "the pass without adapters must not touch their scales"
    )
    AdapterSet(model).activate({})
    assert torch.equal(predicted(model), before)
    for name, lora in (("first", first), ("second", second)):
        for layer, factors in AdapterSet(model).weights(name).items():
            assert torch.equal(factors.down, lora[layer].down) and torch.equal(
                factors.up, lora[layer].up
            )


def test_an_adapter_is_the_change_of_the_weights_that_it_says(model):
    lora = random_lora(model, 1)
    AdapterSet(model).attach("one", lora)
    AdapterSet(model).activate({"one": 0.7})
    ours = predicted(model)
    AdapterSet(model).activate({})
    with torch.no_grad():
        for name, module in model.denoiser.named_modules():
            if f"unet.{name}" in lora:
                module.base_layer.weight += (0.7 * lora[f"unet.{name}"].delta()).float()
    torch.testing.assert_close(ours, predicted(model), rtol=1e-4, atol=1e-5)


def test_a_merge_is_both_active_together(model):
    first, second = random_lora(model, 1), random_lora(model, 2, 5)
    for name, lora in (
        ("a", first),
        ("b", second),
        ("ab", concatenate([(first, 0.9), (second, 0.6)])),
    ):
        AdapterSet(model).attach(name, lora)
    AdapterSet(model).activate({"a": 0.9, "b": 0.6})
    together = predicted(model)
    AdapterSet(model).activate({"ab": 1.0})
    torch.testing.assert_close(predicted(model), together, rtol=0, atol=1e-5)


def test_kohya_names_are_found(model):
    lora = random_lora(model, 1)
    AdapterSet(model).attach("dots", lora)
    AdapterSet(model).attach(
        "underscores",
        {"unet." + layer.removeprefix("unet.").replace(".", "_"): f for layer, f in lora.items()},
    )
    AdapterSet(model).activate({"dots": 1.0})
    expected = predicted(model)
    AdapterSet(model).activate({"underscores": 1.0})
    assert torch.equal(predicted(model), expected)


@pytest.mark.parametrize("change", ["name", "shape"])
def test_an_adapter_of_another_model_is_refused(model, change):
    layer, factors = next(iter(random_lora(model, 1).items()))
    wrong = (
        {"unet.no.such.layer": factors}
        if change == "name"
        else {layer: LoraWeights(torch.ones(2, 7), torch.ones(9, 2), 1.0)}
    )
    with pytest.raises(InputError, match="the model that it was made for"):
        AdapterSet(model).attach("wrong", wrong)


def test_a_fresh_adapter_changes_nothing_and_depends_on_its_seed(model):
    before = predicted(model)
    parameters = AdapterSet(model).add_trainable("new", 4, "attention", seed=7)
    assert torch.equal(predicted(model), before)
    assert len(parameters) == 2 * len(AdapterSet(model).weights("new")) and all(
        p.dtype == torch.float32 for p in parameters
    )
    drawn = {layer: factors.down for layer, factors in AdapterSet(model).weights("new").items()}
    AdapterSet(model).add_trainable("again", 4, "attention", seed=7)
    AdapterSet(model).add_trainable("other", 4, "attention", seed=8)
    assert all(
        torch.equal(factors.down, drawn[layer])
        for layer, factors in AdapterSet(model).weights("again").items()
    )
    assert not any(
        torch.equal(factors.down, drawn[layer])
        for layer, factors in AdapterSet(model).weights("other").items()
    )


def test_all_layers_are_attention_and_what_shapes_a_picture(model):
    AdapterSet(model).add_trainable("some", 2, "attention", seed=1)
    AdapterSet(model).add_trainable("all", 2, "all", seed=1)
    some, everything = (AdapterSet(model).weights(name) for name in ("some", "all"))
    assert set(some) < set(everything) and all(".attn" in layer for layer in some)
    more = set(everything) - set(some)
    assert {layer.rsplit(".", 1)[1] for layer in more} == {"conv1", "conv2", "time_emb_proj"}
    convolution = everything[next(layer for layer in more if layer.endswith("conv1"))]
    assert convolution.down.shape[2:] == (3, 3) and convolution.up.shape[2:] == (1, 1)


def test_a_merge_of_convolutions_is_both_together(model):
    adapters = {}
    for number, name in enumerate(("a", "b")):
        with torch.no_grad():
            for parameter in AdapterSet(model).add_trainable(name, 3, "all", seed=number):
                parameter.copy_(
                    torch.randn(
                        parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())
                    )
                    * 0.05
                )
        adapters[name] = AdapterSet(model).weights(name)
    AdapterSet(model).attach("ab", concatenate([(adapters["a"], 0.9), (adapters["b"], 0.6)]))
    AdapterSet(model).activate({"a": 0.9, "b": 0.6})
    together = predicted(model)
    AdapterSet(model).activate({"ab": 1.0})
    torch.testing.assert_close(predicted(model), together, rtol=0, atol=1e-5)


def test_adapters_are_switched_one_by_one_as_all_at_once(model):
    """What a kind's `Attached` does, against exact sets of active adapters."""
    adapters, before = AdapterSet(model), predicted(model)
    first, second = random_lora(model, 1), random_lora(model, 2, 5)
    one = attach_lora(model, "one", AdapterWeights(first), "one")
    two = attach_lora(model, "two", AdapterWeights(second), "two")
    assert torch.equal(predicted(model), before), "attached is not active"
    one.activate(0.8)
    two.activate(0.5)
    both = predicted(model)
    adapters.activate({"one": 0.8, "two": 0.5})
    assert torch.equal(predicted(model), both)
    one.deactivate()
    alone = predicted(model)
    adapters.activate({"two": 0.5})
    assert torch.equal(predicted(model), alone) and not torch.equal(alone, both)
    two.activate(0.1)
    adapters.activate({"two": 0.1})
    weaker = predicted(model)
    assert not torch.equal(weaker, alone)
    two.deactivate()
    assert torch.equal(predicted(model), before)


def test_strength_may_follow_the_step(model):
    """A guidance that changes a scale within a run gives what the scales give by themselves."""
    attached = attach_lora(model, "one", AdapterWeights(random_lora(model, 1)), "one")
    text = model.encode_prompt(["a cat", "two dogs"])
    scheduler = model.noise_process.scheduler("ddim", 2, model.latent_shape(model.pixels))

    def rising(predict, noisy, timestep, step, steps):
        attached.activate((step + 1) / steps)
        return predict(noisy, timestep, text)

    with torch.no_grad():
        ours = denoise(model.predict, scheduler, noisy(model), rising)
        latents = noisy(model)
        for timestep, scale in zip(scheduler.timesteps, (0.5, 1.0), strict=True):
            AdapterSet(model).activate({"one": scale})
            prediction = model.predict(latents, timestep, text)
            latents = scheduler.step(prediction, timestep, latents, return_dict=False)[0]
    assert torch.equal(ours, latents)


def test_any_set_shows_the_adapters_that_are_there(model):
    AdapterSet(model).add_trainable("one", 2, "attention", seed=1)
    weights = AdapterSet(model).weights("one")
    assert weights and not AdapterSet(model).weights("other")
    changed = {layer: LoraWeights(f.down + 1, f.up + 2, f.alpha) for layer, f in weights.items()}
    AdapterSet(model).load("one", changed)
    now = AdapterSet(model).weights("one")
    assert all(torch.equal(now[layer].up, changed[layer].up) for layer in weights)


def test_text_encoders_get_adapters_of_their_own_seeds(model):
    parameters = AdapterSet(model).add_trainable_text("one", 2, seed=3)
    layers = AdapterSet(model).weights("one")
    assert len(parameters) == 2 * len(layers)
    assert {layer.partition(".")[0] for layer in layers} == set(model.spec.text_encoders)
    assert all(layer.endswith(model.spec.text_lora_targets) for layer in layers)


def test_a_scale_of_zero_is_not_how_adapters_are_switched_off():
    """What diffusers does with a scale of 0 is why; an update that mends it is noticed here."""
    from tests.tiny import tiny_unet

    torch.manual_seed(0)
    unet = tiny_unet(64)
    unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q"]), "a")
    unet.set_adapters(["a"], [0.8])
    arguments = (torch.randn(1, 4, 16, 16), 5, torch.randn(1, 7, 64))
    with torch.no_grad():
        before = unet(*arguments).sample
        unet(*arguments, cross_attention_kwargs={"scale": 0.0})
        assert not torch.allclose(unet(*arguments).sample, before), (
            "diffusers keeps the scales now: this trap is gone"
        )


TEXT_KEYS = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


@pytest.mark.parametrize(
    ("layer", "inputs", "base"),
    [
        ("transformer.single_transformer_blocks.0.attn.to_q", 8, "FLUX"),
        ("lora_unet_double_blocks_0_img_attn_qkv", 8, "FLUX"),
        ("lora_unet_joint_blocks_0_x_block_attn_qkv", 8, "Stable Diffusion 3"),
        ("diffusion_model.layers.0.attention.to_q", 8, "a model with a transformer"),
        (f"unet.{TEXT_KEYS}", 768, "Stable Diffusion 1"),
        (TEXT_KEYS, 1024, "Stable Diffusion 2"),
        (f"lora_unet_{TEXT_KEYS.replace('.', '_')}", 2048, "Stable Diffusion XL"),
        ("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", 8, "Stable Diffusion XL"),
    ],
)
def test_the_model_that_a_lora_is_for_is_named(tiny_sd, layer, inputs, base):
    lora = {layer: LoraWeights(torch.ones(2, inputs), torch.ones(9, 2), 2.0)}
    model = load_model(find_model(str(tiny_sd)), CPU, torch.float32)
    with pytest.raises(InputError, match=f"it is for {base}; "):
        AdapterSet(model).attach("wrong", lora)


def test_a_layer_under_two_names_is_refused(tiny_sd):
    model = load_model(find_model(str(tiny_sd)), CPU, torch.float32)
    layer, factors = next(iter(random_lora(model, 1).items()))
    flat = f"lora_unet_{layer.removeprefix('unet.').replace('.', '_')}"
    with pytest.raises(InputError, match="twice"):
        AdapterSet(model).attach("wrong", {layer: factors, flat: factors})
