"""The loop with everything that it can be given: kept draws, pictures of the class, text encoders, looks on the way."""

import os
import signal
from dataclasses import replace

import pytest
import torch

from stickerforge.adapters.lora_format import encode
from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.data.captions import Caption
from stickerforge.errors import Interrupted
from stickerforge.models.registry import find_model, load_model
from stickerforge.objectives.dco import dco_loss, squared_error
from stickerforge.runtime.signals import interruptible
from stickerforge.training.best_checkpoint import BestCheckpoint, ValidationSchedule
from stickerforge.training.checkpoint import Mark, read_mark
from stickerforge.training.methods.dco import denoising_error, reference_error, step_output
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.state import init_state
from stickerforge.training.trainer import prior_batch, reference_batch, train, train_step
from tests.training.test_step import COURSE, examples, student_of

CPU = torch.device("cpu")
FULL = replace(
    COURSE,
    steps=6,
    beta=0.0,
    draws=4,
    prior_weight=0.7,
    text_rank=2,
    text_rate=1e-3,
    snr_gamma=5.0,
    save_every=2,
)
START = Mark(0, "settings", "pictures")


def family_of(folder):
    return load_model(find_model(str(folder)), CPU, torch.float32)


def prior_of(family):
    return [
        replace(example, name=f"prior {i}", caption=Caption("a dog", "a dog"))
        for i, example in enumerate(examples(family, 3)[::-1])
    ]


def looks():
    """Figures that rise and fall, from one call to the next."""
    scores = iter((0.2, 0.9, 0.4, 0.3))
    return lambda done: {"score": next(scores)}


def test_with_everything_on_an_interrupted_run_ends_in_the_same_bytes(tiny_sd, tmp_path):
    def run(folder, mark, stop_at=None, look=None):
        folder.mkdir(exist_ok=True)
        family, done = family_of(tiny_sd), mark.step

        def on_step(count):
            nonlocal done
            done += count
            if done == stop_at:
                os.kill(os.getpid(), signal.SIGINT)

        with interruptible():
            return train(
                family,
                examples(family),
                FULL,
                {"<dog>": "dog"},
                folder,
                mark,
                prior_of(family),
                on_step,
                ValidationSchedule(2, look or looks()),
            )

    whole = encode(run(tmp_path / "whole", START))
    parts = tmp_path / "parts"
    with pytest.raises(Interrupted):
        run(parts, START, stop_at=3)
    mark = read_mark(parts)
    assert mark is not None and mark.step == 3
    rest = looks()
    rest(2)  # the look after two steps was before the interruption
    assert encode(run(parts, mark, look=rest)) == whole
    assert (parts / "watched.jsonl").read_text() == (
        tmp_path / "whole" / "watched.jsonl"
    ).read_text()
    best = [BestCheckpoint(folder, start=6) for folder in (parts, tmp_path / "whole")]
    assert [watched.best for watched in best] == [{"step": 4, "score": 0.9}] * 2
    assert encode(best[0].content()) == encode(best[1].content()) != whole
    assert [path.name for path in parts.glob("best-*")] == ["best-000004.safetensors"]


def test_a_run_that_is_killed_between_a_checkpoint_and_its_look_looks_again(tiny_sd, tmp_path):
    course = replace(COURSE, steps=4, save_every=2)

    def run(folder, mark, look):
        folder.mkdir(exist_ok=True)
        family = family_of(tiny_sd)
        return train(
            family,
            examples(family),
            course,
            {"<dog>": "dog"},
            folder,
            mark,
            watch=ValidationSchedule(2, look),
        )

    whole = encode(run(tmp_path / "whole", START, looks()))

    def killed(done):
        assert done == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", START, killed)
    mark = read_mark(tmp_path / "parts")
    assert mark.step == 2, "what was learned before the look is not lost"
    assert encode(run(tmp_path / "parts", mark, looks())) == whole
    assert (tmp_path / "parts" / "watched.jsonl").read_text() == (
        tmp_path / "whole" / "watched.jsonl"
    ).read_text()


