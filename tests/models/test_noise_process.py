"""Noise processes against formulas in float64, and against diffusers' own schedulers."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.training_utils import compute_snr

from stickerforge.errors import InputError
from stickerforge.models.noise_process import Ddpm, RectifiedFlow, load_noise_process
from stickerforge.models.registry import find_model
from tests.tiny import as_flow, edit_json, tiny_scheduler, write_tiny_sd

CPU = torch.device("cpu")
SHAPE = (4, 6, 10)
TIMESTEPS = torch.tensor([0, 3, 120, 400, 800, 999])
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
SIGNAL = torch.from_numpy(np.cumprod(1 - BETAS))[TIMESTEPS][:, None, None, None]
SIGMA = (TIMESTEPS.double() / 1000)[:, None, None, None]


def ddpm(prediction="epsilon"):
    config = dict(tiny_scheduler().config) | {"_class_name": "DDIMScheduler"}
    del config["_use_default_values"]  # they would win
    config["prediction_type"] = prediction
    return Ddpm(config, CPU)


def flow(**options):
    scheduler = FlowMatchEulerDiscreteScheduler(**options)
    config = dict(scheduler.config) | {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    return RectifiedFlow(config, CPU, "tiny")


def latents_and_noise():
    random = torch.Generator().manual_seed(0)
    return [torch.randn(len(TIMESTEPS), *SHAPE, generator=random) for _ in range(2)]


def close(ours, expected):
    torch.testing.assert_close(ours.double(), expected, rtol=1e-4, atol=1e-5)


def test_ddpm_adds_noise_by_its_betas():
    latents, noise = latents_and_noise()
    expected = SIGNAL.sqrt() * latents.double() + (1 - SIGNAL).sqrt() * noise.double()
    close(ddpm().add_noise(latents, noise, TIMESTEPS), expected)


@pytest.mark.parametrize("prediction", ["epsilon", "sample", "v_prediction"])
def test_ddpm_targets(prediction):
    latents, noise = latents_and_noise()
    velocity = SIGNAL.sqrt() * noise.double() - (1 - SIGNAL).sqrt() * latents.double()
    expected = {
        "epsilon": noise.double(),
        "sample": latents.double(),
        "v_prediction": velocity,
    }
    process = ddpm(prediction)
    assert process.prediction == prediction
    close(process.target(latents, noise, TIMESTEPS), expected[prediction])


def test_snr_of_ddpm_is_that_of_the_usual_training_scripts():
    process = ddpm()
    close(process.snr(TIMESTEPS), (SIGNAL / (1 - SIGNAL)).flatten())
    torch.testing.assert_close(process.snr(TIMESTEPS), compute_snr(process.schedule, TIMESTEPS))


def test_a_flow_runs_along_a_straight_line():
    latents, noise = latents_and_noise()
    process = flow()
    noisy, velocity = (
        process.add_noise(latents, noise, TIMESTEPS),
        process.target(latents, noise, TIMESTEPS),
    )
    close(noisy, (1 - SIGMA) * latents.double() + SIGMA * noise.double())
    close(velocity, noise.double() - latents.double())
    later = process.add_noise(latents, noise, TIMESTEPS + 1)
    torch.testing.assert_close((later - noisy) * 1000, velocity, rtol=1e-2, atol=1e-2)
    sigma = SIGMA.flatten()[1:]
    close(process.snr(TIMESTEPS)[1:], ((1 - sigma) / sigma) ** 2)
    assert torch.isfinite(process.snr(TIMESTEPS)).all(), "also where there is no noise"


@pytest.mark.parametrize("process", [ddpm(), flow()], ids=["ddpm", "flow"])
def test_timesteps_of_equal_positions_are_equally_likely(process):
    positions = [(number + 0.5) / 5000 for number in range(5000)]
    timesteps = [process.timestep_at(position, SHAPE) for position in positions]
    assert torch.bincount(torch.tensor(timesteps), minlength=1000).tolist() == [5] * 1000
    assert process.timestep_at(0.0, SHAPE) == 0
    assert process.timestep_at(1.0, SHAPE) == 999, "a position that was rounded up stays inside"
    assert [process.timestep_at(position, SHAPE) for position in (0.1, 0.7)] == [100, 700]


def test_a_shift_that_follows_the_size_is_that_of_diffusers():
    options = {
        "use_dynamic_shifting": True,
        "base_shift": 0.4,
        "max_shift": 1.2,
        "base_image_seq_len": 16,
        "max_image_seq_len": 400,
    }
    process = flow(**options)
    for side in (8, 20, 64):
        expected = calculate_shift((side // 2) ** 2, 16, 400, 0.4, 1.2)
        assert process.log_shift((4, side, side)) == pytest.approx(expected, rel=1e-12)
    small, large = (process.scheduler("model", 5, (4, side, side)).timesteps for side in (8, 40))
    assert torch.all(large[1:-1] > small[1:-1]), "larger images stay noisy for longer"


def test_the_scheduler_in_the_folder_decides(tmp_path):
    folder = write_tiny_sd(tmp_path / "sd")
    process = load_noise_process(find_model(str(folder)), CPU)
    assert isinstance(process, Ddpm) and process.timesteps == 1000
    assert type(process.scheduler("model", 3, SHAPE)).__name__ == "DDIMScheduler"
    assert type(process.scheduler("euler", 3, SHAPE)).__name__ == "EulerDiscreteScheduler"
    assert len(process.scheduler("dpm++", 7, SHAPE).timesteps) == 7
    follows = load_noise_process(find_model(str(as_flow(folder, tmp_path / "flow"))), CPU)
    assert isinstance(follows, RectifiedFlow) and follows.prediction == "flow"
    with pytest.raises(InputError, match="follows a flow"):
        follows.scheduler("ddim", 3, SHAPE)
    edit_json(folder / "scheduler" / "scheduler_config.json", _class_name="DataLoader")
    with pytest.raises(InputError, match="names no scheduler"):
        load_noise_process(find_model(str(folder)), CPU)
