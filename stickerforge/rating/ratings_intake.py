"""Ratings that come from elsewhere, and those whose pictures have changed since."""

from dataclasses import replace
from pathlib import Path

from stickerforge.errors import InputError
from stickerforge.rating.answer_store import AnswerStore
from stickerforge.rating.rating_page import FLIPPED
from stickerforge.rating.rating_task import RatingTask, known_digest
from stickerforge.rating.ratings import Rating, numbered_ratings


def read_for_task(task: RatingTask, path: Path) -> list[Rating]:
    """The ratings of a file, all of which are about the task.

    Raises:
        InputError: it is broken, or a line is about something else; the line is named.
    """
    models = {one.file_name: one.model for one in task.candidates}
    keys = {item.key for item in task.items}
    ratings = []
    for number, rating in numbered_ratings(path):
        where = f"{path} line {number}"
        if rating.question != task.question:
            raise InputError(
                f"{where}: an answer to the question {rating.question!r}, and {task.title} is "
                f"rated for {task.question!r}",
                f"give --question {rating.question}, or another file",
            )
        if rating.item not in keys:
            rating = turned(rating)
        if rating.item not in keys:
            names = " and ".join(filter(None, rating.item))
            raise InputError(
                f"{where}: {task.title} does not ask about {names[:200]}",
                "give ratings of this set, or remove that line",
            )
        if has_changed(task, rating):
            raise InputError(
                f"{where}: {rating.picture} is another picture now than the one that was rated",
                "remove that line, and rate it again",
            )
        ratings.append(complete(task, rating, models[rating.picture]))
    return ratings


def complete(task: RatingTask, rating: Rating, model: str) -> Rating:
    """A rating with what a rater elsewhere does not know: model and digests of the pictures.

    Args:
        model: hash of the model that drew the first picture.
    """
    return replace(
        rating,
        model=rating.model or model,
        sha256=rating.sha256 or known_digest(task, rating.picture),
        other_sha256=rating.other_sha256 or known_digest(task, rating.other),
    )


def turned(rating: Rating) -> Rating:
    """A rating of a pair with its pictures in the other order; any other one as it is."""
    if rating.other is None:
        return rating
    return replace(
        rating,
        picture=rating.other,
        other=rating.picture,
        sha256=rating.other_sha256,
        other_sha256=rating.sha256,
        answer=FLIPPED[rating.answer],
        model="",
    )


def has_changed(task: RatingTask, rating: Rating) -> bool:
    """Whether a picture is known to be another one than when it was rated."""
    digests = [(rating.picture, rating.sha256), (rating.other, rating.other_sha256)]
    return any(
        digest and known_digest(task, file_name) not in ("", digest)
        for file_name, digest in digests
    )


def restore_unchanged(task: RatingTask, store: AnswerStore) -> int:
    """Let answers count again whose pictures are as they were; returns how many.

    Raises:
        InputError, EnvironmentFault: they cannot be read or written.
    """
    keys = {item.key for item in task.items}
    taken = {(answer.rater, answer.item) for answer in store.standing(task.question)}
    restored = []
    for answer in store.retired(task.question):
        key = (answer.rater, answer.item)
        fits = answer.rating and answer.item in keys and not has_changed(task, answer.rating)
        if fits and key not in taken:
            taken.add(key)
            restored.append(answer.id)
    if restored:
        store.restore(restored)
    return len(restored)


def retire_changed(task: RatingTask, store: AnswerStore) -> int:
    """Let answers about pictures that are other ones now count no more; returns how many.

    Raises:
        InputError, EnvironmentFault: they cannot be read or written.
    """
    keys = {item.key for item in task.items}
    changed = [
        answer.id
        for answer in store.standing(task.question)
        if answer.rating and answer.item in keys and has_changed(task, answer.rating)
    ]
    if changed:
        store.retire(changed)
    return len(changed)
