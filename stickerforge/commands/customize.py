"""A few pictures to an adapter: references, training, the adapter's file, and a sheet that shows what was learned."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stickerforge.adapters import store
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CustomizeConfig
from stickerforge.data.captions import check_caption
from stickerforge.data.pictures import read_folder
from stickerforge.errors import InputError, StickerforgeError
from stickerforge.models.hub import encoder_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import locked
from stickerforge.runtime.signals import interruptible
from stickerforge.training.dataset import report_folder
from stickerforge.training.loss_masks import check_masks
from stickerforge.training.personalize import Personalized, personalize
from stickerforge.training.plan import plan_training
from stickerforge.training.preview import preview


def customize(
    pictures: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    resume: bool = False,
) -> Personalized:
    """Teach from Python: `customize("photos", settings={"subject": "dog", "training.steps": 300})`.

    Args:
        settings: as in a configuration file, by dotted name.

    Raises:
        StickerforgeError: see `stickerforge.errors`; pictures that cannot be read are listed in the result instead.
    """
    config = resolve(CustomizeConfig, settings or {}, {"pictures": str(pictures)})
    return run(config, Console(quiet=True), offline=False, force=force, resume=resume)


def run(
    config: CustomizeConfig, console: Console, *, offline: bool, force: bool, resume: bool
) -> Personalized:
    """Learn, save, show.

    Raises:
        StickerforgeError: input or environment; a checkpoint stays.
        Interrupted: likewise.
    """
    with interruptible():
        whole = plan_training(config, console, offline=offline, force=force, resume=resume)
        folder = read_folder(Path(config.pictures))
        report_folder(folder, whole.placeholder, console)
        check_masks(config.mask, folder)
        with locked(whole.folder / "lock", wait=False) as free:
            if not free:
                raise InputError(
                    f"another customize is working on {whole.name!r}",
                    "wait for it, or give another --name",
                )
            made = personalize(whole, folder, console, offline=offline, force=force, resume=resume)
        try:
            made.preview = preview(whole, offline=offline)
        except StickerforgeError as error:
            console.warn(f"{whole.name!r} is learned, but its preview could not be made: {error}")
        made.failed, made.warnings = folder.unreadable, console.warnings
        return made


def dry_run(
    config: CustomizeConfig, console: Console, *, force: bool, resume: bool
) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    from stickerforge.config.schema import SamplingConfig
    from stickerforge.generation.plan import sampling_settings
    from stickerforge.models.cost import sampling_cost, training_cost

    whole = plan_training(config, console, offline=True, force=force, resume=resume)
    folder = read_folder(Path(config.pictures))
    check_masks(config.mask, folder)
    for picture in folder.pictures:
        check_caption(picture.path, whole.placeholder)
    course = whole.course()
    from stickerforge.runtime.device import resolve_device

    cuda, dco = resolve_device(config.device).type == "cuda", course.objective == "dco"
    price = training_cost(
        whole.card,
        steps=course.steps,
        batch=course.batch,
        pixels=whole.resolution,
        dco=dco,
        cuda=cuda,
    )
    chosen = sampling_settings(SamplingConfig(), whole.card)
    looks = 8 * (course.steps // whole.watch_every + 2) if whole.watch_every else 0
    drawn = looks + (whole.config.training.prior_count if course.prior_weight else 0)
    steps, guidance = chosen.steps or 1, chosen.guidance or 1.0
    aside = (
        sampling_cost(
            whole.card,
            pictures=drawn,
            steps=steps,
            guidance=guidance,
            pixels=whole.resolution,
            cuda=cuda,
        )
        if drawn
        else None
    )
    seconds = price.seconds * (2 if course.prior_weight else 1) + (aside.seconds if aside else 0.0)
    writes = [str(store.folder(whole.name)), str(whole.folder)]
    result: dict[str, Any] = {
        "dry_run": True,
        "adapter": whole.name,
        "placeholder": whole.placeholder,
        "phrase": whole.phrase,
        "model": whole.card.title,
        "reads": [str(picture.path) for picture in folder.pictures],
        "drops": folder.unreadable + folder.other_files,
        "fetches": [
            name
            for name in [encoder_repository(whole.config.validation.encoder)]
            if name and whole.watch_every
        ],
        "writes": writes,
        "training": vars(course) | {"beta": course.beta or "auto"},
        "about_seconds": round(seconds, 1),
        "about_memory_mb": price.memory_bytes // 1_000_000,
    }
    lines = [
        f"adapter {whole.name} for {whole.card.title}"
        + (f", placeholder {whole.placeholder}" if whole.placeholder else "")
    ]
    lines += [f"read    {picture.path}" for picture in folder.pictures]
    lines += [f"drop    {line}" for line in folder.unreadable + folder.other_files]
    lines += [f"write   {path}{os.sep}" for path in writes]
    what = f"rank {course.rank} on {course.layers} layers"
    lines += [
        f"train   {course.steps} steps of {course.batch}, {what}, lr {course.rate}, {course.objective}"
    ]
    return result, [*lines, f"about   {result['about_seconds']} s, {result['about_memory_mb']} MB"]
