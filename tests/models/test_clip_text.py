"""New tokens in the text encoders: the base stays the base, to the bit."""

import pytest
import torch

from stickerforge.errors import InputError
from stickerforge.models.long_prompts import LongPrompts
from stickerforge.models.registry import find_model, load_model


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def model(request):
    folder = request.getfixturevalue(request.param)
    return load_model(find_model(str(folder)), torch.device("cpu"), torch.float32)


def test_a_new_token_that_starts_from_a_word_is_that_word(model):
    """Also the pooled text: transformers takes it at the new token where a configuration says 2."""
    plain = model.encode_prompt(["a c eats"])
    words = {
        encoder.name: encoder.embedding.base.weight[
            encoder.tokenizer("c", add_special_tokens=False).input_ids[0]
        ].clone()
        for encoder in model.text_encoders
    }
    model.add_token("<dog>", words)
    spliced = model.encode_prompt(["a <dog> eats"])
    torch.testing.assert_close(spliced["hidden"], plain["hidden"], rtol=1e-5, atol=1e-6)
    if "pooled" in plain:
        torch.testing.assert_close(spliced["pooled"], plain["pooled"], rtol=1e-5, atol=1e-6)


def test_base_embeddings_get_no_gradient_and_prompts_without_the_token_do_not_change(model):
    before = model.encode_prompt(["a cat"])["hidden"]
    embeddings = model.add_token("<dog>", model.word_embeddings("dog"))
    assert torch.equal(model.encode_prompt(["a cat"])["hidden"], before)
    for embedding in embeddings.values():
        embedding.requires_grad_(True)
    model.encode_prompt(["a <dog>"])["hidden"].square().mean().backward()
    assert all(
        embedding.grad is not None and embedding.grad.abs().sum() > 0
        for embedding in embeddings.values()
    )
    assert all(encoder.embedding.base.weight.grad is None for encoder in model.text_encoders)


def test_words_of_several_tokens_start_at_their_mean(model):
    encoder = model.text_encoders[0]
    ids = encoder.tokenizer("french bulldog", add_special_tokens=False).input_ids
    assert len(ids) > 2
    expected = encoder.embedding.base.weight.double()[ids].mean(0)
    torch.testing.assert_close(
        model.word_embeddings("french bulldog")[encoder.name].double(),
        expected,
        rtol=1e-6,
        atol=1e-7,
    )


def test_what_does_not_fit_is_named(model):
    """The tokenizer has one token a letter; 77 tokens have room for 75 between start and end."""
    assert model.spec.text_tokens == 75
    long = "a" * 75 + "Xyz"
    assert model.unread_text("a" * 75) == model.unread_text(long) == ""
    model.long_prompts = LongPrompts("cut")
    assert model.unread_text("a" * 75) == "" and model.unread_text(long) == "Xyz"


def test_embeddings_of_another_model_are_refused(model):
    with pytest.raises(InputError, match="made for another base model"):
        model.add_token("<dog>", {name: e[1:] for name, e in model.word_embeddings("dog").items()})
    with pytest.raises(InputError, match="made for another base model"):
        model.add_token("<dog>", {})
