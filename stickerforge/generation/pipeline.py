"""A call from its plan to its files: settings, images, contact sheet."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.errors import InputError
from stickerforge.generation.checks import (
    is_finished,
    replaced_jobs,
    replacement_error,
    warn_of_changes,
)
from stickerforge.generation.contact_sheet import write_contact_sheet
from stickerforge.generation.control_settings import warn_of_other_control
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.image_prompt_settings import warn_of_other_pictures
from stickerforge.generation.known_words import warn_of_words
from stickerforge.generation.plan import CONFIG_FILE, GenerationPlan
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import home, locked, make_folder, write_whole
from stickerforge.stickers.sheet import SHEET_FILE


@dataclass(frozen=True)
class GeneratedImages:
    """What came of a plan.

    Args:
        jobs: the images that are there, in order: those just made and those that were there.
        failed: a line for each image that could not be made.
        sheet: the contact sheet; None where there is none.
    """

    jobs: list[ImageJob]
    failed: list[str]
    sheet: Path | None


@contextmanager
def hold_ids(plan: GenerationPlan, *, force: bool) -> Iterator[None]:
    """Within, no other call writes images with ids into the same folder: they could be the same.

    Args:
        force: whether files of other parameters may be replaced, those of other calls too.

    Raises:
        InputError: another call does, or has meanwhile made an image that would be replaced.
        EnvironmentFault: the lock cannot be written.
    """
    jobs = [job for job in plan.open_jobs if job.id]
    if force or not jobs:
        yield
        return
    digest = hashlib.sha256(os.fsencode(plan.folder.resolve())).hexdigest()[:32]
    with locked(home() / "locks" / f"{digest}.lock", wait=False) as free:
        if not free:
            raise InputError(
                f"another call is writing images with ids into {plan.folder}",
                "wait for it, or give another --out",
            )
        done = {job.path for job in jobs if is_finished(job, prompt=plan.output.prompt)}
        if replaced := replaced_jobs(jobs, done):
            raise replacement_error(replaced, None)
        yield


def run_plan(
    plan: GenerationPlan,
    console: Console,
    *,
    offline: bool = False,
    repeated: Mapping[str, Any] | None = None,
) -> GeneratedImages:
    """Make every image that is not there yet, and a contact sheet of them all.

    Args:
        repeated: the parameters of the image that is repeated, where one is.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
    """
    make_folder(plan.folder)
    if not plan.seed_was_given:
        console.say(f"seed {plan.seed}")
    warn_of_changes(repeated or {}, plan.jobs, plan.card, plan.fingerprint, console)
    warn_of_other_pictures(repeated or {}, plan.image_prompt, console.warn)
    warn_of_other_control(repeated or {}, plan.control, console.warn)
    warn_of_words(plan.jobs, plan.card, console)
    write_whole(plan.folder / CONFIG_FILE, plan.settings.encode())
    written, failed = set[Path](), list[str]()
    if plan.open_jobs:
        # Seconds of imports, which a call without open jobs does not need.
        from stickerforge.generation.inference import make_images

        written, failed = make_images(plan, console, offline=offline)
    files = plan.done | written
    jobs = [job for job in plan.jobs if job.path in files]
    sheet = plan.folder / SHEET_FILE
    has_sheet = (
        plan.output.sheet
        and len(jobs) > 1
        and write_contact_sheet(
            sheet,
            jobs,
            columns=plan.output.columns,
            with_prompts=plan.output.prompt,
            console=console,
        )
    )
    return GeneratedImages(jobs, [*plan.refused, *failed], sheet if has_sheet else None)
