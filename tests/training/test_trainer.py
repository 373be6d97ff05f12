"""The loop: interruptions, validation, and any method that keeps the promises of TrainingMethod."""

import ast
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from stickerforge.adapters.kinds import LORA
from stickerforge.adapters.lora_format import encode
from stickerforge.config.schema import TrainingConfig
from stickerforge.data.captions import Caption
from stickerforge.errors import InputError, Interrupted
from stickerforge.generation.sampler import GuidanceParams, SamplingParams, sample
from stickerforge.runtime.seeds import generator
from stickerforge.runtime.signals import interruptible
from stickerforge.training import trainer
from stickerforge.training.batches import TrainingExample
from stickerforge.training.best_checkpoint import BestCheckpoint, ValidationSchedule
from stickerforge.training.checkpoint import read_checkpoint
from stickerforge.training.methods.base import StepOutput
from stickerforge.training.methods.denoising import Batches
from stickerforge.training.methods.plain import Plain
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.optimizer import build_optimizer, optimizer_tensors
from stickerforge.training.run_folder import CheckpointInfo, RunFolder
from tests.training.setups import CONFIG, SEED, class_examples, method_of, model_of, state_of

START = CheckpointInfo(0, "settings", "pictures")
EVERYTHING = replace(
    CONFIG,
    steps=6,
    beta="auto",
    cached_noise=4,
    prior_weight=0.7,
    text_rank=2,
    text_lr=1e-3,
    snr_gamma=5.0,
    save_every=2,
)


def train(method, config, folder, start, *, stop_at=None, validation=None):
    """Train, with an interruption after so many steps if any."""
    folder.mkdir(exist_ok=True)
    done = 0

    def on_step(count):
        nonlocal done
        done += count
        if done == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    with interruptible():
        return trainer.train(method, config, RunFolder(folder), start, on_step, validation)


def scores():
    """Metrics that rise and fall, from one validation to the next."""
    values = iter((0.2, 0.9, 0.4, 0.3))
    return lambda step: {"score": next(values)}


def test_with_everything_on_an_interrupted_run_ends_in_the_same_bytes(tiny_sd, tmp_path):
    def run(folder, start, stop_at=None, validate=None):
        model = model_of(tiny_sd)
        method = method_of(model, EVERYTHING, prior=class_examples(model))
        validation = ValidationSchedule(2, validate or scores())
        return train(method, EVERYTHING, folder, start, stop_at=stop_at, validation=validation)

    whole = encode(run(tmp_path / "whole", START))
    parts = tmp_path / "parts"
    with pytest.raises(Interrupted):
        run(parts, START, stop_at=3)
    checkpoint = RunFolder(parts).checkpoint_info()
    assert checkpoint is not None and checkpoint.step == 3
    rest = scores()
    rest(2)  # the validation after two steps was before the interruption
    assert encode(run(parts, checkpoint, validate=rest)) == whole
    assert (parts / "watched.jsonl").read_text() == (
        tmp_path / "whole" / "watched.jsonl"
    ).read_text()
    best = [
        BestCheckpoint(RunFolder(folder), LORA, start=6) for folder in (parts, tmp_path / "whole")
    ]
    assert [each.best for each in best] == [{"step": 4, "score": 0.9}] * 2
    assert encode(best[0].weights()) == encode(best[1].weights()) != whole
    assert [path.name for path in parts.glob("best-*")] == ["best-000004.safetensors"]


def test_a_run_that_is_killed_between_a_checkpoint_and_its_validation_validates_again(
    tiny_sd, tmp_path
):
    config = replace(CONFIG, steps=4, save_every=2)

    def run(folder, start, validate):
        method = method_of(model_of(tiny_sd), config)
        return train(method, config, folder, start, validation=ValidationSchedule(2, validate))

    whole = encode(run(tmp_path / "whole", START, scores()))

    def killed(step):
        assert step == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", START, killed)
    checkpoint = RunFolder(tmp_path / "parts").checkpoint_info()
    assert checkpoint.step == 2, "what was learned before the validation is not lost"
    assert encode(run(tmp_path / "parts", checkpoint, scores())) == whole
    assert (tmp_path / "parts" / "watched.jsonl").read_text() == (
        tmp_path / "whole" / "watched.jsonl"
    ).read_text()