def test_pictures_that_cannot_be_scored_are_never_the_best(tiny_sd, tmp_path):
    from stickerforge.adapters.lora_weights import AdapterWeights, LoraWeights

    watched = BestCheckpoint(tmp_path, start=0)
    state = AdapterWeights({"unet.x": LoraWeights(torch.ones(1, 2), torch.ones(2, 1), 1.0)})
    for step, score in ((1, float("nan")), (2, 0.4), (3, float("inf")), (4, 0.3)):
        watched.add(step, {"drift": score, "score": score}, lambda: state)
    assert watched.best["step"] == 2 and (tmp_path / "watched.jsonl").read_text().count("NaN") == 0


def test_kept_draws_ask_the_base_once_and_change_no_error(tiny_sd, monkeypatch):
    student = student_of(tiny_sd)
    family = student.family
    course = replace(COURSE, draws=4)
    live = [
        step_output(
            student, reference_batch(student, examples(family), course, step), course, 700.0
        )
        for step in range(12)
    ]
    student.reference = torch.full((4, 4), torch.nan)
    calls, predict = [], family.predict
    monkeypatch.setattr(
        family, "predict", lambda *given: calls.append(len(given[0])) or predict(*given)
    )
    kept = [
        step_output(
            student, reference_batch(student, examples(family), course, step), course, 700.0
        )
        for step in range(12)
    ]
    for first, second in zip(live, kept, strict=True):
        torch.testing.assert_close(first.base_error, second.base_error, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(first.loss, second.loss, rtol=1e-3, atol=1e-4)
    asked = sum(calls) - 12 * course.batch
    assert asked == int((~student.reference.isnan()).sum()) <= 16
    again = step_output(
        student, reference_batch(student, examples(family), course, 3), course, 700.0
    )
    assert (
        torch.equal(again.base_error, kept[3].base_error)
        and sum(calls) - 13 * course.batch == asked
    )


def test_kept_draws_cover_the_timesteps_of_every_picture(tiny_sd):
    student = student_of(tiny_sd)
    course = replace(COURSE, draws=8, batch=4)
    found = {}
    for step in range(200):
        draw = reference_batch(student, examples(student.family), course, step)
        for number, timestep, noise in zip(
            draw.numbers, draw.timesteps.tolist(), draw.noise, strict=True
        ):
            assert timestep // 125 == number[1]
            assert torch.equal(found.setdefault(number, noise), noise)
        assert sorted(timestep * 4 // 1000 for timestep in draw.timesteps.tolist()) == [0, 1, 2, 3]
    assert len(found) == 32


def test_pictures_of_the_class_count_like_references_that_are_not_learned_yet(tiny_sd):
    student = student_of(tiny_sd)
    course = replace(COURSE, prior_weight=0.3)
    draw, prior = (
        reference_batch(student, examples(student.family), course, 0),
        prior_batch(student, prior_of(student.family), course, 0),
    )
    found = step_output(student, draw, course, 40.0, prior)
    with torch.no_grad():
        error = denoising_error(student, draw, base=False)
        expected = (
            dco_loss(error, reference_error(student, draw), 40.0)
            + 0.3 * 20.0 * denoising_error(student, prior, base=False).mean()
        )
    torch.testing.assert_close(found.loss.detach(), expected)
    plain = step_output(student, draw, replace(course, objective="plain"), 40.0, prior)
    torch.testing.assert_close(
        plain.loss.detach(),
        error.mean() + 0.3 * denoising_error(student, prior, base=False).mean().detach(),
    )
    weighed = replace(course, snr_gamma=5.0)
    found = step_output(student, draw, weighed, 40.0, prior)
    with torch.no_grad():
        snr = [student.family.noise_process.snr(one.timesteps) for one in (draw, prior)]
        factors = [value.clamp(max=5) / value for value in snr]
        own = dco_loss(factors[0] * error, factors[0] * reference_error(student, draw), 40.0)
        expected = (
            own + 0.3 * 20.0 * (factors[1] * denoising_error(student, prior, base=False)).mean()
        )
    torch.testing.assert_close(found.loss.detach(), expected)
    assert prior_batch(student, [], course, 0) is None
    assert not torch.equal(prior.noise, draw.noise)


def test_masks_and_sizes_reach_the_error(tiny_sd):
    student = student_of(tiny_sd)
    mask = torch.zeros(16, 16)
    mask[4:9, 2:] = 0.5
    known = [
        replace(example, weight=mask if i % 2 else None)
        for i, example in enumerate(examples(student.family))
    ]
    draw = reference_batch(student, known, COURSE, 2)
    with torch.no_grad():
        found = denoising_error(student, draw, base=False)
        text = student.text([example.caption.text for example in draw.examples], base=False)
        noisy = student.family.noise_process.add_noise(draw.latents, draw.noise, draw.timesteps)
        squares = (
            (student.family.predict(noisy, draw.timesteps, text) - draw.noise).square().mean(1)
        )
    assert {example.weight is None for example in draw.examples} == {True, False}
    for row, example in enumerate(draw.examples):
        wanted = squares[row].mean() if example.weight is None else squares[row][4:9, 2:].mean()
        torch.testing.assert_close(found[row], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("folder", ["tiny_sd", "tiny_sdxl"])
def test_text_encoders_learn_too_and_the_base_stays(folder, request, tmp_path):
    family = family_of(request.getfixturevalue(folder))
    draw_text = ["a dog", "a red house"]
    with torch.no_grad():
        before = family.encode_prompt(draw_text)
    course = replace(COURSE, text_rank=2, text_rate=1e-2)
    student = init_state(family, course, {})
    plain = [replace(example, caption=Caption("a dog", "a dog")) for example in examples(family)]
    optimizer = build_optimizer(student, course)
    for step in range(4):
        train_step(student, optimizer, plain, course, step)
    with torch.no_grad():
        after = family.encode_prompt(draw_text)
        with AdapterSet(family).disabled():
            assert torch.equal(family.encode_prompt(draw_text)["hidden"], before["hidden"])
            with (
                AdapterSet(family).disabled()
            ):  # nested: the inner one must not switch on what the outer one switched off
                pass
            assert torch.equal(family.encode_prompt(draw_text)["hidden"], before["hidden"])
    assert (after["hidden"] - before["hidden"]).abs().max() > 1e-4
    assert {
        part for layer in AdapterSet(family).weights("taught") for part in [layer.split(".")[0]]
    } == {
        "unet",
        *(["text_encoder"] if folder == "tiny_sd" else ["text_encoder", "text_encoder_2"]),
    }


def test_errors_of_a_flow_are_those_of_its_velocity(tiny_sd, tmp_path):
    from tests.tiny import as_flow

    folder = as_flow(tiny_sd, tmp_path / "flow")
    student = student_of(folder)
    family = student.family
    assert family.noise_process.prediction == "flow" and family.noise_process.timesteps == 1000
    draw = reference_batch(student, examples(family), COURSE, 1)
    sigma = (draw.timesteps / 1000)[:, None, None, None]
    with torch.no_grad():
        text = student.text([example.caption.text for example in draw.examples], base=False)
        velocity = family.predict(
            (1 - sigma) * draw.latents + sigma * draw.noise, draw.timesteps, text
        )
        torch.testing.assert_close(
            denoising_error(student, draw, base=False),
            squared_error(velocity, draw.noise - draw.latents),
        )
    torch.testing.assert_close(family.noise_process.snr(torch.tensor([500])), torch.ones(1))


def test_a_flow_is_sampled_along_its_line(tiny_sd, tmp_path):
    from stickerforge.errors import InputError
    from stickerforge.sampling.denoise import denoise
    from stickerforge.sampling.guidance import NoGuidance
    from tests.tiny import as_flow

    family = family_of(as_flow(tiny_sd, tmp_path / "flow"))
    noise = torch.randn(
        (1, *family.latent_shape(family.pixels)), generator=torch.Generator().manual_seed(3)
    )
    with torch.no_grad():
        text = family.encode_prompt(["a cat"])
        made = denoise(
            family.predict,
            family.noise_process.scheduler("model", 4, family.latent_shape(family.pixels)),
            noise,
            NoGuidance(text),
        )
        latents, steps = (
            noise.double(),
            [
                *family.noise_process.scheduler(
                    "model", 4, family.latent_shape(family.pixels)
                ).timesteps.tolist(),
                0.0,
            ],
        )
        for now, then in zip(steps, steps[1:], strict=False):
            latents += (
                (then - now)
                / 1000
                * family.predict(latents.float(), torch.tensor(now), text).double()
            )
    torch.testing.assert_close(made.double(), latents, rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match="follows a flow"):
        family.noise_process.scheduler("ddim", 4, family.latent_shape(family.pixels))
