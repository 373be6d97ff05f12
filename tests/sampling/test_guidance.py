"""Guidance against closed formulas in float64, and how often each object asks the network."""

from contextlib import contextmanager

import pytest
import torch

from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.guidance import (
    ClassifierFree,
    Consistency,
    NoGuidance,
    classifier_free_guidance,
    consistency_guidance,
    prompt_guidance,
    rescale_guidance,
)


def pair():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, 4, 5, 6, generator=generator) for _ in range(2)]


def test_guidance_is_the_formula():
    unconditional, conditional = pair()
    expected = unconditional.double() + 3.5 * (conditional.double() - unconditional.double())
    torch.testing.assert_close(
        classifier_free_guidance(unconditional, conditional, 3.5).double(),
        expected,
        rtol=0,
        atol=1e-5,
    )
    torch.testing.assert_close(
        classifier_free_guidance(unconditional, conditional, 1.0), conditional
    )


def test_consistency_is_the_formula():
    generator = torch.Generator().manual_seed(1)
    empty, base, personal = (torch.randn(2, 4, 5, 6, generator=generator) for _ in range(3))
    one, two, three = empty.double(), base.double(), personal.double()
    expected = one + 7.5 * (two - one) + 3 * (three - two)
    torch.testing.assert_close(
        consistency_guidance(
            classifier_free_guidance(empty, base, 7.5), base, personal, 3.0
        ).double(),
        expected,
        rtol=0,
        atol=1e-4,
    )
    # with both weights alike it is ordinary guidance with the adapter on the prompt's side alone
    ordinary = one + 4 * (three - one)
    torch.testing.assert_close(
        consistency_guidance(
            classifier_free_guidance(empty, base, 4.0), base, personal, 4.0
        ).double(),
        ordinary,
        rtol=0,
        atol=1e-4,
    )


def test_rescaling_restores_the_spread_of_each_picture():
    unconditional, conditional = pair()
    strong = classifier_free_guidance(unconditional, conditional, 8.0)
    whole, half = (
        rescale_guidance(strong, conditional, 1.0),
        rescale_guidance(strong, conditional, 0.5),
    )
    for i in range(3):
        torch.testing.assert_close(
            whole[i].double().std(), conditional[i].double().std(), rtol=1e-4, atol=0
        )
        expected = (
            0.5 * strong[i].double() * (conditional[i].double().std() / strong[i].double().std())
            + 0.5 * strong[i].double()
        )
        torch.testing.assert_close(half[i].double(), expected, rtol=1e-4, atol=1e-5)
    assert rescale_guidance(strong, conditional, 0.0) is strong


class Network:
    """A network whose prediction is a formula of its input; counts its passes."""

    def __init__(self):
        self.passes, self.adapted = [], True

    def formula(self, noisy, timestep, hidden, adapted):
        strength = hidden.mean((1, 2))[:, None, None, None]
        return noisy * strength + (0.3 * noisy**2 if adapted else 0) + timestep / 100

    def __call__(self, noisy, timestep, text):
        self.passes.append((len(noisy), self.adapted))
        return self.formula(noisy, timestep, text["hidden"], self.adapted)

    @contextmanager
    def base(self):
        self.adapted = False
        yield
        self.adapted = True


NOISY = torch.randn((2, 3, 4, 4), generator=torch.Generator().manual_seed(4))
TIMESTEP = torch.tensor(40)
TEXT, NEGATIVE, PLAIN = (
    Conditioning({"hidden": torch.randn((2, 5, 6), generator=torch.Generator().manual_seed(seed))})
    for seed in range(3)
)


def expected(text, *, adapted):
    """The network's prediction in float64."""
    return Network().formula(NOISY.double(), 40, text["hidden"].double(), adapted)


def rescaled(guided, conditional, share):
    """Written out image by image."""
    images = [
        share * g * (c.std() / g.std()) + (1 - share) * g
        for g, c in zip(guided, conditional, strict=True)
    ]
    return torch.stack(images)


def test_no_guidance_is_one_pass_for_the_prompt():
    network = Network()
    made = NoGuidance(TEXT)(network, NOISY, TIMESTEP, 0, 10)
    assert torch.equal(made, network.formula(NOISY, TIMESTEP, TEXT["hidden"], True))
    assert network.passes == [(2, True)]
    assert isinstance(prompt_guidance(TEXT, NEGATIVE, 1.0), NoGuidance)


@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_classifier_free_guidance_shares_one_pass(rescale):
    network = Network()
    made = prompt_guidance(TEXT, NEGATIVE, 4.5, rescale)(network, NOISY, TIMESTEP, 3, 10)
    unconditional, conditional = (expected(text, adapted=True) for text in (NEGATIVE, TEXT))
    guided = unconditional + 4.5 * (conditional - unconditional)
    torch.testing.assert_close(
        made.double(), rescaled(guided, conditional, rescale), rtol=1e-5, atol=1e-5
    )
    assert network.passes == [(4, True)]


@pytest.mark.parametrize("scale", [1.0, 4.5])
@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_consistency_guidance_asks_the_base_first(scale, rescale):
    network = Network()
    base = prompt_guidance(PLAIN, NEGATIVE, scale)
    guidance = Consistency(TEXT, base, network.base, 2.5, rescale, start=0.2, end=0.6)
    made = guidance(network, NOISY, TIMESTEP, 3, 10)
    unconditional, conditional = (expected(text, adapted=False) for text in (NEGATIVE, PLAIN))
    led = unconditional + scale * (conditional - unconditional)
    led = led + 2.5 * (expected(TEXT, adapted=True) - conditional)
    torch.testing.assert_close(
        made.double(), rescaled(led, conditional, rescale), rtol=1e-5, atol=1e-5
    )
    assert network.passes == [(2 if scale == 1 else 4, False), (2, True)]


def test_outside_of_its_window_consistency_is_the_base_alone():
    network = Network()
    base = ClassifierFree(PLAIN, NEGATIVE, 4.5)
    guidance = Consistency(TEXT, base, network.base, 2.5, start=0.2, end=0.6)
    asked = []
    for step in range(10):
        network.passes.clear()
        made = guidance(network, NOISY, TIMESTEP, step, 10)
        asked.append(len(network.passes))
        if len(network.passes) == 1:
            with network.base():
                assert torch.equal(made, base(network, NOISY, TIMESTEP, step, 10))
    assert asked == [1, 1, 2, 2, 2, 2, 1, 1, 1, 1]
