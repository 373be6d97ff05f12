"""Keys and values of a text: computed once, and those of the weights in force."""

import pytest
import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from stickerforge.models.text_projections import keep_text_projections


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = [Attention(8, cross_attention_dim=6, heads=2, dim_head=4), Attention(8, heads=2)]
    return nn.ModuleList(layers).requires_grad_(False)


def count_multiplications(network, run):
    """How often each projection of the network really multiplies."""
    counts = {}
    for name, layer in network.named_modules():
        if name.endswith(("to_k", "to_v")):
            real = layer.forward

            def forward(states, name=name, real=real):
                counts[name] = counts.get(name, 0) + 1
                return real(states)

            layer.forward = forward
    run()
    return counts


def test_a_text_is_projected_once_and_a_picture_each_time(network):
    states, text, other = torch.randn(2, 5, 8), torch.randn(2, 3, 6), torch.randn(2, 3, 6)
    expected = [network[0](states, text), network[0](states, other), network[1](states)]

    def run():
        with keep_text_projections(network):
            for _ in range(3):
                results = [network[0](states, text), network[0](states, other), network[1](states)]
                assert all(map(torch.equal, results, expected))

    counts = count_multiplications(network, run)
    assert counts == {"0.to_k": 2, "0.to_v": 2, "1.to_k": 3, "1.to_v": 3}
    network[0](states, text)
    assert counts["0.to_k"] == 3, "what had been put there comes back"


def test_nothing_is_remembered_afterwards(network):
    states, text = torch.randn(2, 5, 8), torch.randn(2, 3, 6)
    with pytest.raises(ZeroDivisionError), keep_text_projections(network):
        before = network[0](states, text)
        raise ZeroDivisionError
    network[0].to_v.weight.mul_(2)
    assert not torch.equal(network[0](states, text), before)
    with keep_text_projections(network):
        assert torch.equal(network[0](states, text), network[0](states, text))
        assert not torch.equal(network[0](states, text), before)
