"""Denoising that starts from a picture, against diffusers' own pipelines."""

import importlib

import pytest
import torch
from diffusers import (
    HeunDiscreteScheduler,
    IPNDMScheduler,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLImg2ImgPipeline,
    UniPCMultistepScheduler,
)

from stickerforge.models.registry import find_model, load_model
from stickerforge.sampling.denoise import Start, add_noise, begin, can_start, denoise
from stickerforge.sampling.guidance import prompt_guidance
from tests.tiny import as_flow

STEPS = 10
PROMPTS = ["a cat astronaut", "two dogs"]
OTHERS = {"pndm": PNDMScheduler, "heun": HeunDiscreteScheduler, "unipc": UniPCMultistepScheduler}
KINDS = ["model", "ddim", "euler", "dpm++", *OTHERS]
PIPELINES = "diffusers.pipelines.stable_diffusion"


@pytest.fixture(scope="module")
def model(tiny_sd):
    return load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)


@pytest.fixture
def mean_latents(monkeypatch):
    """Diffusers takes the mean of the latents, and no sample of them."""
    for name in ("img2img", "inpaint"):
        module = importlib.import_module(f"{PIPELINES}.pipeline_stable_diffusion_{name}")
        monkeypatch.setattr(
            module, "retrieve_latents", lambda out, generator=None: out.latent_dist.mode()
        )
    module = importlib.import_module(
        "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img"
    )
    monkeypatch.setattr(
        module, "retrieve_latents", lambda out, generator=None: out.latent_dist.mode()
    )


def scheduler_for(model, kind):
    if kind not in OTHERS:
        shape = model.latent_shape(model.pixels)
        return model.noise_process.scheduler(kind, STEPS, shape)
    scheduler = OTHERS[kind].from_config(model.noise_process.config)
    scheduler.set_timesteps(STEPS)
    return scheduler


def noise_for(model, count=2):
    shape = (count, *model.latent_shape(model.pixels))
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def picture_for(model):
    shape = (1, 3, model.pixels, model.pixels)
    return torch.rand(shape, generator=torch.Generator().manual_seed(4))


def start_for(model, skipped, mask=None):
    with torch.no_grad():
        return Start(model.encode(picture_for(model))[0], skipped, mask)


def ours(model, start, kind="model", *, noise=None):
    text, empty = model.encode_prompt(PROMPTS), model.encode_prompt(["blurry"] * 2)
    with torch.no_grad():
        return denoise(
            model.predict,
            scheduler_for(model, kind),
            noise_for(model) if noise is None else noise,
            prompt_guidance(text, empty, 5.0),
            start=start,
        )


def theirs(pipeline, model, kind, **inputs):
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = type(scheduler_for(model, kind)).from_config(model.noise_process.config)
    return pipeline(
        PROMPTS,
        negative_prompt=["blurry"] * 2,
        image=picture_for(model).expand(2, -1, -1, -1),
        num_inference_steps=STEPS,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(3),
        output_type="latent",
        **inputs,
    ).images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("strength", "skipped"), [(0.3, 7), (0.8, 2)])
def test_the_same_latents_as_img2img(model, tiny_sd, mean_latents, kind, strength, skipped):
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
        tiny_sd, safety_checker=None, requires_safety_checker=False
    )
    latents = theirs(pipeline, model, kind, strength=strength)
    made = ours(model, start_for(model, skipped), kind)
    torch.testing.assert_close(made, latents, rtol=1e-4, atol=1e-4)


def test_the_same_latents_as_img2img_of_sdxl(tiny_sdxl, mean_latents):
    model = load_model(find_model(str(tiny_sdxl)), torch.device("cpu"), torch.float32)
    pipeline = StableDiffusionXLImg2ImgPipeline.from_pretrained(tiny_sdxl)
    latents = theirs(pipeline, model, "model", strength=0.6)
    torch.testing.assert_close(ours(model, start_for(model, 4)), latents, rtol=1e-4, atol=1e-4)


def half_mask(model, repeats=1):
    side = model.latent_shape(model.pixels)[1] * repeats
    mask = torch.zeros(1, 1, side, side)
    mask[..., : side // 2, :] = 1
    return mask


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("strength", "skipped"), [(0.6, 4), (1.0, 0)])
def test_the_same_latents_as_inpainting(model, tiny_sd, mean_latents, kind, strength, skipped):
    """Of a network of four channels: what is not painted anew is put back in each step."""
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(
        tiny_sd, safety_checker=None, requires_safety_checker=False
    )
    latents = theirs(
        pipeline,
        model,
        kind,
        strength=strength,
        mask_image=half_mask(model, model.factor),
        height=model.pixels,
        width=model.pixels,
    )
    start = start_for(model, skipped, half_mask(model))
    made = ours(model, start, kind)
    torch.testing.assert_close(made, latents, rtol=1e-4, atol=1e-4)
    below = made.shape[2] // 2
    kept = start.latents.expand_as(made)[:, :, below:]
    assert torch.equal(made[:, :, below:], kept)
    assert not torch.allclose(made[:, :, :below], start.latents[:, :, :below], atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_skipped_is_noise_alone(model, kind):
    assert torch.equal(ours(model, start_for(model, 0), kind), ours(model, None, kind))
    everything = torch.ones_like(half_mask(model))
    masked = ours(model, start_for(model, 0, everything), kind)
    torch.testing.assert_close(masked, ours(model, None, kind), rtol=1e-4, atol=1e-4)


def test_guidance_is_told_the_step_of_the_whole_schedule(model):
    """So that a window of consistency guidance means the same levels of noise."""
    told = []

    def guidance(predict, noisy, timestep, step, steps):
        told.append((step, steps, int(timestep)))
        return torch.zeros_like(noisy)

    scheduler, taken = scheduler_for(model, "ddim"), []
    denoise(
        model.predict,
        scheduler,
        noise_for(model),
        guidance,
        start=start_for(model, 7),
        on_step=lambda: taken.append(1),
    )
    expected = [(step, 10, int(scheduler.timesteps[step])) for step in (7, 8, 9)]
    assert told == expected and len(taken) == 3


def test_what_is_grey_in_the_mask_lies_between(model):
    half = torch.full_like(half_mask(model), 0.5)
    changed = [
        float((ours(model, start_for(model, 5, mask)) - start_for(model, 0).latents).abs().mean())
        for mask in (torch.zeros_like(half), half, torch.ones_like(half))
    ]
    assert changed[0] == 0 and 0 < changed[1] < changed[2]


def test_flows_add_noise_along_their_line(model, tiny_sd, tmp_path):
    flow = load_model(
        find_model(str(as_flow(tiny_sd, tmp_path / "flow"))), torch.device("cpu"), torch.float32
    )
    scheduler = scheduler_for(flow, "model")
    start, noise = start_for(flow, 6), noise_for(flow)
    first = begin(scheduler, start)
    noisy = add_noise(scheduler, start.latents, noise, first)
    timestep = scheduler.timesteps[first]
    expected = flow.noise_process.add_noise(start.latents, noise, timestep[None])
    torch.testing.assert_close(noisy, expected, rtol=1e-5, atol=1e-5)
    made = ours(flow, start_for(flow, 6, half_mask(flow)))
    below = made.shape[2] // 2
    assert torch.equal(made[:, :, below:], start.latents.expand_as(made)[:, :, below:])


def test_what_adds_no_noise_cannot_start(model):
    assert not can_start(IPNDMScheduler())
    assert all(can_start(scheduler_for(model, kind)) for kind in KINDS)
