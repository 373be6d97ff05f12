"""`caption`: texts beside pictures that say what is in them, and never over a person's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stickerforge.captioning import review_page
from stickerforge.captioning.caption_folder import (
    captions_of,
    existing_captions,
    fault_line,
    indices_without,
    valid_records,
    write_missing,
)
from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.captioning.captioner import Captioner, captioner_id
from stickerforge.captioning.edits import apply_file, no_edit_applied, read_edits, refusal
from stickerforge.captioning.plan import CaptionPlan, plan_captions
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.data.caption_files import RECORD_FILE
from stickerforge.data.captions import Caption, caption_path, read_caption
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible

SAMPLE = 5  # captions that a dry run makes

Result = CaptionSet
plan = plan_captions
review = review_page.review
write_page = review_page.write_page


def caption(
    pictures: str | Path, *, settings: Mapping[str, Any] | None = None, offline: bool = False
) -> CaptionSet:
    """Caption from Python: `caption("photos", settings={"subject": "dog"})`.

    Raises:
        StickerforgeError: see `stickerforge.errors`; pictures that cannot be read or captioned are
            listed in the result instead.
    """
    config = resolve(CaptionConfig, settings or {}, {"pictures": str(pictures)})
    return run(config, Console(quiet=True), offline=offline)


def run(
    config: CaptionConfig,
    console: Console,
    *,
    offline: bool,
    take: Path | None = None,
    only_missing: bool = False,
) -> CaptionSet:
    """Caption what has no caption by this captioner yet.

    Args:
        take: changes that were saved from the page, to be applied instead of captioning.
        only_missing: leave every caption that is there as it is, whoever wrote it.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
        Interrupted: likewise.
    """
    with interruptible():
        caption_plan = plan(config, console, again=take is not None or only_missing)
        captions = existing_captions(caption_plan, console.warnings)
        if take is not None:
            apply_file(captions, take)
            return captions
        captioner = captioner_for(config, console, offline=offline)
        valid = valid_records(caption_plan, captioner_id(captioner), only_missing=only_missing)
        new = write_missing(caption_plan, captioner, valid, console)
        by_name = valid | new.records
        names = [picture.path.name for picture in caption_plan.contents.pictures]
        captions.records = [by_name[name] for name in names if name in by_name]
        captions.num_new = len(new.written)
        captions.failed += new.failures
        return captions


def dry_run(
    config: CaptionConfig,
    console: Console,
    *,
    offline: bool,
    take: Path | None = None,
    only_missing: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """What `run` would write, with the captions of the first five pictures.

    Args:
        take, only_missing: as in `run`.

    Returns:
        Result for the JSON; lines for people.

    Raises:
        StickerforgeError: as in `run`.
    """
    if take is not None:
        caption_plan = plan(config, console, again=True)
        return dry_run_of_edits(existing_captions(caption_plan, console.warnings), take)
    with interruptible():
        caption_plan = plan(config, console, again=only_missing)
        captioner = captioner_for(config, console, offline=offline)
        return dry_run_of_captions(caption_plan, captioner, only_missing=only_missing)


def captioner_for(config: CaptionConfig, console: Console, *, offline: bool) -> Captioner:
    """The captioner of the settings.

    Raises:
        StickerforgeError: it cannot be loaded.
    """
    from stickerforge.captioning.loading import load_captioner

    return load_captioner(config.captioner, device=config.device, offline=offline, console=console)


def dry_run_of_captions(
    caption_plan: CaptionPlan, captioner: Captioner, *, only_missing: bool
) -> tuple[dict[str, Any], list[str]]:
    """The dry run of a call that captions: (result for the JSON, lines for people)."""
    pictures = caption_plan.contents.pictures
    valid = valid_records(caption_plan, captioner_id(captioner), only_missing=only_missing)
    indices = indices_without(pictures, valid)
    request = caption_plan.request()
    pairs, failures = dict[str, Caption](), list[str]()
    for index, text in captions_of(captioner, pictures, indices[:SAMPLE], request):
        name = pictures[index].path.name
        if isinstance(text, InputError):
            failures.append(fault_line(name, text))
        else:
            pairs[name] = caption_plan.subject.pair(text)
    writes = [str(caption_path(pictures[index].path)) for index in indices]
    writes.append(str(caption_plan.folder / RECORD_FILE))
    keeps = [picture.path.name for picture in pictures if picture.path.name in valid]
    result = {
        "dry_run": True,
        "captioner": captioner_id(captioner),
        "captions": {name: pair.text for name, pair in pairs.items()},
        "base_captions": {name: pair.base for name, pair in pairs.items()},
        "writes": writes,
        "keeps": keeps,
        "failed": failures,
        "drops": caption_plan.contents.unreadable + caption_plan.contents.other_files,
        "fetches": [],
    }
    lines = [f"{name}\t{pair.text}" for name, pair in pairs.items()]
    lines += [f"fail    {line}" for line in failures]
    lines += [f"write   {path}" for path in writes]
    for name in keeps:
        reason = (
            "a person wrote its caption"
            if name in caption_plan.by_people
            else "it has this caption"
        )
        lines.append(f"keep    {name}: {reason}")
    return result, lines


def dry_run_of_edits(captions: CaptionSet, take: Path) -> tuple[dict[str, Any], list[str]]:
    """The dry run of a call with --take: (result for the JSON, lines for people).

    Raises:
        InputError: it is no file of the page, or no edit in it can be applied.
    """
    edits = read_edits(take)
    refusals = [line for edit in edits if (line := refusal(captions, edit))]
    texts = {
        edit.picture: edit.caption
        for edit in edits
        if not refusal(captions, edit)
        and edit.caption != read_caption(captions.folder / edit.picture)
    }
    if refusals and not texts:
        raise no_edit_applied(take, refusals)
    writes = [str(caption_path(captions.folder / name)) for name in texts]
    if texts:
        writes.append(str(captions.folder / RECORD_FILE))
    lines = [f"{name}\t{text}" for name, text in texts.items()]
    lines += [f"refuse  {line}" for line in refusals]
    lines += [f"write   {path}" for path in writes]
    return {"dry_run": True, "captions": texts, "refused": refusals, "writes": writes}, lines
