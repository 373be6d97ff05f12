"""The objective against its formula and its limits (arXiv:2402.12004, Equations 11 and 12)."""

import math

import pytest
import torch

from stickerforge.objectives.dco import dco_loss, squared_error


def numbers(seed, *shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_error_is_the_mean_of_each_picture():
    prediction, target = numbers(1, 3, 4, 5, 6), numbers(2, 3, 4, 5, 6)
    expected = [((prediction[i] - target[i]) ** 2).sum().item() / (4 * 5 * 6) for i in range(3)]
    torch.testing.assert_close(squared_error(prediction, target).double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=0)


def test_untrained_it_is_the_logarithm_of_two_with_half_of_beta_times_the_plain_gradient():
    weights = numbers(3, 7).requires_grad_(True)
    error = (weights.square() * numbers(4, 5, 7).square()).mean(1)
    loss = dco_loss(error, error.detach(), 1000.0)
    assert abs(loss.item() - math.log(2)) < 1e-12
    (ours,) = torch.autograd.grad(loss, weights, retain_graph=True)
    (plain,) = torch.autograd.grad(error.mean(), weights)
    torch.testing.assert_close(ours, 500 * plain, rtol=1e-6, atol=0)


@pytest.mark.parametrize("beta", [1e-4, 3.0, 1000.0])
def test_each_picture_counts_by_how_little_it_has_learned(beta):
    error, base = numbers(5, 6).abs().requires_grad_(True), numbers(6, 6).abs()
    (gradient,) = torch.autograd.grad(dco_loss(error, base, beta), error)
    gap = -beta * (error.detach() - base)
    torch.testing.assert_close(gradient, beta * (1 - torch.sigmoid(gap)) / 6, rtol=1e-9, atol=1e-12)


def test_it_stays_finite_where_the_gap_is_huge():
    error, base = torch.tensor([1e3, 0.0]), torch.tensor([0.0, 1e3])
    loss = dco_loss(error, base, 1000.0)
    assert torch.isfinite(loss)
    torch.testing.assert_close(loss, torch.tensor(1e6 / 2))