class Vector:
    """A kind of adapter of this test's own: one vector."""

    def read(self, file):
        return load(file.content)["vector"]

    def encode(self, weights):
        return save({"vector": weights})


class Quadratic:
    """A vector that comes near to the points of two data sets, of which the timestep decides.

    It has no diffusion model, two parameter groups, metrics and a running mean of its own.
    """

    kind = Vector()

    def __init__(self, diverges=False):
        self.vector = torch.nn.Parameter(torch.zeros(4))
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.data = {"early": torch.full((8, 4), 2.0), "late": torch.full((8, 4), -1.0)}
        self.running_mean = torch.zeros(4, dtype=torch.float64)
        self.diverges, self.timesteps = diverges, []

    def parameter_groups(self):
        return [
            {"params": [self.vector], "lr": 0.1, "weight_decay": 0.0},
            {"params": [self.scale], "lr": 0.01, "weight_decay": 0.1},
        ]

    def batch(self, step):
        random = generator(7, "toy", step)
        timestep = int(torch.randint(1000, (), generator=random))
        data = self.data["early" if timestep < 500 else "late"]
        rows = torch.randint(len(data), (3,), generator=random)
        self.timesteps.append(timestep)
        return timestep, data[rows] + torch.randn((3, 4), generator=random) / 10

    def split(self, batch):
        return [batch]

    def loss(self, batch, step):
        timestep, points = batch
        # What is kept from earlier steps decides the gradient: a resumed run must have it.
        error = self.scale * self.vector + self.running_mean.float() - points
        loss = error.square().mean() * (float("nan") if self.diverges else 1.0)
        return StepOutput(loss, {"timestep": float(timestep), "size": error.detach().norm()})

    def after_step(self, output):
        self.running_mean = 0.9 * self.running_mean + 0.1 * self.vector.detach().double()

    def state(self):
        return {
            "vector": self.vector.detach(),
            "scale": self.scale.detach(),
            "running mean": self.running_mean,
        }

    def restore(self, tensors):
        with torch.no_grad():
            self.vector.copy_(tensors["vector"])
            self.scale.copy_(tensors["scale"])
        self.running_mean = tensors["running mean"].clone()

    def weights(self):
        return self.vector.detach().clone()


TOY = TrainingConfig(steps=30, epsilon=1e-8, clip=1.0, save_every=7)


def test_the_trainer_takes_any_method(tmp_path):
    """One that it has never heard of: it learns, and an interrupted run ends in the same bytes."""
    method = Quadratic()
    whole = train(method, TOY, tmp_path / "whole", START)
    assert len({timestep < 500 for timestep in method.timesteps}) == 2
    assert method.vector.detach().abs().max() > 0.1 and method.scale != 1
    rows = read_rows(tmp_path / "whole" / "metrics.jsonl")
    assert [row["timestep"] for row in rows] == method.timesteps
    assert rows[0].keys() == {"step", "loss", "gradient_norm", "timestep", "size", "seconds"}

    parts, stopped = tmp_path / "parts", []
    start = START
    for stop_at in (5, 18):
        with pytest.raises(Interrupted):
            train(Quadratic(), TOY, parts, start, stop_at=stop_at)
        start = RunFolder(parts).checkpoint_info()
        stopped.append(start.step)
    assert stopped == [5, 18]
    assert read_checkpoint(RunFolder(parts)).keys() >= {"vector", "scale", "running mean"}
    assert torch.equal(train(Quadratic(), TOY, parts, start), whole)
    resumed = read_rows(parts / "metrics.jsonl")
    assert [row | {"seconds": 0} for row in resumed] == [row | {"seconds": 0} for row in rows]


def test_rates_fall_as_they_are_told_and_as_well_after_an_interruption(tmp_path):
    """A rate of nothing changes nothing, and the rates of the groups keep their ratio."""

    def run(folder, start, rate, steps=30):
        folder.mkdir(exist_ok=True)
        method, config = Quadratic(), replace(TOY, steps=steps, save_every=10)
        return trainer.train(method, config, RunFolder(folder), start, rate=rate)

    assert torch.equal(run(tmp_path / "none", START, lambda step: 0.0), torch.zeros(4))

    def fall(step):
        return min(1.0, 2 * (1 - step / 30))

    whole = run(tmp_path / "whole", START, fall)
    assert not torch.equal(whole, run(tmp_path / "constant", START, lambda step: 1.0))
    run(tmp_path / "parts", START, fall, steps=20)
    start = RunFolder(tmp_path / "parts").checkpoint_info()
    assert start.step == 20
    assert torch.equal(run(tmp_path / "parts", start, fall), whole)


