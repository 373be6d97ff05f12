import torch

from stickerforge.sampling.guidance import (
    classifier_free_guidance,
    consistency_guidance,
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
