"""Our denoising against diffusers' own pipeline, and a batch against its items."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

from stickerforge.models.catalog import located
from stickerforge.models.loading import load
from stickerforge.sampling.denoising import denoise

PROMPTS = ["a cat astronaut", "two dogs"]


@pytest.fixture(scope="module")
def family(tiny_sd):
    return load(located(str(tiny_sd)), torch.device("cpu"), torch.float32)


def noise_for(family, count=2):
    return torch.randn((count, *family.latent_shape(family.pixels)), generator=torch.Generator().manual_seed(3))


def ours(family, noise, prompts, *, guidance, kind="model", rescale=0.0):
    text, empty = family.encode_prompt(prompts), family.encode_prompt(["blurry"] * len(prompts))
    return denoise(family.predict, family.scheduler(kind, 6), noise, text, empty, guidance=guidance, guidance_rescale=rescale)


@pytest.mark.parametrize(("guidance", "rescale"), [(7.5, 0.0), (1.0, 0.0), (5.0, 0.7)])
def test_the_same_latents_as_the_diffusers_pipeline(family, tiny_sd, guidance, rescale):
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, safety_checker=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    noise = noise_for(family)
    theirs = pipeline(
        PROMPTS, negative_prompt=["blurry"] * 2, latents=noise.clone(), num_inference_steps=6,
        guidance_scale=guidance, guidance_rescale=rescale, output_type="latent",
    ).images  # fmt: skip
    torch.testing.assert_close(ours(family, noise, PROMPTS, guidance=guidance, rescale=rescale), theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("negative", ["blurry", ""])
def test_the_same_latents_as_the_sdxl_pipeline(tiny_sdxl, negative):
    family = load(located(str(tiny_sdxl)), torch.device("cpu"), torch.float32)
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl)
    pipeline.set_progress_bar_config(disable=True)
    noise = noise_for(family)
    theirs = pipeline(
        PROMPTS, negative_prompt=[negative] * 2 if negative else None, latents=noise.clone(), num_inference_steps=6,
        guidance_scale=5.0, output_type="latent", height=family.pixels, width=family.pixels,
    ).images  # fmt: skip
    text, empty = family.encode_prompt(PROMPTS), family.encode_prompt([negative] * 2)
    latents = denoise(family.predict, family.scheduler("model", 6), noise, text, empty, guidance=5.0)
    torch.testing.assert_close(latents, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["model", "ddim", "euler", "dpm++"])
def test_company_changes_nothing(family, kind):
    noise = noise_for(family)
    together = ours(family, noise, PROMPTS, guidance=4.0, kind=kind)
    alone = [ours(family, noise[i : i + 1], [PROMPTS[i]], guidance=4.0, kind=kind) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-3, atol=1e-3)


def test_a_scheduler_that_adds_noise_takes_it_from_the_seed(family):
    family.scheduler_config["_class_name"] = "EulerAncestralDiscreteScheduler"
    try:
        noise, text = noise_for(family, 1), family.encode_prompt(["cat"])
        runs = []
        for seed in (1, 1, 2):
            generators = [torch.Generator().manual_seed(seed)]
            runs.append(denoise(family.predict, family.scheduler("model", 4), noise, text, text, guidance=1.0, generators=generators))
    finally:
        family.scheduler_config["_class_name"] = "DDIMScheduler"
    assert torch.equal(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2])


def test_decoding_is_the_pipelines(family, tiny_sd):
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_sd, safety_checker=None, requires_safety_checker=False)
    latents = noise_for(family)
    with torch.no_grad():
        raw = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    torch.testing.assert_close(family.decode(latents), pipeline.image_processor.postprocess(raw, output_type="pt"), rtol=0, atol=1e-5)
