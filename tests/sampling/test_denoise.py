"""Our denoising against diffusers' own pipeline, and a batch against its items."""

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.models.registry import find_model, load_model
from stickerforge.sampling.denoise import denoise
from stickerforge.sampling.guidance import Consistency, NoGuidance, prompt_guidance

PROMPTS = ["a cat astronaut", "two dogs"]


@pytest.fixture(scope="module")
def family(tiny_sd):
    return load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)


def noise_for(family, count=2):
    return torch.randn(
        (count, *family.latent_shape(family.pixels)), generator=torch.Generator().manual_seed(3)
    )


def ours(family, noise, prompts, *, guidance, kind="model", rescale=0.0):
    text, empty = family.encode_prompt(prompts), family.encode_prompt(["blurry"] * len(prompts))
    return denoise(
        family.predict,
        family.noise_process.scheduler(kind, 6, family.latent_shape(family.pixels)),
        noise,
        prompt_guidance(text, empty, guidance, rescale),
    )


@pytest.mark.parametrize(("guidance", "rescale"), [(7.5, 0.0), (1.0, 0.0), (5.0, 0.7)])
def test_the_same_latents_as_the_diffusers_pipeline(family, tiny_sd, guidance, rescale):
    pipeline = StableDiffusionPipeline.from_pretrained(
        tiny_sd, safety_checker=None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = noise_for(family)
    theirs = pipeline(
        PROMPTS,
        negative_prompt=["blurry"] * 2,
        latents=noise.clone(),
        num_inference_steps=6,
        guidance_scale=guidance,
        guidance_rescale=rescale,
        output_type="latent",
    ).images
    torch.testing.assert_close(
        ours(family, noise, PROMPTS, guidance=guidance, rescale=rescale),
        theirs,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("negative", ["blurry", ""])
def test_the_same_latents_as_the_sdxl_pipeline(tiny_sdxl, negative):
    family = load_model(find_model(str(tiny_sdxl)), torch.device("cpu"), torch.float32)
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl)
    pipeline.set_progress_bar_config(disable=True)
    noise = noise_for(family)
    theirs = pipeline(
        PROMPTS,
        negative_prompt=[negative] * 2 if negative else None,
        latents=noise.clone(),
        num_inference_steps=6,
        guidance_scale=5.0,
        output_type="latent",
        height=family.pixels,
        width=family.pixels,
    ).images
    text, empty = family.encode_prompt(PROMPTS), family.encode_prompt([negative] * 2)
    latents = denoise(
        family.predict,
        family.noise_process.scheduler("model", 6, family.latent_shape(family.pixels)),
        noise,
        prompt_guidance(text, empty, 5.0),
    )
    torch.testing.assert_close(latents, theirs, rtol=1e-4, atol=1e-4)


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def adapted(request):
    """A family with an adapter that is on, and what it makes of a prompt, led by the base."""
    family = load_model(
        find_model(str(request.getfixturevalue(request.param))), torch.device("cpu"), torch.float32
    )
    factors = AdapterSet(family).add_trainable("taught", 2, "attention", 0)
    AdapterSet(family).activate({"taught": 1.0})

    def made(weight, *, guidance=5.0, rescale=0.0, start=0.0, end=1.0):
        with AdapterSet(family).disabled():
            base, empty = family.encode_prompt(["a cat"] * 2), family.encode_prompt(["blurry"] * 2)
        text, scheduler = (
            family.encode_prompt(["two dogs"] * 2),
            family.noise_process.scheduler("ddim", 4, family.latent_shape(family.pixels)),
        )
        with torch.no_grad():
            return denoise(
                family.predict,
                scheduler,
                noise_for(family),
                Consistency(
                    text,
                    prompt_guidance(base, empty, guidance),
                    AdapterSet(family).disabled,
                    weight,
                    rescale,
                    start,
                    end,
                ),
            )

    def learn():
        with torch.no_grad():
            for index, parameter in enumerate(factors):
                parameter.copy_(
                    0.3
                    * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(index))
                )

    return family, made, learn


def alone(family, guidance, rescale=0.0):
    """The base model under classifier-free guidance, for the prompt without the new word."""
    with torch.no_grad(), AdapterSet(family).disabled():
        text, empty = family.encode_prompt(["a cat"] * 2), family.encode_prompt(["blurry"] * 2)
        scheduler = family.noise_process.scheduler("ddim", 4, family.latent_shape(family.pixels))
        return denoise(
            family.predict,
            scheduler,
            noise_for(family),
            prompt_guidance(text, empty, guidance, rescale),
        )


