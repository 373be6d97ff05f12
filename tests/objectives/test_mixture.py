"""Gates of a mixture: what they read, that they sum to 1, and their balance."""

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding

from stickerforge.objectives.mixture import (
    TIME_WIDTH,
    balance,
    gate_inputs,
    gate_width,
    mixture_gates,
)

TEXT = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))


def test_what_gates_read_is_text_timestep_and_a_one_of_length_one():
    inputs = gate_inputs(TEXT * 100 + 7, torch.tensor([0, 1, 500, 999, 999]))
    assert inputs.shape == (5, gate_width(12))
    text, time, one = inputs.split([12, TIME_WIDTH, 1], 1)
    torch.testing.assert_close(text.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(time.norm(dim=1), torch.ones(5))
    assert torch.equal(one, torch.ones(5, 1))
    assert torch.equal(time[3], time[4]) and not torch.allclose(time[0], time[1])
    expected = gate_inputs(TEXT, torch.tensor(3))[:, :12]
    torch.testing.assert_close(text, expected, rtol=0, atol=1e-4)


def test_the_timestep_is_embedded_as_diffusers_does():
    timesteps = torch.tensor([0, 17, 999])
    ours = gate_inputs(TEXT[:3], timesteps)[:, 12:-1]
    theirs = get_timestep_embedding(timesteps, TIME_WIDTH, downscale_freq_shift=0)
    torch.testing.assert_close(ours, theirs / (TIME_WIDTH / 2) ** 0.5, rtol=1e-4, atol=1e-5)


def test_one_timestep_is_that_of_every_row():
    one, many = torch.tensor(40), torch.full((5,), 40)
    assert torch.equal(gate_inputs(TEXT, one), gate_inputs(TEXT, many))


def test_a_text_of_zeros_counts_for_nothing():
    assert not gate_inputs(torch.zeros(1, 12), torch.tensor(3))[:, :12].any()


def test_gates_sum_to_one_and_begin_uniform():
    inputs = gate_inputs(TEXT, torch.tensor(500))
    random = torch.Generator().manual_seed(1)
    weights = torch.randn(4, 3, inputs.shape[1], generator=random) * 20
    for temperature in (0.1, 1.0, 30.0):
        gates = mixture_gates(weights, inputs, temperature)
        assert gates.shape == (5, 4, 3) and bool((gates >= 0).all())
        torch.testing.assert_close(gates.sum(-1), torch.ones(5, 4))
    expected = torch.softmax(weights[2] @ inputs[1] / 30, 0)
    torch.testing.assert_close(gates[1, 2], expected)
    even = mixture_gates(torch.zeros_like(weights), inputs, 1.0)
    torch.testing.assert_close(even, torch.full((5, 4, 3), 1 / 3))


@pytest.mark.parametrize("count", [2, 3, 7])
def test_balance_is_one_where_all_are_used_alike_and_the_count_at_collapse(count):
    assert float(balance(torch.full((4, 6, count), 1 / count))) == pytest.approx(1)
    by_turns = torch.eye(count)[:, None].expand(count, 6, count)
    assert float(balance(by_turns)) == pytest.approx(1), "each image may use another one alone"
    collapsed = torch.zeros(4, 6, count)
    collapsed[..., 1] = 1
    assert float(balance(collapsed)) == pytest.approx(count)


def test_balance_never_falls_below_one_as_that_of_hard_choices_may():
    gates = torch.tensor([[0.51, 0.49], [0.51, 0.49], [0.0, 1.0]])[:, None]
    chosen = torch.nn.functional.one_hot(gates.argmax(-1), 2).float().mean(0)
    assert float(2 * (chosen * gates.mean(0)).sum()) < 0.9
    assert float(balance(gates)) > 1
    random = torch.randn(200, 3, 5, 4, generator=torch.Generator().manual_seed(2)).softmax(-1)
    assert min(float(balance(each)) for each in random) >= 1 - 1e-6


def test_balance_pulls_towards_the_neglected():
    weights = torch.zeros(1, 3, gate_width(12))
    weights[0, 0, -1] = 2.0
    weights.requires_grad_(True)
    balance(mixture_gates(weights, gate_inputs(TEXT, torch.tensor(9)), 1.0)).backward()
    assert float(weights.grad[0, 0, -1]) > 0 > float(weights.grad[0, 1, -1])
