"""What training changes, and what it leaves alone."""

from dataclasses import replace

import pytest
import torch

from stickerforge.models.long_prompts import LongPrompts
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.state import ADAPTER
from stickerforge.training.trainer import train_step
from tests.training.setups import CONFIG, method_of, model_of, random_examples, state_of


def test_embeddings_keep_their_length_and_move_while_the_table_stays(tiny_sdxl):
    model = model_of(tiny_sdxl)
    method = method_of(model, replace(CONFIG, offset_noise=0.0), changed=True)
    state = method.train_state
    tables = [tower.embedding.base.weight.clone() for tower in model.text_encoders]
    rows = [row.detach().clone() for row in state.embedding_list()]
    optimizer = build_optimizer(method.parameter_groups(), CONFIG.epsilon)
    for step in range(3):
        train_step(method, optimizer, step, clip=1e6)
    for row, before, norm in zip(state.embedding_list(), rows, state.norms, strict=True):
        assert not torch.allclose(row, before, atol=1e-3)
        assert abs(float(row.detach().norm()) - norm) < 1e-4 * norm
    assert all(
        torch.equal(tower.embedding.base.weight, table)
        for tower, table in zip(model.text_encoders, tables, strict=True)
    )


def test_captions_without_the_new_word_are_encoded_once(tiny_sd, monkeypatch):
    """Class images do not hold it: their text has no gradient, and is what the base makes of it."""
    state, calls = state_of(model_of(tiny_sd)), []
    encode = state.model.encode_prompt
    monkeypatch.setattr(
        state.model,
        "encode_prompt",
        lambda texts, *length: calls.append(tuple(texts)) or encode(texts, *length),
    )
    plain = state.encode_text(["a dog", "a dog"], base=False)
    again = state.encode_text(["a dog", "a dog"], base=False)
    assert (
        calls == [("a dog",)]
        and not plain["hidden"].requires_grad
        and torch.equal(plain["hidden"], again["hidden"])
    )
    assert torch.equal(plain["hidden"][0], encode(["a dog"])["hidden"][0].detach())
    state.encode_text(["a <dog>", "a dog"], base=False)
    assert (
        calls[-1] == ("a <dog>", "a dog")
        and state.encode_text(["a <dog>"], base=False)["hidden"].requires_grad
    )


@pytest.mark.parametrize("folder", ["tiny_sd", "tiny_sdxl"])
def test_text_encoders_learn_too_and_the_base_stays(folder, request):
    model = model_of(request.getfixturevalue(folder))
    prompts = ["a dog", "a red house"]
    with torch.no_grad():
        before = model.encode_prompt(prompts)
    config = replace(CONFIG, text_rank=2, text_lr=1e-2)
    examples = random_examples(model, caption="a dog", base="a dog")
    method = method_of(model, config, examples=examples, tokens={})
    optimizer = build_optimizer(method.parameter_groups(), config.epsilon)
    for step in range(4):
        train_step(method, optimizer, step, config.clip)
    adapters = method.train_state.adapters
    with torch.no_grad():
        after = model.encode_prompt(prompts)
        with adapters.disabled():
            assert torch.equal(model.encode_prompt(prompts)["hidden"], before["hidden"])
            with (
                adapters.disabled()
            ):  # nested: the inner one must not switch on what the outer did off
                pass
            assert torch.equal(model.encode_prompt(prompts)["hidden"], before["hidden"])
    assert (after["hidden"] - before["hidden"]).abs().max() > 1e-4
    assert {layer.split(".")[0] for layer in adapters.weights(ADAPTER)} == {
        "unet",
        *(["text_encoder"] if folder == "tiny_sd" else ["text_encoder", "text_encoder_2"]),
    }


def test_what_is_restored_is_what_was_there(tiny_sd):
    config = replace(CONFIG, text_rank=2)
    state, other = (state_of(model_of(tiny_sd), config) for _ in range(2))
    with torch.no_grad():
        for parameter in (*state.factors, *state.text_factors, *state.embedding_list()):
            parameter.add_(1.0)
    tensors = state.tensors()
    assert not all(torch.equal(tensors[name], value) for name, value in other.tensors().items())
    other.restore(tensors)
    assert tensors.keys() == other.tensors().keys()
    assert all(torch.equal(tensors[name], value) for name, value in other.tensors().items())


def test_captions_are_kept_by_length_and_by_how_they_are_read(tiny_sd):
    state, long = state_of(model_of(tiny_sd)), "a red cat. " * 30
    windows = state.model.context_windows(long)
    assert windows > 1
    short = state.encode_text(["a dog"], base=True)["hidden"]
    assert state.encode_text(["a dog", long], base=True)["hidden"].shape[1] == 77 * windows
    assert torch.equal(state.encode_text(["a dog"], base=True)["hidden"], short)
    state.model.long_prompts = LongPrompts("longalign", 50)
    assert state.encode_text(["a dog", long], base=False)["hidden"].shape[1] == 50
    assert torch.equal(state.encode_text(["a dog"], base=True)["hidden"], short)
    assert state.rows_by_length(["a dog", long, "a cat"], base=True) == [[0, 2], [1]]
    assert state.rows_by_length(["a dog", long, "a cat"], base=False) == [[0, 1, 2]]
