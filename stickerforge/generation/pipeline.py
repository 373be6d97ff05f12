"""Load the model, sample every image that is not there yet, write behind the sampling."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stickerforge.config.schema import GenerateConfig
from stickerforge.config.toml import to_toml, to_tree
from stickerforge.config.unused import unused_in_generate
from stickerforge.generation.active_adapters import attach_adapters
from stickerforge.generation.checks import (
    check_bases,
    check_consistency,
    check_replaced,
    check_settings_file,
    is_finished,
    warn_of_changes,
    warn_of_words,
)
from stickerforge.generation.image_params import ImageJob, image_jobs
from stickerforge.generation.image_writer import background_writer, write_contact_sheet
from stickerforge.generation.plan import (
    CONFIG_FILE,
    GenerationPlan,
    sampling_settings,
    saved_config,
    select_matting,
)
from stickerforge.generation.postprocess import save
from stickerforge.generation.requests import build_requests, default_model, prompt_rows
from stickerforge.models.card import check_pixels
from stickerforge.models.checksums import fingerprint, verify
from stickerforge.models.registry import find_model
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.seeds import random_seed
from stickerforge.runtime.signals import interruptible

if TYPE_CHECKING:
    from stickerforge.models.families.base import DiffusionModel
    from stickerforge.models.matting import CutOut


@dataclass
class GenerationResult:
    """What a call made.

    Args:
        outputs: one entry per picture: path, prompt, seed, style, id, recipe, skipped.
        failed: a line for each picture that could not be made.
        sheet: the contact sheet, where one was asked for.
        config: the settings in force; a valid `--config`.
    """

    outputs: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    sheet: Path | None = None
    config: Path | None = None
    seed: int | None = None
    warnings: list[str] = field(default_factory=list)


def run_generation(
    config: GenerateConfig,
    console: Console,
    *,
    offline: bool = False,
    force: bool = False,
    repeated: Mapping[str, Any] | None = None,
) -> GenerationResult:
    """Make every picture that is not there yet.

    Args:
        force: as in `plan`.
        repeated: the recipe of the picture which is repeated, where one is.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
        Interrupted: likewise.
    """
    with interruptible():
        whole = plan_generation(config, console, offline=offline, force=force)
        folder = Path(whole.config.output.folder)
        make_folder(folder)
        if config.seed is None:
            console.say(f"seed {whole.config.seed}")
        warn_of_changes(whole, repeated or {}, console)
        warn_of_words(whole, console)
        write_whole(folder / CONFIG_FILE, to_toml(saved_config(whole.config), "generate").encode())
        made, failed = make_images(whole, console, offline=offline) if whole.open else (set(), [])
        outputs = [
            describe_output(item, whole) for item in whole.items if item.path in whole.done | made
        ]
        result = GenerationResult(
            outputs, failed, None, folder / CONFIG_FILE, whole.config.seed, console.warnings
        )
        if whole.config.output.sheet and len(outputs) > 1:
            result.sheet = write_contact_sheet(
                whole.config,
                console,
                [item for item in whole.items if item.path in whole.done | made],
            )
        return result


def describe_output(item: ImageJob, whole: GenerationPlan) -> dict[str, Any]:
    """The item's entry in the result."""
    return {
        "path": str(item.path),
        "prompt": item.prompt,
        "seed": item.seed,
        "style": item.style,
        "id": item.id,
        "recipe": item.digest,
        "skipped": item.path in whole.done,
    }


def make_images(
    whole: GenerationPlan, console: Console, *, offline: bool
) -> tuple[set[Path], list[str]]:
    """Load the model, denoise in micro-batches, write behind; returns files made and items that failed."""
    from stickerforge.models.matting import load_cut_out, matting_model
    from stickerforge.runtime.device import memory_fault

    verify(whole.card.folder)
    cut_out = (
        load_cut_out(matting_model(whole.matting), offline=offline)
        if whole.matting != "none"
        else None
    )
    try:
        family = load(whole)
        for text in dict.fromkeys(item.text for item in whole.open):
            if rest := family.unread(text):
                console.warn(f"{whole.card.name} reads 75 tokens; not read: {rest[:80]!r}")
        return sample_jobs(family, whole, console, cut_out)
    except RuntimeError as error:
        raise memory_fault(error) or error from error


