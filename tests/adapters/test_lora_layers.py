"""Adapters and tokens on a model: the base stays the base, to the bit."""

import pytest
import torch
from peft import LoraConfig

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.adapters.lora_weights import LoraWeights
from stickerforge.adapters.merging import concatenate
from stickerforge.errors import InputError
from stickerforge.models.registry import find_model, load_model

CPU = torch.device("cpu")


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def family(request):
    return load_model(find_model(str(request.getfixturevalue(request.param))), CPU, torch.float32)


def noisy(family, count=2):
    return torch.randn(
        (count, *family.latent_shape(family.pixels)), generator=torch.Generator().manual_seed(3)
    )


def predicted(family, prompts=("a cat", "two dogs")):
    with torch.no_grad():
        return family.predict(noisy(family), torch.tensor(400), family.encode_prompt(list(prompts)))


def random_lora(family, seed, rank=3):
    """Factors for every attention layer of the denoiser."""
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name, module in family.denoiser.named_modules():
        if name.endswith(("to_q", "to_k", "to_v", "to_out.0")) and isinstance(
            module, torch.nn.Linear
        ):
            down = torch.randn((rank, module.in_features), generator=random) / 4
            found[f"unet.{name}"] = LoraWeights(
                down, torch.randn((module.out_features, rank), generator=random) / 4, 2.0
            )
    return found


def test_the_base_is_bitwise_what_it_was(family):
    before = predicted(family)
    first, second = random_lora(family, 1), random_lora(family, 2, 5)
    AdapterSet(family).attach("first", first)
    AdapterSet(family).attach("second", second)
    AdapterSet(family).activate({"first": 0.8, "second": 0.5})
    adapted = predicted(family)
    assert (adapted - before).abs().max() > 0.01
    with AdapterSet(family).disabled():
        assert torch.equal(predicted(family), before)
    assert torch.equal(predicted(family), adapted), (
        "the pass without adapters must not touch their scales"
    )
    AdapterSet(family).activate({})
    assert torch.equal(predicted(family), before)
    for name, lora in (("first", first), ("second", second)):
        for layer, factors in AdapterSet(family).weights(name).items():
            assert torch.equal(factors.down, lora[layer].down) and torch.equal(
                factors.up, lora[layer].up
            )


def test_an_adapter_is_the_change_of_the_weights_that_it_says(family):
    lora = random_lora(family, 1)
    AdapterSet(family).attach("one", lora)
    AdapterSet(family).activate({"one": 0.7})
    ours = predicted(family)
    AdapterSet(family).activate({})
    with torch.no_grad():
        for name, module in family.denoiser.named_modules():
            if f"unet.{name}" in lora:
                module.base_layer.weight += (0.7 * lora[f"unet.{name}"].delta()).float()
    torch.testing.assert_close(ours, predicted(family), rtol=1e-4, atol=1e-5)


def test_a_merge_is_both_active_together(family):
    first, second = random_lora(family, 1), random_lora(family, 2, 5)
    for name, lora in (
        ("a", first),
        ("b", second),
        ("ab", concatenate([(first, 0.9), (second, 0.6)])),
    ):
        AdapterSet(family).attach(name, lora)
    AdapterSet(family).activate({"a": 0.9, "b": 0.6})
    together = predicted(family)
    AdapterSet(family).activate({"ab": 1.0})
    torch.testing.assert_close(predicted(family), together, rtol=0, atol=1e-5)


def test_kohya_names_are_found(family):
    lora = random_lora(family, 1)
    AdapterSet(family).attach("dots", lora)
    AdapterSet(family).attach(
        "underscores",
        {"unet." + layer.removeprefix("unet.").replace(".", "_"): f for layer, f in lora.items()},
    )
    AdapterSet(family).activate({"dots": 1.0})
    expected = predicted(family)
    AdapterSet(family).activate({"underscores": 1.0})
    assert torch.equal(predicted(family), expected)


@pytest.mark.parametrize("change", ["name", "shape"])
def test_an_adapter_of_another_model_is_refused(family, change):
    layer, factors = next(iter(random_lora(family, 1).items()))
    wrong = (
        {"unet.no.such.layer": factors}
        if change == "name"
        else {layer: LoraWeights(torch.ones(2, 7), torch.ones(9, 2), 1.0)}
    )
    with pytest.raises(InputError, match="the model that it was made for"):
        AdapterSet(family).attach("wrong", wrong)


