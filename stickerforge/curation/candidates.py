"""Pictures that people will decide about: drawn by a model into a set, a few of each prompt."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from stickerforge.config.schema import GenerateConfig, OutputConfig, SamplingConfig, WordsConfig
from stickerforge.config.schema.tailor_style import ContentConfig
from stickerforge.curation.candidate_tables import (
    Drawn,
    append_candidate,
    read_drawn,
    write_tables,
)
from stickerforge.data.prompt_bank import BankPrompt, normalize
from stickerforge.errors import InputError
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.image_writer import background_writer, save_image
from stickerforge.generation.inference import load, sample_jobs, warn_of_length
from stickerforge.generation.plan import GenerationPlan, plan_generation
from stickerforge.generation.sampler import guidance_params, make_scheduler, sampling_params
from stickerforge.models.checksums import verify
from stickerforge.models.matting import CutOut, load_cut_out, matting_model
from stickerforge.rating.rating_set import PICTURES, Candidate, SetInfo, write_info
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault
from stickerforge.runtime.files import locked, make_folder, write_whole
from stickerforge.runtime.seeds import derive_seed
from stickerforge.runtime.text import plural

PROMPTS_FILE = "prompts.jsonl"
# Parameters of an image that say what it shows and not by what it was drawn.
OF_ONE_IMAGE = frozenset(
    "prompt negative text avoid base words seed digest subject adapter style".split()
)


@dataclass(frozen=True)
class DrawnCandidates:
    """What came of drawing.

    Args:
        folder: of the set.
        made, kept: how many pictures were drawn, and were there already.
        failed: a line for each picture that could not be drawn.
    """

    folder: Path
    made: int
    kept: int
    failed: list[str]


def draw_candidates(
    prompts: Sequence[BankPrompt],
    folder: Path,
    settings: ContentConfig,
    console: Console,
    *,
    model: str = "sticker-mini",
    adapters: tuple[str, ...] = (),
    seed: int = 0,
    device: str = "auto",
    offline: bool = False,
    force: bool = False,
    info: SetInfo | None = None,
) -> DrawnCandidates:
    """Draw some pictures of each prompt into a set; those that are there already stay.

    Args:
        folder: of the set, which need not be there.
        adapters: NAME[:SCALE] or FILE[:SCALE].
        force: draw anew what another model or other settings drew.
        info: of the set; a question whether pictures show their prompts by default.

    Raises:
        InputError: something cannot work, or the set holds pictures of another model.
        EnvironmentFault: weights or memory are missing, the disk is full.
        Interrupted: what was drawn is in the set, and a further call goes on.
    """
    make_folder(folder / PICTURES)
    with locked(folder, wait=False) as free:
        if not free:
            raise InputError(
                f"another call is drawing into {folder}", "wait for it, or give another --name"
            )
        write_info(folder, info or SetInfo("match"))
        config = draw_config(
            folder, settings, model=model, adapters=adapters, seed=seed, device=device
        )
        plan, rows = plan_drawing(prompts, folder, settings, config, console, offline=offline)
        digest = model_digest(plan.jobs[0].params)
        rows = {stem: replace(row, model=digest) for stem, row in rows.items()}
        drawn = current_pictures(folder, digest, force=force)
        there = {one.path.stem for one in drawn if one.path.exists()}
        open_jobs = [job for job in plan.jobs if job.path.stem not in there]
        for job in [job for job in open_jobs if job.path in plan.done]:
            append_candidate(folder, rows[job.path.stem])  # a kill came before its row
        open_jobs = [job for job in open_jobs if job.path not in plan.done]
        made, failed = draw(plan, open_jobs, folder, rows, console, offline=offline)
    return DrawnCandidates(folder, made, len(plan.jobs) - len(open_jobs), [*plan.refused, *failed])


def draw_config(
    folder: Path,
    settings: ContentConfig,
    *,
    model: str,
    adapters: tuple[str, ...],
    seed: int,
    device: str,
) -> GenerateConfig:
    """The settings by which `generate` would draw the pictures."""
    return GenerateConfig(
        prompts=str(folder / PROMPTS_FILE),
        model=model,
        adapter=adapters,
        seed=seed,
        device=device,
        matting=settings.matting,
        sampling=SamplingConfig(
            steps=settings.steps,
            guidance=settings.guidance,
            batch=settings.batch,
            pixels=settings.pixels,
        ),
        output=OutputConfig(folder=str(folder / PICTURES), size=0, colours="drawn", sheet=False),
        words=WordsConfig(),
    )


def plan_drawing(
    prompts: Sequence[BankPrompt],
    folder: Path,
    settings: ContentConfig,
    config: GenerateConfig,
    console: Console,
    *,
    offline: bool,
) -> tuple[GenerationPlan, dict[str, Candidate]]:
    """(what is drawn, {stem of a file: its row without a model}); writes prompts.jsonl.

    A picture that is in the set keeps its number, others are given the next ones.

    Raises:
        InputError: a prompt cannot be drawn, or a table of the set is broken.
        EnvironmentFault: the model cannot be had here.
    """
    earlier = read_drawn(folder)
    numbers = {(one.row.text, one.row.seed): one.number for one in earlier if one.number}
    following = max(numbers.values(), default=0) + 1
    rows: dict[str, Candidate] = {}
    for prompt in prompts:
        for item in range(settings.count):
            own_seed = derive_seed(config.seed or 0, f"candidate {prompt.text}", item=item)
            number = numbers.get((prompt.text, own_seed), following)
            following += number == following
            numbers[prompt.text, own_seed] = number
            stem = f"{number:06d}"
            rows[stem] = Candidate(
                f"{PICTURES}/{stem}.png",
                prompt.text,
                normalize(prompt.text) or prompt.text,
                own_seed,
                "",
                prompt.family,
            )
    table = [{"id": stem, "prompt": row.text, "seed": row.seed} for stem, row in rows.items()]
    text = "".join(json.dumps(line) + "\n" for line in table)
    write_whole(folder / PROMPTS_FILE, text.encode())
    return plan_generation(config, console, offline=offline, force=True), rows


def model_digest(params: Mapping[str, object]) -> str:
    """Hash of the model, its adapters and the settings that drew an image."""
    own = {key: value for key, value in params.items() if key not in OF_ONE_IMAGE}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]


def current_pictures(folder: Path, digest: str, *, force: bool) -> list[Drawn]:
    """The pictures of a set that this very model drew.

    Args:
        force: delete those that another one drew.

    Raises:
        InputError: there are such.
        EnvironmentFault: they cannot be deleted.
    """
    drawn = read_drawn(folder)
    others = [one for one in drawn if one.row.model != digest]
    if not others:
        return drawn
    if not force:
        raise InputError(
            f"{folder} holds {plural(len(others), 'picture')} of another model or other settings",
            "give --force to draw them anew, which deletes them, or another --name",
        )
    for one in others:
        one.path.unlink(missing_ok=True)
    kept = [one for one in drawn if one.row.model == digest]
    write_tables(
        folder,
        [one.row for one in kept if one.gated is None],
        [one.gated for one in kept if one.gated is not None],
    )
    return kept


def draw(
    plan: GenerationPlan,
    jobs: Sequence[ImageJob],
    folder: Path,
    rows: Mapping[str, Candidate],
    console: Console,
    *,
    offline: bool,
) -> tuple[int, list[str]]:
    """Sample jobs and write each picture, then its row; returns (how many, what failed).

    Raises:
        StickerforgeError: weights are damaged or missing, memory or the disk is full.
    """
    if not jobs:
        return 0, []
    verify(plan.card.folder)
    cut_out = None
    if plan.matting != "none":
        cut_out = load_cut_out(matting_model(plan.matting), offline=offline)
    made, failed = 0, list[str]()

    def save(job: ImageJob, pixels: Tensor, cut_out: CutOut | None) -> None:
        save_image(job, pixels, cut_out, plan.output.prompt)
        append_candidate(folder, rows[job.path.stem])

    try:
        model = load(plan.card, plan.device)
        warn_of_length(model, jobs, console)
        sampling = sampling_params(plan.sampling, plan.sampling.pixels or model.pixels)
        guidance = guidance_params(plan.sampling)
        steps = len(make_scheduler(model, sampling).timesteps)
        with (
            console.progress("drawing candidates", steps * len(jobs)) as advance,
            background_writer() as write,
        ):
            for job, pixels in sample_jobs(model, jobs, sampling, guidance, advance):
                if bool(pixels.isfinite().all()):
                    write(save, job, pixels, cut_out)
                    made += 1
                else:
                    failed.append(
                        f"{job.prompt!r} seed {job.seed}: the model made no finite picture"
                    )
    except RuntimeError as error:
        raise memory_fault(error) or error from error
    return made, failed
