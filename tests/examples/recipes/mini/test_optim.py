"""Optimizer, averages and rates, against independent references; checkpoints."""

import pytest
import torch

from examples.recipes.mini import (
    checkpoint,
    optim,
)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path, kind):
    def fresh():
        model = torch.nn.Linear(3, 3)
        optimizer = (
            torch.optim.AdamW(model.parameters(), lr=0.1)
            if kind == "adamw"
            else optim.Muon([model.weight], [model.bias], lr=0.1)
        )
        return model, optim.ema_copy(model), optimizer

    def run(steps, resume_at=None):
        torch.manual_seed(0)
        model, mean, optimizer = fresh()
        for step in range(steps):
            if step == resume_at:
                checkpoint.save_checkpoint(
                    tmp_path / "c.safetensors", {"model": model, "mean": mean}, optimizer, step
                )
                model, mean, optimizer = fresh()
                assert (
                    checkpoint.load_checkpoint(
                        tmp_path / "c.safetensors", {"model": model, "mean": mean}, optimizer
                    )
                    == step
                )
            optimizer.zero_grad()
            model(
                torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
            ).square().sum().backward()
            optimizer.step()
            optim.update_ema(mean, model, step)
        return [*model.parameters(), *mean.parameters()]

    for whole, resumed in zip(run(6), run(6, resume_at=3), strict=True):
        assert torch.equal(whole, resumed)


def test_matrices_are_moved_in_all_directions_alike():
    torch.manual_seed(0)
    for shape in ((6, 20), (20, 6), (8, 3, 3, 3)):
        matrix = torch.randn(shape, dtype=torch.float64)
        turned = optim.orthogonalize_all([matrix])[0]
        left, _, right = torch.linalg.svd(matrix.flatten(1), full_matrices=False)
        values = torch.linalg.svdvals(turned.flatten(1))
        assert turned.shape == matrix.shape and 0.6 < values.min() and values.max() < 1.3
        polar = (left @ right).reshape(shape)
        assert (turned * polar).sum() / turned.norm() / polar.norm() > 0.97


def test_other_weights_are_moved_by_adamw():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.arange(4.0)) for _ in range(2))
    pairs = [
        (ours, optim.Muon([], [ours], lr=0.1)),
        (theirs, torch.optim.AdamW([theirs], lr=0.1, betas=(0.9, 0.99), weight_decay=0.01)),
    ]
    for step in range(5):
        for parameter, optimizer in pairs:
            parameter.grad = torch.sin(torch.arange(4.0) * (step + 1))
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_the_rate_stays_level_until_it_falls():
    rates = [optim.trapezoid_lr(step, 1000, 1.0, warmup=100) for step in range(1001)]
    assert (
        rates[0] == 0.01
        and set(rates[100:700]) == {1.0}
        and abs(rates[850] - 0.51) < 1e-9
        and abs(rates[1000] - 0.02) < 1e-9
    )
    assert all(b <= a for a, b in zip(rates[100:], rates[101:], strict=False))