def test_a_fresh_adapter_changes_nothing_and_depends_on_its_seed(family):
    before = predicted(family)
    parameters = AdapterSet(family).add_trainable("new", 4, "attention", seed=7)
    assert torch.equal(predicted(family), before)
    assert len(parameters) == 2 * len(AdapterSet(family).weights("new")) and all(
        p.dtype == torch.float32 for p in parameters
    )
    drawn = {layer: factors.down for layer, factors in AdapterSet(family).weights("new").items()}
    AdapterSet(family).add_trainable("again", 4, "attention", seed=7)
    AdapterSet(family).add_trainable("other", 4, "attention", seed=8)
    assert all(
        torch.equal(factors.down, drawn[layer])
        for layer, factors in AdapterSet(family).weights("again").items()
    )
    assert not any(
        torch.equal(factors.down, drawn[layer])
        for layer, factors in AdapterSet(family).weights("other").items()
    )


def test_all_layers_are_attention_and_what_shapes_a_picture(family):
    AdapterSet(family).add_trainable("some", 2, "attention", seed=1)
    AdapterSet(family).add_trainable("all", 2, "all", seed=1)
    some, everything = (AdapterSet(family).weights(name) for name in ("some", "all"))
    assert set(some) < set(everything) and all(".attn" in layer for layer in some)
    more = set(everything) - set(some)
    assert {layer.rsplit(".", 1)[1] for layer in more} == {"conv1", "conv2", "time_emb_proj"}
    convolution = everything[next(layer for layer in more if layer.endswith("conv1"))]
    assert convolution.down.shape[2:] == (3, 3) and convolution.up.shape[2:] == (1, 1)


def test_a_merge_of_convolutions_is_both_together(family):
    adapters = {}
    for number, name in enumerate(("a", "b")):
        with torch.no_grad():
            for parameter in AdapterSet(family).add_trainable(name, 3, "all", seed=number):
                parameter.copy_(
                    torch.randn(
                        parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())
                    )
                    * 0.05
                )
        adapters[name] = AdapterSet(family).weights(name)
    AdapterSet(family).attach("ab", concatenate([(adapters["a"], 0.9), (adapters["b"], 0.6)]))
    AdapterSet(family).activate({"a": 0.9, "b": 0.6})
    together = predicted(family)
    AdapterSet(family).activate({"ab": 1.0})
    torch.testing.assert_close(predicted(family), together, rtol=0, atol=1e-5)


def test_a_new_token_that_starts_from_a_word_is_that_word(family):
    """Also for the pooled text, which transformers would take at the new token where the end of text is said to be 2."""
    plain = family.encode_prompt(["a c eats"])
    words = {
        tower.name: tower.embedding.base.weight[
            tower.tokenizer("c", add_special_tokens=False).input_ids[0]
        ].clone()
        for tower in family.text_encoders
    }
    family.add_token("<dog>", words)
    spliced = family.encode_prompt(["a <dog> eats"])
    torch.testing.assert_close(spliced["hidden"], plain["hidden"], rtol=1e-5, atol=1e-6)
    if "pooled" in plain:
        torch.testing.assert_close(spliced["pooled"], plain["pooled"], rtol=1e-5, atol=1e-6)


def test_base_rows_get_no_gradient_and_prompts_without_the_token_do_not_change(family):
    before = family.encode_prompt(["a cat"])["hidden"]
    rows = family.add_token("<dog>", family.word_embeddings("dog"))
    assert torch.equal(family.encode_prompt(["a cat"])["hidden"], before)
    for row in rows.values():
        row.requires_grad_(True)
    family.encode_prompt(["a <dog>"])["hidden"].square().mean().backward()
    assert all(row.grad is not None and row.grad.abs().sum() > 0 for row in rows.values())
    assert all(tower.embedding.base.weight.grad is None for tower in family.text_encoders)


def test_words_of_several_tokens_start_at_their_mean(family):
    tower = family.text_encoders[0]
    ids = tower.tokenizer("french bulldog", add_special_tokens=False).input_ids
    assert len(ids) > 2
    expected = tower.embedding.base.weight.double()[ids].mean(0)
    torch.testing.assert_close(
        family.word_embeddings("french bulldog")[tower.name].double(),
        expected,
        rtol=1e-6,
        atol=1e-7,
    )


def test_a_scale_of_zero_is_not_how_adapters_are_switched_off():
    """What diffusers itself does with a scale of 0 is why: kept here so that an update that mends it is noticed."""
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