@pytest.mark.parametrize(("guidance", "rescale"), [(5.0, 0.0), (1.0, 0.0), (5.0, 0.7)])
def test_without_weight_consistency_is_the_base_to_the_bit(adapted, guidance, rescale):
    family, made, learn = adapted
    learn()
    base = alone(family, guidance, rescale)
    assert torch.equal(made(0.0, guidance=guidance, rescale=rescale), base)
    assert torch.equal(made(3.0, guidance=guidance, rescale=rescale, start=0.1, end=0.2), base), (
        "no step lies in that window"
    )
    assert not torch.allclose(made(3.0, guidance=guidance, rescale=rescale), base, atol=1e-3)


def test_consistency_step_by_step(adapted):
    """Against a loop written out in float64 around the scheduler's formula, with the weight on in the first half alone."""
    family, made, learn = adapted
    learn()
    scheduler = family.noise_process.scheduler("ddim", 4, family.latent_shape(family.pixels))
    latents = noise_for(family).double()
    alphas = family.noise_process.schedule.alphas_cumprod.double()
    with torch.no_grad():
        for step, t in enumerate(scheduler.timesteps):
            noisy = latents.float()
            personal = family.predict(noisy, t, family.encode_prompt(["two dogs"] * 2)).double()
            with AdapterSet(family).disabled():
                base, empty = (
                    family.predict(noisy, t, family.encode_prompt([said] * 2)).double()
                    for said in ("a cat", "blurry")
                )
            noise = empty + 5 * (base - empty) + (2.5 * (personal - base) if step < 2 else 0)
            before = int(t) - 1000 // 4
            now, then = (
                alphas[t],
                alphas[before] if before >= 0 else scheduler.final_alpha_cumprod.double(),
            )
            clean = (latents - (1 - now).sqrt() * noise) / now.sqrt()
            latents = then.sqrt() * clean + (1 - then).sqrt() * noise
    torch.testing.assert_close(made(2.5, end=0.5).double(), latents, rtol=1e-3, atol=1e-3)


def test_an_adapter_that_learned_nothing_leads_nowhere(adapted):
    """With the same prompt for both; the passes have other shapes, and round otherwise."""
    family, _, _ = adapted
    with torch.no_grad():
        text, empty = family.encode_prompt(["a cat"] * 2), family.encode_prompt(["blurry"] * 2)
        guidance = prompt_guidance(text, empty, 5.0)
        made = denoise(
            family.predict,
            family.noise_process.scheduler("ddim", 4, family.latent_shape(family.pixels)),
            noise_for(family),
            Consistency(text, guidance, AdapterSet(family).disabled, 4.0),
        )
    torch.testing.assert_close(made, alone(family, 5.0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["model", "ddim", "euler", "dpm++"])
def test_company_changes_nothing(family, kind):
    noise = noise_for(family)
    together = ours(family, noise, PROMPTS, guidance=4.0, kind=kind)
    alone = [
        ours(family, noise[i : i + 1], [PROMPTS[i]], guidance=4.0, kind=kind) for i in range(2)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-3, atol=1e-3)


def test_a_scheduler_that_adds_noise_takes_it_from_the_seed(family):
    family.noise_process.config["_class_name"] = "EulerAncestralDiscreteScheduler"
    try:
        noise, text = noise_for(family, 1), family.encode_prompt(["cat"])
        runs = []
        for seed in (1, 1, 2):
            generators = [torch.Generator().manual_seed(seed)]
            runs.append(
                denoise(
                    family.predict,
                    family.noise_process.scheduler("model", 4, family.latent_shape(family.pixels)),
                    noise,
                    NoGuidance(text),
                    generators=generators,
                )
            )
    finally:
        family.noise_process.config["_class_name"] = "DDIMScheduler"
    assert torch.equal(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2])


def test_decoding_is_the_pipelines(family, tiny_sd):
    pipeline = StableDiffusionPipeline.from_pretrained(
        tiny_sd, safety_checker=None, requires_safety_checker=False
    )
    latents = noise_for(family)
    with torch.no_grad():
        raw = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    torch.testing.assert_close(
        family.decode(latents),
        pipeline.image_processor.postprocess(raw, output_type="pt"),
        rtol=0,
        atol=1e-5,
    )