def test_a_method_of_its_own_is_validated_and_its_best_weights_are_kept(tmp_path):
    validation = ValidationSchedule(10, scores())
    method = Quadratic()
    train(method, TOY, tmp_path / "run", START, validation=validation)
    best = BestCheckpoint(RunFolder(tmp_path / "run"), method.kind, start=30)
    assert [(row["step"], row["score"]) for row in best.rows] == [(10, 0.2), (20, 0.9), (30, 0.4)]
    twenty = train(Quadratic(), replace(TOY, steps=20), tmp_path / "twenty", START)
    assert torch.equal(best.weights(), twenty)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    with pytest.raises(InputError, match="diverged at step 0"):
        train(Quadratic(diverges=True), TOY, tmp_path / "run", START)


@pytest.mark.parametrize("fault", ["missing", "shape", "optimizer"])
def test_a_checkpoint_of_something_else_is_refused(fault):
    method = Quadratic()
    optimizer = build_optimizer(method.parameter_groups(), TOY.epsilon)
    for step in range(2):
        trainer.train_step(method, optimizer, step, TOY.clip)
    tensors = method.state() | optimizer_tensors(optimizer)
    if fault == "missing":
        del tensors["scale"]
    if fault == "shape":
        tensors["vector"] = torch.zeros(5)
    if fault == "optimizer":
        tensors["optimizer/2/step"] = torch.tensor(2.0)
    with pytest.raises(InputError, match="other versions of the libraries"):
        trainer.restore(method, optimizer, tensors)


def test_a_plain_run_that_an_earlier_version_began_is_resumed(tiny_sd):
    """It wrote a running mean into every checkpoint, which plain training never used."""
    method = method_of(model_of(tiny_sd), replace(CONFIG, objective="plain"))
    optimizer = build_optimizer(method.parameter_groups(), CONFIG.epsilon)
    trainer.train_step(method, optimizer, 0, CONFIG.clip)
    tensors = method.state() | optimizer_tensors(optimizer)
    tensors["mean_gap"] = torch.tensor(0.0, dtype=torch.float64)
    trainer.restore(method, optimizer, tensors)
    assert all(torch.equal(value, tensors[name]) for name, value in method.state().items())


class BestOfTwo(Plain):
    """Samples two images in each step from the model in training, and learns the brighter one."""

    def batch(self, step):
        model = self.train_state.model
        size = SamplingParams(steps=2, pixels=model.pixels)
        texts, seeds = ["a <dog>"] * 2, [2 * step, 2 * step + 1]
        images = list(sample(model, texts, seeds, size, GuidanceParams(scale=2.0)))
        best = max(images, key=lambda pixels: float(pixels.mean()))
        with torch.no_grad():
            mean, deviation = model.encode(best[None])
        caption = Caption("a <dog>", "a dog")
        example = TrainingExample("best", caption, mean[0], deviation[0], (32, 32, 0, 0, 32, 32))
        return Batches(self.sample([example], self.seed, step, cached_noise=0))


def test_a_method_may_sample_and_score_within_a_step(tiny_sd, tmp_path):
    """What it learns changes what it samples; a resumed run still ends in the same bytes."""
    config = replace(CONFIG, objective="plain", steps=4, save_every=2, lr=1e-2)

    def run(folder, start, stop_at=None):
        method = BestOfTwo(state_of(model_of(tiny_sd)), (), config, seed=SEED)
        first = method.batch(3).reference.examples[0].mean
        weights = train(method, config, folder, start, stop_at=stop_at)
        return encode(weights), torch.equal(first, method.batch(3).reference.examples[0].mean)

    whole, same = run(tmp_path / "whole", START)
    assert not same, "it samples from what it has learned"
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", START, stop_at=3)
    start = RunFolder(tmp_path / "parts").checkpoint_info()
    assert start.step == 3 and run(tmp_path / "parts", start)[0] == whole


def test_the_trainer_knows_no_objective():
    tree = ast.parse(Path(trainer.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "stickerforge.training.methods.base" in modules
    assert not [
        module
        for module in modules
        if "objectives" in module
        or ("methods" in module and not module.endswith(".base"))
        or "families" in module
    ]
