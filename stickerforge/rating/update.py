"""From answers and files of ratings to what follows from them, on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from stickerforge.errors import InputError, Interrupted
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.outcome import Outcome, find_outcome
from stickerforge.rating.rating_task import RatingTask
from stickerforge.rating.ratings import RATINGS, Rating
from stickerforge.rating.ratings_intake import read_for_task, restore_unchanged, retire_changed
from stickerforge.rating.serving import exclusive
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import make_folder
from stickerforge.runtime.text import plural, shorten_list

SHOWN = 5  # names in a warning


def update_outcome(
    task: RatingTask,
    console: Console,
    ratings: Path | None = None,
    ask: Callable[[AnswerStore], None] = lambda store: None,
) -> tuple[Outcome, int | None]:
    """Take ratings in, ask people, and write what follows; what they decided stays.

    Args:
        ratings: a file of ratings.
        ask: puts further answers into the store.

    Returns:
        (what follows, how many ratings of the file were new or None where there is no file).

    Raises:
        StickerforgeError: input or environment.
        Interrupted: Ctrl-C; what follows from the answers so far is written.
    """
    rows = read_for_task(task, ratings) if ratings else None  # before anything is written
    try:
        make_folder(task.folder)
    except InputError as error:
        raise InputError(error.message, "give --out FOLDER") from None
    with exclusive(task.folder):
        return update_held(task, console, rows, ask)


def update_held(
    task: RatingTask,
    console: Console,
    rows: Sequence[Rating] | None,
    ask: Callable[[AnswerStore], None] = lambda store: None,
) -> tuple[Outcome, int | None]:
    """As `update_outcome`, of a folder that is there and whose lock the caller holds.

    Args:
        rows: ratings of a file, all of which are about the task; None where there is none.
    """
    if task.failed:
        names = shorten_list(task.failed, SHOWN)
        console.warn(f"{plural(len(task.failed), 'picture')} cannot be shown: {names}")
    with AnswerStore(task.folder / STORE) as store:
        check_copy(task.folder, store, rows)
        if changed := retire_changed(task, store):
            console.warn(
                f"{plural(changed, 'answer')} about pictures that have changed since "
                "no longer count"
            )
        if restored := restore_unchanged(task, store):
            console.say(f"{plural(restored, 'answer')} again: the pictures are as they were")
        taken = store.take(rows) if rows is not None else None
        try:
            ask(store)
        except Interrupted:
            find_outcome(task, store).write()
            raise
        outcome = find_outcome(task, store)
        outcome.write()
        for line in outcome.warnings():
            console.warn(line)
        return outcome, taken


def check_copy(folder: Path, store: AnswerStore, rows: Sequence[Rating] | None) -> None:
    """Make sure that no copy of lost answers is overwritten with nothing.

    Args:
        rows: ratings that are about to be taken in; None for none.

    Raises:
        InputError: there are no answers, but ratings that were written from some.
    """
    copy = folder / RATINGS
    if rows is None and store.first_question() is None and copy.exists() and copy.stat().st_size:
        raise InputError(
            f"{store.path} holds no answers, and {copy} does",
            f"give --ratings {copy} to take them in again, or move that file away",
        )
