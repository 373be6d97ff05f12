"""The heavy part of a call: load the model, sample every image that is missing, write."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from stickerforge.data.init_pictures import has_ground
from stickerforge.generation.active_adapters import (
    activate,
    attach_adapters,
    drawing_adapters,
    long_prompts_of,
)
from stickerforge.generation.clear_grounds import fills_square, warn_of_grounds
from stickerforge.generation.control import ControlPlan
from stickerforge.generation.image_features import ImageFeatures, encode_references, image_tokens
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.image_writer import background_writer, save_image
from stickerforge.generation.micro_batches import prompt_windows
from stickerforge.generation.plan import GenerationPlan
from stickerforge.generation.sampler import (
    GuidanceParams,
    SamplingParams,
    guidance_params,
    make_scheduler,
    sample,
    sampling_params,
)
from stickerforge.generation.start import encode_start
from stickerforge.generation.unread_text import warn_of_unread_text
from stickerforge.models.card import ModelCard
from stickerforge.models.checksums import verify
from stickerforge.models.control_network import attach_control
from stickerforge.models.families.base import DiffusionModel
from stickerforge.models.long_prompts import base_prompts
from stickerforge.models.matting import CutOut, load_cut_out, matting_model
from stickerforge.models.registry import load_model
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import default_dtype, memory_fault
from stickerforge.sampling.control import Control
from stickerforge.sampling.denoise import Start, begin


def make_images(
    plan: GenerationPlan, console: Console, *, offline: bool
) -> tuple[set[Path], list[str]]:
    """Make every image that is not there yet.

    Returns:
        (the files that were written, a line for each image that could not be made).

    Raises:
        StickerforgeError: weights are damaged or missing, memory or the disk is full.
    """
    verify(plan.card.folder)
    cut_out = None
    if plan.matting != "none":
        cut_out = load_cut_out(matting_model(plan.matting), offline=offline)
    try:
        # Before the model is loaded: the encoder is gone again by then.
        features = encode_pictures(plan, console, offline=offline)
        folder = fetch_control(plan, console, offline=offline)
        model = load(plan.card, plan.device)
        warn_of_length(model, plan.open_jobs, console)
        pixels = plan.sampling.pixels or model.pixels
        control = None
        if plan.control and folder:
            control = attach(plan.control, folder, model, pixels)
        return write_images(
            model,
            plan.open_jobs,
            sampling_params(plan.sampling, pixels),
            guidance_params(plan.sampling),
            cut_out,
            console,
            keep_prompt=plan.output.prompt,
            features=features,
            control=control,
        )
    except RuntimeError as error:
        raise memory_fault(error) or error from error


def encode_pictures(
    plan: GenerationPlan, console: Console, *, offline: bool
) -> ImageFeatures | None:
    """What the image encoder makes of the pictures of a call; None where there are none."""
    if plan.image_prompt is None:
        return None
    device = torch.device(plan.device)
    return encode_references(plan.image_prompt, device, offline=offline, say=console.say)


def fetch_control(plan: GenerationPlan, console: Console, *, offline: bool) -> Path | None:
    """The folder of the ControlNet of a call; None where there is none, or it does nothing."""
    if plan.control is None or not plan.control.counts:
        return None
    return plan.control.place.fetch(plan.card, offline=offline, say=console.say)


def attach(control: ControlPlan, folder: Path, model: DiffusionModel, pixels: int) -> Control:
    """The control of a call, with its ControlNet beside the model.

    Args:
        folder: of the ControlNet.
        pixels: side of the square that is sampled.
    """
    scale = control.picture.scale
    attach_control(model, folder, default_dtype(model.device), scale)
    square = torch.from_numpy(control.picture.square(pixels)).to(model.device)
    picture = square.permute(2, 0, 1)[None].float() / 255
    # At scale 0 nothing is added, and the end of its steps is their start.
    return Control(picture, control.start, control.end if scale else control.start)


def load(card: ModelCard, device: str) -> DiffusionModel:
    """A model on a device, in the number format that suits the device."""
    place = torch.device(device)
    return load_model(card, place, default_dtype(place))


def warn_of_length(model: DiffusionModel, jobs: Sequence[ImageJob], console: Console) -> None:
    """Warn of texts that the model does not read to their end: prompts, and what is to be avoided.

    In the words of the base a text may be longer: a placeholder is one token, its class several.
    """
    for adapters in dict.fromkeys(job.adapters for job in jobs):
        group = [job for job in jobs if job.adapters == adapters]
        model.long_prompts = long_prompts_of(adapters, model.card)
        warn_of_unread_text(model, [job.text for job in group], "the prompt", console)
        negatives = [job.negative for job in group]
        warn_of_unread_text(model, negatives, "the negative prompt", console)
        drawing = drawing_adapters(adapters)
        guided = [job for job in group if drawing and job.params["sampling"].get("consistency")]
        texts = [text for job in guided for text in (job.text, job.negative)]
        short = [text for text in texts if not model.unread_text(text)]
        with base_prompts(model):
            base_texts = [guided[0].in_base_words(text) for text in short]
            warn_of_unread_text(model, base_texts, "the prompt in words of the base", console)


def write_images(
    model: DiffusionModel,
    jobs: Sequence[ImageJob],
    sampling: SamplingParams,
    guidance: GuidanceParams,
    cut_out: CutOut | None,
    console: Console,
    *,
    keep_prompt: bool,
    features: ImageFeatures | None = None,
    control: Control | None = None,
) -> tuple[set[Path], list[str]]:
    """Sample jobs, and write each image while the next ones are sampled.

    Args:
        features: of the pictures that are read beside every prompt.
        control: the picture whose structure all follow.

    Returns:
        (the files that were written, a line for each image that is not finite).
    """
    written, failed, filled = set(), [], []
    steps, start = plan_steps(model, jobs, sampling)
    with (
        console.progress("denoising", steps * len(jobs)) as advance,
        background_writer() as write,
    ):
        beside = advance, start, features, control
        for job, pixels in sample_jobs(model, jobs, sampling, guidance, *beside):
            if bool(pixels.isfinite().all()):
                write(save_image, job, pixels, cut_out, keep_prompt)
                written.add(job.path)
                if cut_out is None and fills_square(pixels) and not has_ground(job.init):
                    filled.append(job)
            else:
                failed.append(f"{job.prompt!r} seed {job.seed}: the model made no finite picture")
    warn_of_grounds(filled, model.card.name, draws_alpha=model.has_alpha, console=console)
    return written, failed


def plan_steps(
    model: DiffusionModel, jobs: Sequence[ImageJob], sampling: SamplingParams
) -> tuple[int, Start | None]:
    """(steps of the scheduler that are taken for each image, where all of them start).

    Raises:
        InputError: the scheduler cannot start from a picture.
    """
    scheduler = make_scheduler(model, sampling)
    init, start = jobs[0].init, None
    if init is not None:
        start = encode_start(model, scheduler, init, pixels=sampling.pixels, steps=sampling.steps)
    return len(scheduler.timesteps) - (begin(scheduler, start) if start else 0), start


def sample_jobs(
    model: DiffusionModel,
    jobs: Sequence[ImageJob],
    sampling: SamplingParams,
    guidance: GuidanceParams,
    on_step: Callable[[int], None] = lambda images: None,
    start: Start | None = None,
    features: ImageFeatures | None = None,
    control: Control | None = None,
) -> Iterator[tuple[ImageJob, Tensor]]:
    """Yield every job with its pixels (3 or 4, H, W); jobs with the same adapters come together."""
    attached = attach_adapters(model, dict.fromkeys(a for job in jobs for a in job.adapters))
    images = image_tokens(attached, features) if features else None
    for adapters in dict.fromkeys(job.adapters for job in jobs):
        group = [job for job in jobs if job.adapters == adapters]
        own = guidance if drawing_adapters(adapters) else replace(guidance, consistency=None)
        activate(attached, adapters)
        model.long_prompts = long_prompts_of(adapters, model.card)
        # Images of one length share a pass; the others stay in their order.
        group.sort(key=lambda job: prompt_windows(model, job.text, job.negative))
        negatives = [job.negative for job in group]
        if own.consistency:
            negatives = [job.in_base_words(job.negative) for job in group]
        drawn = sample(
            model,
            [job.text for job in group],
            [job.seed for job in group],
            sampling,
            own,
            negatives=negatives,
            base_texts=[job.in_base_words(job.text) for job in group],
            start=start,
            images=images,
            control=control,
            on_step=on_step,
        )
        yield from zip(group, drawn, strict=True)
