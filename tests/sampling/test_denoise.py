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
def model(tiny_sd):
    return load_model(find_model(str(tiny_sd)), torch.device("cpu"), torch.float32)


def noise_for(model, count=2):
    return torch.randn(
        (count, *model.latent_shape(model.pixels)), generator=torch.Generator().manual_seed(3)
    )


def scheduler_for(model, kind, steps):
    return model.noise_process.scheduler(kind, steps, model.latent_shape(model.pixels))


def ours(model, noise, prompts, *, guidance, kind="model", rescale=0.0):
    text, empty = model.encode_prompt(prompts), model.encode_prompt(["blurry"] * len(prompts))
    return denoise(
        model.predict,
        scheduler_for(model, kind, 6),
        noise,
        prompt_guidance(text, empty, guidance, rescale),
    )


@pytest.mark.parametrize(("guidance", "rescale"), [(7.5, 0.0), (1.0, 0.0), (5.0, 0.7)])
def test_the_same_latents_as_the_diffusers_pipeline(model, tiny_sd, guidance, rescale):
    pipeline = StableDiffusionPipeline.from_pretrained(
        tiny_sd, safety_checker=None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = noise_for(model)
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
        ours(model, noise, PROMPTS, guidance=guidance, rescale=rescale),
        theirs,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("negative", ["blurry", ""])
def test_the_same_latents_as_the_sdxl_pipeline(tiny_sdxl, negative):
    model = load_model(find_model(str(tiny_sdxl)), torch.device("cpu"), torch.float32)
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl)
    pipeline.set_progress_bar_config(disable=True)
    noise = noise_for(model)
    theirs = pipeline(
        PROMPTS,
        negative_prompt=[negative] * 2 if negative else None,
        latents=noise.clone(),
        num_inference_steps=6,
        guidance_scale=5.0,
        output_type="latent",
        height=model.pixels,
        width=model.pixels,
    ).images
    text, empty = model.encode_prompt(PROMPTS), model.encode_prompt([negative] * 2)
    latents = denoise(
        model.predict,
        scheduler_for(model, "model", 6),
        noise,
        prompt_guidance(text, empty, 5.0),
    )
    torch.testing.assert_close(latents, theirs, rtol=1e-4, atol=1e-4)


@pytest.fixture(params=["tiny_sd", "tiny_sdxl"])
def adapted(request):
    """A model with an adapter that is on, and what it makes of a prompt, led by the base."""
    model = load_model(
        find_model(str(request.getfixturevalue(request.param))), torch.device("cpu"), torch.float32
    )
    factors = AdapterSet(model).add_trainable("taught", 2, "attention", 0)
    AdapterSet(model).activate({"taught": 1.0})

    def made(weight, *, guidance=5.0, rescale=0.0, start=0.0, end=1.0):
        with AdapterSet(model).disabled():
            base, empty = model.encode_prompt(["a cat"] * 2), model.encode_prompt(["blurry"] * 2)
        text, scheduler = (
            model.encode_prompt(["two dogs"] * 2),
            scheduler_for(model, "ddim", 4),
        )
        with torch.no_grad():
            return denoise(
                model.predict,
                scheduler,
                noise_for(model),
                Consistency(
                    text,
                    prompt_guidance(base, empty, guidance),
                    AdapterSet(model).disabled,
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

    return model, made, learn


def alone(model, guidance, rescale=0.0):
    """The base model under classifier-free guidance, for the prompt without the new word."""
    with torch.no_grad(), AdapterSet(model).disabled():
        text, empty = model.encode_prompt(["a cat"] * 2), model.encode_prompt(["blurry"] * 2)
        scheduler = scheduler_for(model, "ddim", 4)
        return denoise(
            model.predict,
            scheduler,
            noise_for(model),
            prompt_guidance(text, empty, guidance, rescale),
        )


@pytest.mark.parametrize(("guidance", "rescale"), [(5.0, 0.0), (1.0, 0.0), (5.0, 0.7)])
def test_without_weight_consistency_is_the_base_to_the_bit(adapted, guidance, rescale):
    model, made, learn = adapted
    learn()
    base = alone(model, guidance, rescale)
    assert torch.equal(made(0.0, guidance=guidance, rescale=rescale), base)
    assert torch.equal(made(3.0, guidance=guidance, rescale=rescale, start=0.1, end=0.2), base), (
        "no step lies in that window"
    )
    assert not torch.allclose(made(3.0, guidance=guidance, rescale=rescale), base, atol=1e-3)


def test_consistency_step_by_step(adapted):
    """Against a float64 loop around the scheduler's formula; the weight holds in the first half."""
    model, made, learn = adapted
    learn()
    scheduler = scheduler_for(model, "ddim", 4)
    latents = noise_for(model).double()
    alphas = model.noise_process.schedule.alphas_cumprod.double()
    with torch.no_grad():
        for step, t in enumerate(scheduler.timesteps):
            noisy = latents.float()
            personal = model.predict(noisy, t, model.encode_prompt(["two dogs"] * 2)).double()
            with AdapterSet(model).disabled():
                base, empty = (
                    model.predict(noisy, t, model.encode_prompt([said] * 2)).double()
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
    model, _, _ = adapted
    with torch.no_grad():
        text, empty = model.encode_prompt(["a cat"] * 2), model.encode_prompt(["blurry"] * 2)
        guidance = prompt_guidance(text, empty, 5.0)
        made = denoise(
            model.predict,
            scheduler_for(model, "ddim", 4),
            noise_for(model),
            Consistency(text, guidance, AdapterSet(model).disabled, 4.0),
        )
    torch.testing.assert_close(made, alone(model, 5.0), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["model", "ddim", "euler", "dpm++"])
def test_company_changes_nothing(model, kind):
    noise = noise_for(model)
    together = ours(model, noise, PROMPTS, guidance=4.0, kind=kind)
    alone = [ours(model, noise[i : i + 1], [PROMPTS[i]], guidance=4.0, kind=kind) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-3, atol=1e-3)


def test_a_scheduler_that_adds_noise_takes_it_from_the_seed(model):
    model.noise_process.config["_class_name"] = "EulerAncestralDiscreteScheduler"
    try:
        noise, text = noise_for(model, 1), model.encode_prompt(["cat"])
        runs = []
        for seed in (1, 1, 2):
            generators = [torch.Generator().manual_seed(seed)]
            runs.append(
                denoise(
                    model.predict,
                    scheduler_for(model, "model", 4),
                    noise,
                    NoGuidance(text),
                    generators=generators,
                )
            )
    finally:
        model.noise_process.config["_class_name"] = "DDIMScheduler"
    assert torch.equal(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2])


def test_decoding_is_the_pipelines(model, tiny_sd):
    pipeline = StableDiffusionPipeline.from_pretrained(
        tiny_sd, safety_checker=None, requires_safety_checker=False
    )
    latents = noise_for(model)
    with torch.no_grad():
        raw = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    torch.testing.assert_close(
        model.decode(latents),
        pipeline.image_processor.postprocess(raw, output_type="pt"),
        rtol=0,
        atol=1e-5,
    )
