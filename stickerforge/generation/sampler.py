"""From texts and seeds to pixels: an image's bytes do not depend on those beside it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from stickerforge.adapters.lora_layers import AdapterSet
from stickerforge.config.schema import SamplingConfig
from stickerforge.generation.micro_batches import Sample, micro_batches, prompt_windows
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.long_prompts import base_prompts
from stickerforge.models.text_projections import keep_text_projections
from stickerforge.runtime.seeds import generator
from stickerforge.sampling.conditioning import Conditioning
from stickerforge.sampling.control import Control
from stickerforge.sampling.denoise import Scheduler, Start, denoise
from stickerforge.sampling.guidance import Consistency, Guidance, prompt_guidance
from stickerforge.sampling.image_tokens import ImageTokens

PromptEncoder = Callable[..., Conditioning]  # texts (B of them), windows, base=False


@dataclass(frozen=True)
class SamplingParams:
    """How latents are denoised.

    Args:
        steps: denoising steps, at least 1.
        pixels: side of the square that is sampled; a multiple of the model's `multiple`.
        scheduler: "ddim", "euler", "dpm++", or "model" for the one that the model comes with.
        batch: images per forward pass; a smaller rest is padded to this size.
    """

    steps: int
    pixels: int
    scheduler: str = "model"
    batch: int = 1


@dataclass(frozen=True)
class ConsistencyParams:
    """Consistency guidance (arXiv:2402.12004): the base model leads what adapters learned.

    Args:
        weight: of the adapters; 0 gives the base model.
        start: share of the steps, 0 to 1, from which the adapters count.
        end: share of the steps up to which they count.
    """

    weight: float
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class GuidanceParams:
    """How strongly prompts guide.

    Args:
        scale: of classifier-free guidance (arXiv:2207.12598); 1 switches it off.
        rescale: share of the guided spread that is put back (arXiv:2305.08891), 0 to 1.
        consistency: None where adapters guide themselves.
    """

    scale: float
    rescale: float = 0.0
    consistency: ConsistencyParams | None = None


def sampling_params(settings: SamplingConfig, pixels: int) -> SamplingParams:
    """What `sample` needs of settings that `sampling_settings` has filled in."""
    return SamplingParams(settings.steps, pixels, settings.scheduler, settings.batch)


def guidance_params(settings: SamplingConfig) -> GuidanceParams:
    """The guidance of settings that `sampling_settings` has filled in."""
    consistency = None
    if settings.consistency is not None:
        start, end = settings.consistency_start, settings.consistency_end
        consistency = ConsistencyParams(
            settings.consistency, 0.0 if start is None else start, 1.0 if end is None else end
        )
    return GuidanceParams(settings.guidance, settings.guidance_rescale, consistency)


def sample(
    model: DiffusionModel,
    texts: Sequence[str],
    seeds: Sequence[int],
    sampling: SamplingParams,
    guidance: GuidanceParams,
    *,
    negatives: Sequence[str] = (),
    base_texts: Sequence[str] = (),
    start: Start | None = None,
    images: ImageTokens | None = None,
    control: Control | None = None,
    on_step: Callable[[int], None] = lambda images: None,
) -> Iterator[Tensor]:
    """Yield the pixels of one image per text, in order.

    They are float32 (3 or 4, H, W) in [0, 1] on the CPU; four channels have premultiplied alpha.

    The model samples with the adapters that are active while the iterator is consumed. The same
    text, seed and settings give the same bytes in any company and order.

    Args:
        texts: as the model is to read them.
        seeds: one per text; each decides the noise and the place within the micro-batch.
        negatives: one per text, or none at all.
        base_texts: of consistency guidance, one per text: the same in words that the base knows.
            The negatives must be in such words, too.
        start: a picture that all start from; None for noise alone.
        images: pictures that are read beside every text.
        control: a picture whose structure all follow; the model has a ControlNet then.
        on_step: called after every step with the number of images that it advanced.

    Raises:
        ValueError: there are not as many of one as of the others.
    """
    samples = [
        measure(model, Sample(*values), guidance)
        for values in zip(
            texts,
            seeds,
            negatives or [""] * len(texts),
            base_texts if guidance.consistency else texts,
            strict=True,
        )
    ]
    encode = prompt_encoder(model)
    beside = start, images, control
    return (
        pixels
        for batch in micro_batches(samples, sampling.batch)
        for pixels in sample_batch(model, encode, batch, sampling, guidance, *beside, on_step)
    )


def measure(model: DiffusionModel, item: Sample, guidance: GuidanceParams) -> Sample:
    """A sample with the lengths of its encoded texts; a negative that is not used has none."""
    negative = item.negative if guidance.scale != 1 else ""
    if guidance.consistency is None:
        return replace(item, windows=prompt_windows(model, item.text, negative))
    with base_prompts(model):
        base_windows = prompt_windows(model, item.base_text, negative)
    return replace(item, windows=prompt_windows(model, item.text), base_windows=base_windows)


def prompt_encoder(model: DiffusionModel) -> PromptEncoder:
    """Encodes texts with the adapters that are active, or without them where `base`.

    They are as many windows long as is asked for, or more where a text takes more. The last few
    are kept: images of a call often share prompts, and nearly always the negative one.
    """
    base_model = AdapterSet(model).disabled

    @lru_cache(maxsize=8)
    def encode(texts: tuple[str, ...], windows: int, base: bool = False) -> Conditioning:
        if not base:
            return model.encode_prompt(texts, windows)
        with base_model(), base_prompts(model):
            return model.encode_prompt(texts, windows)

    return encode


def sample_batch(
    model: DiffusionModel,
    encode: PromptEncoder,
    batch: dict[int, Sample],
    sampling: SamplingParams,
    guidance: GuidanceParams,
    start: Start | None,
    images: ImageTokens | None,
    control: Control | None,
    on_step: Callable[[int], None],
) -> list[Tensor]:
    """The pixels of one micro-batch, in its order.

    It is padded to its full size, so that shapes and slots, and with them the bytes, are always
    the same.
    """
    filler = next(iter(batch.values()))
    padded = [batch.get(slot, filler) for slot in range(sampling.batch)]
    shape = model.latent_shape(sampling.pixels)
    noise = torch.stack(
        [torch.randn(shape, generator=generator(item.seed, "latents")) for item in padded]
    )
    with torch.inference_mode(), keep_text_projections(model.networks[model.spec.denoiser]):
        guided = encode_guidance(model, encode, padded, guidance, images)
        latents = denoise(
            model.predict,
            make_scheduler(model, sampling),
            noise.to(model.device),
            control.around(guided) if control else guided,
            start=start,
            generators=[generator(item.seed, "steps") for item in padded],
            on_step=lambda: on_step(len(batch)),
        )
        pixels = model.decode(latents)
    return [pixels[slot] for slot in batch]


def make_scheduler(model: DiffusionModel, sampling: SamplingParams) -> Scheduler:
    """The scheduler of a run, with its timesteps."""
    shape = model.latent_shape(sampling.pixels)
    return model.noise_process.scheduler(sampling.scheduler, sampling.steps, shape)


def encode_guidance(
    model: DiffusionModel,
    encode: PromptEncoder,
    padded: Sequence[Sample],
    params: GuidanceParams,
    images: ImageTokens | None = None,
) -> Guidance:
    """The guidance of a micro-batch, with its encoded texts, and pictures beside them."""
    windows, base_windows = padded[0].windows, padded[0].base_windows
    text = encode(tuple(item.text for item in padded), windows)
    negatives = tuple(item.negative for item in padded)
    if params.consistency is None:
        negative, base_text = encode(negatives, windows), None
    else:
        negative = encode(negatives, base_windows, base=True)
        base_text = encode(tuple(item.base_text for item in padded), base_windows, base=True)

    def guide(images: ImageTokens | None) -> Guidance:
        if images is None:
            return combine_texts(model, text, negative, base_text, params)
        base = None if base_text is None else images.beside(base_text)
        beside = images.beside(text), images.beside_negative(negative), base
        return combine_texts(model, *beside, params)

    return guide(None) if images is None else images.during(guide(images), lambda: guide(None))


def combine_texts(
    model: DiffusionModel,
    text: Conditioning,
    negative: Conditioning,
    base_text: Conditioning | None,
    params: GuidanceParams,
) -> Guidance:
    """The guidance by encoded texts, B of each.

    Args:
        base_text: of consistency guidance, as the base reads it; the negative is, too.
    """
    consistency = params.consistency
    if consistency is None or base_text is None:
        return prompt_guidance(text, negative, params.scale, params.rescale)
    return Consistency(
        text,
        prompt_guidance(base_text, negative, params.scale),
        AdapterSet(model).disabled,
        consistency.weight,
        params.rescale,
        consistency.start,
        consistency.end,
    )
