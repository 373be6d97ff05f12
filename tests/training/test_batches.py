"""Which examples, noise and timesteps a step gets."""

from dataclasses import replace

import torch

from stickerforge.training.batches import batch_indices, sample_batch
from tests.training.setups import model_of, random_examples


def batch_of(model, examples, step, size=3, seed=5, offset_noise=0.1, cached_noise=0):
    return sample_batch(
        examples,
        model.noise_process.timestep_at,
        seed=seed,
        step=step,
        size=size,
        offset_noise=offset_noise,
        cached_noise=cached_noise,
    )


def test_a_batch_depends_on_seed_and_step_alone_and_leaves_no_example_out(tiny_sd):
    model = model_of(tiny_sd)
    examples = random_examples(model, 5)
    first, again = (batch_of(model, examples, 7) for _ in range(2))
    other = batch_of(model, examples, 8)
    assert (
        torch.equal(first.noise, again.noise)
        and torch.equal(first.latents, again.latents)
        and torch.equal(first.timesteps, again.timesteps)
    )
    assert not torch.equal(first.noise, other.noise)
    order = [index for step in range(40) for index in batch_indices(examples, 5, step, 1)]
    assert all(sorted(order[i : i + 5]) == [0, 1, 2, 3, 4] for i in range(0, 40, 5))
    timesteps = torch.cat(
        [batch_of(model, examples, step, 4, offset_noise=0).timesteps for step in range(100)]
    )
    assert (
        abs(timesteps.double().mean() - 499.5) < 15
        and timesteps.min() >= 0
        and timesteps.max() < 1000
    )


def test_a_batch_holds_one_size(tiny_sd):
    model = model_of(tiny_sd)
    examples = random_examples(model, 4)
    wide = [
        replace(example, name="w", mean=example.mean[:, :8], deviation=example.deviation[:, :8])
        for example in examples[:2]
    ]
    for step in range(20):
        batch = batch_of(model, [*examples, *wide], step, seed=1, offset_noise=0)
        assert len({example.mean.shape for example in batch.examples}) == 1


def test_cached_noise_covers_the_timesteps_of_every_example(tiny_sd):
    model = model_of(tiny_sd)
    examples = random_examples(model)
    noises = {}
    for step in range(200):
        batch = batch_of(model, examples, step, 4, cached_noise=8)
        for index, timestep, noise in zip(
            batch.noise_indices, batch.timesteps.tolist(), batch.noise, strict=True
        ):
            assert timestep // 125 == index[1]
            assert torch.equal(noises.setdefault(index, noise), noise)
        assert sorted(timestep * 4 // 1000 for timestep in batch.timesteps.tolist()) == [0, 1, 2, 3]
    assert len(noises) == 32


def test_selected_rows_keep_everything_that_belongs_to_them(tiny_sd):
    model = model_of(tiny_sd)
    batch = batch_of(model, random_examples(model), 2, cached_noise=8)
    part = batch.select([2, 0])
    assert part.examples == [batch.examples[2], batch.examples[0]]
    assert part.noise_indices == (batch.noise_indices[2], batch.noise_indices[0])
    for name in ("latents", "noise", "timesteps"):
        assert torch.equal(getattr(part, name), getattr(batch, name)[[2, 0]])
    assert torch.equal(part.frames(), batch.frames()[[2, 0]])
