"""The objective against its formula and its limits (arXiv:2402.12004, Equations 11 and 12)."""

import math

import pytest
import torch

from stickerforge.objectives.dco import automatic_beta, dco_loss, squared_error, update_running_mean


def numbers(seed, *shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_error_is_the_mean_of_each_picture():
    prediction, target = numbers(1, 3, 4, 5, 6), numbers(2, 3, 4, 5, 6)
    expected = [((prediction[i] - target[i]) ** 2).sum().item() / (4 * 5 * 6) for i in range(3)]
    torch.testing.assert_close(
        squared_error(prediction, target).double(),
        torch.tensor(expected, dtype=torch.float64),
        rtol=1e-6,
        atol=0,
    )


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


def test_a_batch_as_a_whole_is_what_the_authors_code_does():
    error, base = numbers(7, 5).abs().requires_grad_(True), numbers(8, 5).abs()
    theirs = -torch.log(torch.sigmoid(-3.0 * (error.mean() - base.mean())))
    torch.testing.assert_close(dco_loss(error, base, 3.0, "batch"), theirs)
    assert not torch.allclose(dco_loss(error, base, 3.0, "sample"), theirs)
    assert torch.equal(
        dco_loss(error[:1], base[:1], 3.0, "batch"), dco_loss(error[:1], base[:1], 3.0, "sample")
    )


def test_places_that_do_not_count_decide_nothing():
    prediction, target = numbers(1, 2, 4, 5, 6), numbers(2, 2, 4, 5, 6)
    mask = numbers(3, 2, 5, 6).abs()
    mask[:, :2] = 0
    error = squared_error(prediction, target, mask)
    for i in range(2):
        squares = (prediction[i] - target[i]) ** 2
        expected = (
            sum(mask[i, y, x] * squares[:, y, x].mean() for y in range(5) for x in range(6))
            / mask[i].sum()
        )
        torch.testing.assert_close(error[i].double(), expected, rtol=1e-5, atol=0)
    changed = prediction.clone()
    changed[:, :, :2] += 9
    torch.testing.assert_close(squared_error(changed, target, mask), error)
    torch.testing.assert_close(
        squared_error(prediction, target, torch.full((2, 5, 6), 0.3)),
        squared_error(prediction, target),
    )


def test_an_automatic_beta_makes_the_usual_gap_count_one():
    mean = 0.0
    for batch in range(1, 40):
        mean = update_running_mean(mean, 0.005)
        assert abs(automatic_beta(mean, batch) * 0.005 - 1) < 1e-5
    assert (
        automatic_beta(0.0, 0) == automatic_beta(1e-9, 5) == 5000 and automatic_beta(50.0, 5) == 1
    )
