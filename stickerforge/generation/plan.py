"""Everything about a call of `generate` that is known before a weight is read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stickerforge.config.schema import GenerateConfig, OutputConfig, SamplingConfig
from stickerforge.config.setting import fill_unset
from stickerforge.config.toml import to_toml, to_tree
from stickerforge.config.unused import unused_in_generate
from stickerforge.data.init_pictures import (
    InitPicture,
    check_mask,
    check_steps,
    has_ground,
    load_init,
)
from stickerforge.generation.active_adapters import long_prompts_of
from stickerforge.generation.checks import (
    check_bases,
    check_consistency,
    check_seeds,
    check_settings_file,
    is_finished,
    replaced_jobs,
    replacement_error,
    seed_of_earlier_call,
)
from stickerforge.generation.control import ControlPlan, plan_control
from stickerforge.generation.decoders import draws_alpha
from stickerforge.generation.image_adapters import with_own_image_adapter
from stickerforge.generation.image_params import CallParams, ImageJob, image_jobs
from stickerforge.generation.image_prompts import ImagePrompt, plan_image_prompt
from stickerforge.generation.known_words import reduce_requests
from stickerforge.generation.requests import (
    Request,
    adapters_of,
    build_requests,
    default_model,
    read_rows,
)
from stickerforge.generation.saved_settings import complete_config, saved_config
from stickerforge.models.card import ModelCard
from stickerforge.models.checksums import fingerprint
from stickerforge.models.families.specs import family_spec
from stickerforge.models.matting import MODELS, matting_model, weights_file
from stickerforge.models.registry import check_pixels, find_model
from stickerforge.runtime.console import Console
from stickerforge.runtime.seeds import random_seed

CONFIG_FILE = "generate.toml"


@dataclass(frozen=True)
class GenerationPlan:
    """What a call will make, and of what.

    Args:
        jobs: every image of the call, in order.
        done: files that are there already, made with the same parameters.
        card, fingerprint: of the model.
        sampling: the settings in force, the model's recommendations filled in.
        output: the settings of what is written.
        matting: the matting model in use, or "none".
        device: "cpu", "cuda", "cuda:1" or "mps".
        seed: of the call; `seed_was_given` by the user, or drawn.
        init: the picture that all images start from; None for noise alone.
        prompts_file: "" where all prompts come from the command line.
        refused: a line for each row of a prompt file of which nothing can be drawn.
        image_prompt: pictures that are read beside every prompt; None for none.
        control: a picture whose structure all images follow; None for none.
        settings: the configuration in force as TOML, which is saved beside the images; without
            prompts where the images are to forget them.
    """

    jobs: list[ImageJob]
    done: frozenset[Path]
    card: ModelCard
    fingerprint: str
    sampling: SamplingConfig
    output: OutputConfig
    matting: str
    device: str
    seed: int
    seed_was_given: bool
    init: InitPicture | None
    prompts_file: str
    refused: tuple[str, ...]
    settings: str
    image_prompt: ImagePrompt | None = None
    control: ControlPlan | None = None

    @property
    def open_jobs(self) -> list[ImageJob]:
        """Images that are still to be made."""
        return [job for job in self.jobs if job.path not in self.done]

    @property
    def adapters(self) -> list[str]:
        """Every adapter that is used, by name or path."""
        return list(dict.fromkeys(used.source for job in self.jobs for used in job.adapters))

    @property
    def reads(self) -> list[str]:
        """Files, folders and adapters that are read."""
        prompts = [self.prompts_file] if self.prompts_file else []
        pictures = [*self.init_files.values(), *self.picture_reads]
        return [str(self.card.folder), *prompts, *pictures, *self.adapters]

    @property
    def init_files(self) -> dict[str, str]:
        """The picture that is started from, "init", and its "mask"; empty where there is none."""
        return {kind: str(path) for kind, path in self.init.files.items()} if self.init else {}

    @property
    def steps_taken(self) -> int:
        """Steps for an image: a picture to start from leaves some out."""
        steps = self.sampling.steps
        return steps - (self.init.skipped_steps(steps) if self.init else 0)

    @property
    def folder(self) -> Path:
        """Where everything is written."""
        return Path(self.output.folder)

    @property
    def picture_reads(self) -> list[str]:
        """The pictures that are prompted with or followed, and what reads them if it is here."""
        parts = (self.image_prompt, self.control)
        return [place for part in parts if part is not None for place in part.reads]

    @property
    def picture_lines(self) -> list[str]:
        """What a dry run says of these pictures."""
        parts = (self.image_prompt, self.control)
        return [line for part in parts if part is not None for line in part.lines]

    @property
    def fetches(self) -> list[str]:
        """The weights that a call would fetch first; a hub model must be here for a dry run."""
        encoder = self.image_prompt.encoder.fetch_line if self.image_prompt else ""
        control = self.control.fetch_line if self.control else ""
        matting = ""
        if self.matting != "none" and not weights_file(MODELS[self.matting]).exists():
            matting = f"{self.matting}.onnx, {MODELS[self.matting].megabytes} MB"
        return [line for line in (matting, encoder, control) if line]


def plan_generation(
    config: GenerateConfig, console: Console, *, offline: bool = False, force: bool = False
) -> GenerationPlan:
    """Check everything that can be checked, and name every file.

    Args:
        force: whether files of rows with an id may be replaced that have other parameters.

    Raises:
        InputError: a prompt, name or setting cannot work, or a file would be replaced.
        EnvironmentFault: the model or the device cannot be had here.
    """
    pictures = config.image_prompt.pictures
    rows = read_rows(config.prompt, config.prompts, config.negative, wordless=bool(pictures))
    requests = build_requests(
        rows,
        adapters=config.adapter,
        subjects=config.subject,
        style=config.style,
        negative=config.negative,
    )
    init = load_init(config.init.file, config.init.strength, config.init.mask)
    seed = random_seed() if config.seed is None else config.seed
    check_seeds(requests, seed, config.count)
    name = config.model or default_model(requests)
    card = find_model(name, offline=offline, say=console.say)
    if config.sampling.pixels:
        check_pixels(card, config.sampling.pixels)
    requests = with_own_image_adapter(requests, card) if pictures else requests
    requests, refused = reduce_requests(
        requests, config.words, card, typed=len(config.prompt), pictured=bool(pictures)
    )
    sampling = sampling_settings(config.sampling, card)
    check_steps(init, sampling.steps)
    pixels = sampling.pixels or family_spec(card.folder).native_pixels(card.folder)
    check_mask(init, config.output.size or pixels)
    adapters = adapters_of(requests)
    steps = range(init.skipped_steps(sampling.steps) if init else 0, sampling.steps)
    image_prompt = plan_image_prompt(
        config.image_prompt,
        adapters,
        card,
        alone=not any(row.prompt for row in rows),
        pixels=pixels,
        steps=steps,
        warn=console.warn,
    )
    control = plan_control(
        config.control, card, pixels=sampling.pixels, steps=steps, warn=console.warn
    )
    alpha = draws_alpha(adapters, card)
    matting = select_matting(config.matting, draws_alpha=alpha, keeps_ground=has_ground(init))
    call = CallParams(
        card=card,
        fingerprint=fingerprint(card.folder),
        sampling=to_tree(sampling),
        output=config.output,
        matting=config.matting,
        matting_model=matting,
        draws_alpha=matting == "none" and alpha,
        subjects=config.subject,
        adapters=config.adapter,
        init=init,
        image_prompt=image_prompt,
        control=control,
    )
    check_bases(adapters, card, call.fingerprint)
    for request in requests:
        long_prompts_of(request.adapters, card)
    check_consistency(sampling, adapters, console, init)
    full = replace(config, model=name, seed=seed, sampling=sampling)
    full = complete_config(full, image_prompt, control)
    if init is not None:
        full = replace(full, init=replace(config.init, strength=init.strength))
    remarks = dict.fromkeys(adapter.remark for adapter in adapters if adapter.remark)
    for line in (*remarks, *unused_in_generate(full)):
        console.warn(line)

    jobs, done = plan_jobs(requests, call, full)
    if not force and (replaced := replaced_jobs(jobs, done)):
        earlier = seed_of_earlier_call(replaced[0], seed) if config.seed is None else None
        if earlier is not None and replaced_jobs(
            *plan_jobs(requests, call, replace(full, seed=earlier))
        ):
            earlier = None  # other settings differ as well
        raise replacement_error(replaced, earlier)
    check_settings_file(Path(config.output.folder) / CONFIG_FILE)
    from stickerforge.runtime.device import resolve_device  # torch: after all that needs none

    return GenerationPlan(
        jobs=jobs,
        done=done,
        card=card,
        fingerprint=call.fingerprint,
        sampling=sampling,
        output=config.output,
        matting=call.matting_model,
        device=str(resolve_device(config.device)),
        seed=seed,
        seed_was_given=config.seed is not None,
        init=init,
        prompts_file=config.prompts,
        refused=tuple(refused),
        settings=to_toml(saved_config(full), "generate"),
        image_prompt=image_prompt,
        control=control,
    )


def plan_jobs(
    requests: Sequence[Request], call: CallParams, config: GenerateConfig
) -> tuple[list[ImageJob], frozenset[Path]]:
    """(every image, the files of those that are there already).

    Args:
        config: with a seed.

    Raises:
        InputError: the file of a row with an id is there and not ours.
    """
    jobs = image_jobs(requests, call, seed=config.seed or 0, count=config.count)
    done = (job.path for job in jobs if is_finished(job, prompt=config.output.prompt))
    return jobs, frozenset(done)


def sampling_settings(given: SamplingConfig, card: ModelCard) -> SamplingConfig:
    """What the call says, else what the model recommends, else what suits its architecture."""
    recommended = vars(family_spec(card.folder).sampling) | dict(card.sampling)
    return fill_unset(
        given,
        {
            "steps": int(recommended["steps"]),
            "guidance": float(recommended["guidance"]),
            "guidance_rescale": float(recommended["guidance_rescale"]),
        },
    )


def select_matting(name: str, *, draws_alpha: bool, keeps_ground: bool) -> str:
    """The matting model to use; "none" where none is wanted, or the model draws alpha itself.

    Args:
        name: as the user asked for it: "auto", "none", or a matting model.
        draws_alpha: whether the model does, or a decoder with it.
        keeps_ground: whether images are started from a picture with a ground.

    Raises:
        InputError: there is no such matting model.
    """
    if name == "none" or (name == "auto" and (draws_alpha or keeps_ground)):
        return "none"
    return matting_model(name).name
