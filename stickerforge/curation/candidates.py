"""Pictures that people will decide about: drawn by a model into a set, a few of each prompt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from stickerforge.config.schema.picture_sets import ContentConfig
from stickerforge.curation.candidate_plan import (
    candidate_rows,
    draw_config,
    model_digest,
    plan_candidates,
)
from stickerforge.curation.candidate_tables import (
    UNREADABLE,
    Drawn,
    append_drawn,
    delete_picture,
    read_drawn,
    write_tables,
)
from stickerforge.data.prompt_bank import BankPrompt
from stickerforge.errors import InputError
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.image_writer import background_writer, save_image
from stickerforge.generation.inference import load, sample_jobs, warn_of_length
from stickerforge.generation.plan import GenerationPlan
from stickerforge.generation.sampler import guidance_params, make_scheduler, sampling_params
from stickerforge.models.checksums import verify
from stickerforge.models.matting import CutOut, load_cut_out, matting_model
from stickerforge.rating.rating_set import PICTURES, Candidate, SetInfo, write_info
from stickerforge.runtime.console import Console
from stickerforge.runtime.device import memory_fault
from stickerforge.runtime.files import make_folder
from stickerforge.runtime.text import plural


@dataclass(frozen=True)
class DrawnCandidates:
    """What came of drawing.

    Args:
        folder: of the set.
        made, kept: how many pictures were drawn, and were there already, whatever their prompt.
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

    People do not see them before `gate_candidates`. The caller holds the lock of the set.

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
    earlier = read_drawn(folder)
    rows = candidate_rows(prompts, earlier, settings.count, seed)
    config = draw_config(folder, settings, model=model, adapters=adapters, seed=seed, device=device)
    plan = plan_candidates(rows, config, settings.file, console, offline=offline)
    digest = model_digest(plan.jobs[0].params)
    rows = {stem: replace(row, model=digest) for stem, row in rows.items()}
    stale = stale_pictures(folder, earlier, digest, force=force)
    make_folder(folder / PICTURES)
    write_info(folder, info or SetInfo("match"))
    kept = [one for one in earlier if one not in stale]
    there = {one.path.stem for one in kept if one.path.exists()}
    open_jobs = [job for job in plan.jobs if job.path.stem not in there]
    without_row = [job for job in open_jobs if job.path in plan.done]  # a kill came before its row
    open_jobs = [job for job in open_jobs if job.path not in plan.done]

    def clear() -> None:
        if stale:
            discard(folder, stale, kept)
        for job in without_row:
            append_drawn(folder, rows[job.path.stem])

    made, failed = draw(plan, open_jobs, folder, rows, clear, console, offline=offline)
    if others := len(there - set(rows)):
        console.warn(
            f"{plural(others, 'picture')} of other prompts or another seed stay in the set; "
            "another --name begins a new one"
        )
    return DrawnCandidates(folder, made, len(there) + len(without_row), [*plan.refused, *failed])


def stale_pictures(
    folder: Path, drawn: Sequence[Drawn], digest: str, *, force: bool
) -> list[Drawn]:
    """The pictures of a set that are to be drawn anew, or deleted.

    Args:
        digest: of the model that draws now.
        force: whether those that another one drew are among them.

    Raises:
        InputError: there are such.
    """
    others = [one for one in drawn if one.row.model != digest]
    if others and not force:
        raise InputError(
            f"{folder} holds {plural(len(others), 'picture')} of another model or other settings",
            "give --force to draw them anew, which deletes them, or another --name",
        )
    return [one for one in drawn if one in others or (one.gated and one.gated.gate == UNREADABLE)]


def discard(folder: Path, stale: Sequence[Drawn], kept: Sequence[Drawn]) -> None:
    """Delete pictures of a set, and their rows.

    Args:
        kept: the others.

    Raises:
        EnvironmentFault: they cannot be deleted.
    """
    for one in stale:
        delete_picture(one.path)
    write_tables(folder, kept)


def draw(
    plan: GenerationPlan,
    jobs: Sequence[ImageJob],
    folder: Path,
    rows: Mapping[str, Candidate],
    clear: Callable[[], None],
    console: Console,
    *,
    offline: bool,
) -> tuple[int, list[str]]:
    """Sample jobs and write each picture, then its row; returns (how many, what failed).

    Args:
        clear: makes room in the set; called once the model is there, before the first picture.

    Raises:
        StickerforgeError: weights are damaged or missing, memory or the disk is full.
    """
    if not jobs:
        clear()
        return 0, []
    verify(plan.card.folder)
    cut_out = None
    if plan.matting != "none":
        cut_out = load_cut_out(matting_model(plan.matting), offline=offline)
    made, failed = 0, list[str]()

    def save(job: ImageJob, pixels: Tensor, cut_out: CutOut | None) -> None:
        save_image(job, pixels, cut_out, plan.output.prompt)
        append_drawn(folder, rows[job.path.stem])

    try:
        model = load(plan.card, plan.device)
        warn_of_length(model, jobs, console)
        sampling = sampling_params(plan.sampling, plan.sampling.pixels or model.pixels)
        guidance = guidance_params(plan.sampling)
        steps = len(make_scheduler(model, sampling).timesteps)
        clear()
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
