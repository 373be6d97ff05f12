"""A call from its plan to its files: settings, images, contact sheet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.generation.checks import warn_of_changes, warn_of_words
from stickerforge.generation.contact_sheet import write_contact_sheet
from stickerforge.generation.image_params import ImageJob
from stickerforge.generation.plan import CONFIG_FILE, GenerationPlan
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder, write_whole
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
    return GeneratedImages(jobs, failed, sheet if has_sheet else None)
