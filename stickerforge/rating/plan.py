"""What a call rates, decided from its settings before anything is shown or written."""

import re
from dataclasses import replace
from pathlib import Path

from stickerforge.config.schema import RateConfig
from stickerforge.errors import InputError, nearest
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.rating_set import OUTCOMES, Question, is_set, set_folder, sets_folder
from stickerforge.rating.rating_task import RatingTask
from stickerforge.rating.ratings import rater_name, read_ratings
from stickerforge.rating.task_sources import against_task, answers_folder, read_source, set_task

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def plan_rating(config: RateConfig, ratings: Path | None = None) -> RatingTask:
    """The task of a call.

    Args:
        ratings: a file of ratings to be taken in, whose question says which set of a name it is.

    Raises:
        InputError: nothing is to be rated there, a line of it is broken, or settings contradict
            each other.
    """
    if not config.run:
        raise InputError("nothing to rate is given", "give a name, or a folder of pictures")
    if config.rater:
        rater_name(config.rater)
    if config.against:
        return plan_against(config)
    if is_name(config.run):
        asked = config.question or (read_ratings(ratings)[0].question if ratings else None)
        return plan_name(replace(config, question=asked))
    if NAME.fullmatch(config.run) and not Path(config.run).exists():
        raise InputError(
            f"there is neither a set nor a folder {config.run!r}",
            nearest(config.run, set_names(), "check the name, or give a folder"),
        )
    return plan_folder(config, Path(config.run), config.question)


def is_name(text: str) -> bool:
    """Whether a text is the name of sets that are there."""
    return bool(NAME.fullmatch(text)) and sets_folder(text).is_dir()


def set_names() -> list[str]:
    """Names of the sets at home."""
    folder = sets_folder("")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def plan_against(config: RateConfig) -> RatingTask:
    """The task of comparing folders.

    Raises:
        InputError: see `plan_rating`.
    """
    if config.question not in (None, "pair"):
        raise InputError(
            f"--against compares two, and --question {config.question} is about one",
            "leave one of them out",
        )
    folders = [named_folder(text) for text in (config.run, *config.against)]
    return against_task(folders, config.guideline, out_folder(config, answers_folder(folders)))


def named_folder(text: str) -> Path:
    """The set of a name that has one, that of content first; else the path."""
    sets = [set_folder(text, question) for question in OUTCOMES] if is_name(text) else []
    return next(filter(is_set, sets), Path(text))


def plan_folder(config: RateConfig, folder: Path, question: Question | None) -> RatingTask:
    """The task of a set, or of a folder of pictures with captions.

    Raises:
        InputError: see `plan_rating`.
    """
    rating_set = read_source(folder)
    answers = folder if is_set(folder) else answers_folder([folder])
    return set_task(
        rating_set,
        question or rating_set.question,
        config.guideline,
        out_folder(config, answers),
    )


def out_folder(config: RateConfig, default: Path) -> Path:
    """Folder of the answers."""
    return Path(config.out) if config.out else default


def plan_name(config: RateConfig) -> RatingTask:
    """The task of a name: its set for the question, else that which is still open, match first.

    Raises:
        InputError: there is no such set, or see `plan_rating`.
    """
    folders = {
        question: folder
        for question in OUTCOMES
        if is_set(folder := set_folder(config.run, question))
    }
    if not folders:
        raise InputError(
            f"{sets_folder(config.run)} holds no set yet",
            f"`stickerforge tailor style --stage content --name {config.run}` draws one",
        )
    if config.question == "pair":
        return plan_folder(config, next(iter(folders.values())), "pair")
    if config.question:
        if config.question not in folders:
            raise InputError(
                f"there is no set {set_folder(config.run, config.question)}",
                f"{config.run} has one for --question {next(iter(folders))}",
            )
        return plan_folder(config, folders[config.question], config.question)
    tasks = [plan_folder(config, folder, question) for question, folder in folders.items()]
    return next((task for task in tasks if num_open(task, config.rater)), tasks[0])


def num_open(task: RatingTask, rater: str) -> int:
    """How many items of a task have no answer yet.

    Args:
        rater: by whom; "" for anybody.

    Raises:
        InputError, EnvironmentFault: the answers cannot be read.
    """
    path = task.folder / STORE
    if not path.exists():
        return len(task.items)
    with AnswerStore(path) as store:
        answers = store.standing(task.question, rater_name(rater) if rater else None)
    answered = {answer.item for answer in answers if answer.rating}
    return sum(item.key not in answered for item in task.items)
