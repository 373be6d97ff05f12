"""Where a training run keeps its files, and whether it can be resumed."""

from pathlib import Path

from stickerforge.adapters.store import exists
from stickerforge.errors import InputError
from stickerforge.runtime.files import home
from stickerforge.training.checkpoint import Mark, read_mark

CONFIG_FILE = "customize.toml"
CAPTIONS_FILE = "captions.jsonl"
VALIDATION_PLOT = "watched.png"
VALIDATION_FOLDER = "looks"  # what was drawn on the way, a sheet a look


def run_folder(name: str) -> Path:
    """Where the run of an adapter keeps its checkpoint and its record."""
    return home() / "runs" / name


def check_free(name: str, *, force: bool, resume: bool) -> None:
    """Make sure that nothing finished or half-finished would be lost.

    Raises:
        InputError: it would be.
    """
    if force:
        return
    mark = read_mark(run_folder(name))
    if mark is None and exists(name):
        raise InputError(
            f"there is an adapter {name!r} already", "give another --name, or --force to replace it"
        )
    if mark is not None and not resume:
        hint = "go on with --resume, or start over with --force"
        raise InputError(f"a run of {name!r} stands unfinished after {mark.step} steps", hint)


def resumable(name: str, settings_digest: str, *, force: bool, resume: bool) -> Mark | None:
    """The mark of the checkpoint to go on from, if there is one and it is to be used.

    Raises:
        InputError: it belongs to other settings, or the name is taken.
    """
    check_free(name, force=force, resume=resume)
    mark = None if force else read_mark(run_folder(name))
    if mark is not None and mark.settings != settings_digest:
        raise InputError(
            f"the unfinished run of {name!r} was started with other settings "
            f"(see {run_folder(name)}/{CONFIG_FILE})",
            "give the same, or start over with --force",
        )
    return mark
