"""Captions for a folder of pictures: what is in them said in words, beside them, and never over what a person has written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stickerforge.captioning.caption_folder import (
    existing_captions,
    generate_captions,
    plan_captions,
    valid_record,
    write_missing,
)
from stickerforge.captioning.caption_set import CaptionSet
from stickerforge.captioning.edits import (
    apply_file,
    edited_caption,
    no_edit_applied,
    read_edits,
    refusal,
)
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.data.caption_files import RECORD_FILE
from stickerforge.data.captions import read_caption
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible

SHOWN = 5  # captions of a dry run


def caption(
    pictures: str | Path, *, settings: Mapping[str, Any] | None = None, offline: bool = False
) -> CaptionSet:
    """Caption from Python: `caption("photos", settings={"subject": "dog"})`.

    Raises:
        StickerforgeError: see `stickerforge.errors`; pictures that cannot be read or captioned are listed in the result instead.
    """
    return run(
        resolve(CaptionConfig, settings or {}, {"pictures": str(pictures)}),
        Console(quiet=True),
        offline=offline,
    )


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
        take: changes that were saved from the page, to be taken instead of captioning.
        only_missing: leave every caption that is there as it is, whoever made it.

    Raises:
        StickerforgeError: input or environment; what is finished stays.
        Interrupted: likewise.
    """
    with interruptible():
        whole = plan_captions(config, console, again=take is not None or only_missing)
        made = existing_captions(whole, console)
        if take is not None:
            apply_file(made, take)
            return made
        from stickerforge.captioning.loading import load_captioner

        used = load_captioner(
            config.captioner, device=config.device, offline=offline, console=console
        )
        known = {
            picture.path.name: line
            for picture in whole.found.pictures
            if (line := valid_record(whole, picture, used, only_missing))
        }
        write_missing(whole, used, known, made, console)
        made.told = [
            known[picture.path.name]
            for picture in whole.found.pictures
            if picture.path.name in known
        ]
        return made


def dry_run(
    config: CaptionConfig, console: Console, *, offline: bool, only_missing: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """What `run` would say of the first five pictures, and what it would write: (result for the JSON, lines for people).

    Args:
        only_missing: pictures that have a caption keep it, whoever wrote it, as before a review.
    """
    from stickerforge.captioning.loading import load_captioner

    with interruptible():
        whole = plan_captions(config, console, again=only_missing)
        used = load_captioner(
            config.captioner, device=config.device, offline=offline, console=console
        )
        pictures = whole.found.pictures
        which = [
            number
            for number, picture in enumerate(pictures)
            if not valid_record(whole, picture, used, only_missing)
        ]
        said = list(zip(which, generate_captions(used, whole, which[:SHOWN]), strict=False))
        pairs = {
            pictures[number].path.name: whole.pair(text)
            for number, text in said
            if isinstance(text, str)
        }
        failed = [
            f"{pictures[number].path.name}: {text.message}"
            for number, text in said
            if isinstance(text, InputError)
        ]
    writes = [str(pictures[number].path.with_suffix(".txt")) for number in which] + [
        str(whole.folder / RECORD_FILE)
    ]
    keeps = [picture.path.name for number, picture in enumerate(pictures) if number not in which]
    result = {
        "dry_run": True,
        "captioner": f"{used.name}@{used.digest}",
        "captions": {name: pair.text for name, pair in pairs.items()},
        "base_captions": {name: pair.base for name, pair in pairs.items()},
        "writes": writes,
        "keeps": keeps,
        "failed": failed,
        "drops": whole.found.unreadable + whole.found.other_files,
        "fetches": [],
    }
    lines = [f"{name}\t{pair.text}" for name, pair in pairs.items()]
    lines += [f"fail    {line}" for line in failed]
    lines += [f"write   {path}" for path in writes]
    lines += [
        f"keep    {name}: {'a person wrote its caption' if name in whole.kept else 'it has this caption'}"
        for name in keeps
    ]
    return result, lines


def dry_run_edits(
    config: CaptionConfig, take: Path, console: Console
) -> tuple[dict[str, Any], list[str]]:
    """What `run` would take of a saved page: (result for the JSON, lines for people).

    Raises:
        InputError: it is no such file, no change in it can be taken, or the folder cannot be captioned.
    """
    made, rows = (
        existing_captions(plan_captions(config, console, again=True), console),
        read_edits(take),
    )
    refused = [why for row in rows if (why := refusal(made, row))]
    taking = {
        row["picture"]: edited_caption(row)
        for row in rows
        if not refusal(made, row)
        and edited_caption(row) != read_caption(made.folder / row["picture"])
    }
    if refused and not taking:
        raise no_edit_applied(take, refused)
    writes = [str((made.folder / name).with_suffix(".txt")) for name in taking] + (
        [str(made.folder / RECORD_FILE)] if taking else []
    )
    lines = [f"{name}\t{text}" for name, text in taking.items()] + [
        f"refuse  {why}" for why in refused
    ]
    return {"dry_run": True, "captions": taking, "refused": refused, "writes": writes}, lines + [
        f"write   {path}" for path in writes
    ]