def load(whole: GenerationPlan) -> "DiffusionModel":
    """The model on its device."""
    from stickerforge.models.loading import load_model
    from stickerforge.runtime.device import default_dtype, resolve_device

    device = resolve_device(whole.config.device)
    return load_model(whole.card, device, default_dtype(device))


def sample_jobs(
    family: "DiffusionModel", whole: GenerationPlan, console: Console, cut_out: "CutOut | None"
) -> tuple[set[Path], list[str]]:
    """Every open item, micro-batch by micro-batch; returns files made and items that failed."""
    from stickerforge.generation.sampler import guidance_params, sample, sampling_params

    made, failed = set(), []
    settings = whole.config.sampling
    sampling = sampling_params(settings, settings.pixels or family.pixels)
    guidance = guidance_params(settings)
    steps = len(family.scheduler(sampling.scheduler, sampling.steps).timesteps)
    names = attach_adapters(
        family, dict.fromkeys(used for item in whole.open for used in item.uses)
    )
    with (
        console.progress("denoising", steps * len(whole.open)) as advance,
        background_writer() as write,
    ):
        for uses in dict.fromkeys(item.uses for item in whole.open):
            jobs = [item for item in whole.open if item.uses == uses]
            consistent = bool(uses) and guidance.consistency is not None
            family.adapters.use({names[used.source]: used.scale for used in uses})
            pictures = sample(
                family,
                [item.text for item in jobs],
                [item.seed for item in jobs],
                sampling,
                guidance if consistent else replace(guidance, consistency=None),
                negatives=[
                    item.for_base(item.negative) if consistent else item.negative for item in jobs
                ],
                base_texts=[item.for_base(item.text) for item in jobs],
                on_step=advance,
            )
            for item, picture in zip(jobs, pictures, strict=True):
                if not bool(picture.isfinite().all()):
                    failed.append(
                        f"{item.prompt!r} seed {item.seed}: the model made no finite picture"
                    )
                    continue
                write(save, item, picture, cut_out, whole.config.output.prompt)
                made.add(item.path)
    return made, failed


def plan_generation(
    config: GenerateConfig, console: Console, *, offline: bool = False, force: bool = False
) -> GenerationPlan:
    """Check everything that can be checked, and name every file.

    Args:
        force: whether files of rows with an id may be replaced that were made by other recipes.

    Raises:
        InputError: a prompt, name or setting cannot work, or a file would be replaced.
        EnvironmentFault: the model or the device cannot be had here.
    """
    asked = build_requests(config, prompt_rows(config))
    config = replace(config, model=default_model(config, asked))
    card = find_model(config.model, offline=offline, say=console.say)
    if config.sampling.pixels:
        check_pixels(card, config.sampling.pixels)
    seed = random_seed() if config.seed is None else config.seed
    sampling = sampling_settings(config.sampling, card)
    full, mark, matting = (
        replace(config, seed=seed, sampling=sampling),
        fingerprint(card.folder),
        select_matting(config, card),
    )
    check_bases(asked, card, mark)
    check_consistency(full, asked, console)
    for line in unused_in_generate(full):
        console.warn(line)
    made = image_jobs(full, asked, card, mark, to_tree(sampling), matting)
    done = frozenset(item.path for item in made if is_finished(item, prompt=config.output.prompt))
    if not force:
        check_replaced(
            [item for item in made if item.id and item.path not in done],
            None if config.seed is not None else seed,
        )
    check_settings_file(Path(full.output.folder) / CONFIG_FILE)
    from stickerforge.runtime.device import resolve_device

    resolve_device(config.device)
    return GenerationPlan(full, card, mark, made, done, matting)
