"""`rate`: people decide about pictures on a page, and what they decided becomes a table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import RateConfig
from stickerforge.config.unused import unused_in_rate
from stickerforge.errors import InputError
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.json_lines import to_line
from stickerforge.rating.outcome import Outcome, find_outcome
from stickerforge.rating.plan import plan_rating
from stickerforge.rating.rating_page import PAGE, RatingSession, write_page
from stickerforge.rating.ratings import write_ratings
from stickerforge.rating.ratings_intake import read_for_task
from stickerforge.rating.serving import serve
from stickerforge.rating.update import update_outcome
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import plural

plan = plan_rating


@dataclass(frozen=True)
class Result:
    """What a call did.

    Args:
        taken: how many ratings of a file were new; None where there was no file.
    """

    outcome: Outcome
    taken: int | None = None

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        outputs = [{"path": str(path)} for path in self.outcome.paths]
        taken = {} if self.taken is None else {"taken": self.taken}
        return {"outputs": outputs} | self.outcome.result() | taken

    def lines(self) -> list[str]:
        """For pipes: the strengths, or the files."""
        if table := self.outcome.table():
            return ["\t".join(cells) for cells in table[1:]]
        return [str(path) for path in self.outcome.paths]

    def rating_rows(self) -> list[dict[str, Any]]:
        """The ratings for the JSON."""
        return [asdict(rating) for rating in self.outcome.ratings]

    def rating_lines(self) -> list[str]:
        """The ratings as lines of a table, which `--ratings` takes in."""
        return [to_line(rating).rstrip() for rating in self.outcome.ratings]

    def export(self, path: Path) -> None:
        """Write the ratings to a file of the user's.

        Raises:
            InputError: it is a folder, a pipe or a device.
            EnvironmentFault: it cannot be written.
        """
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file that can be written", "give - for stdout")
        write_ratings(path.resolve(), self.outcome.ratings)

    def note(self) -> str:
        """For people."""
        taken = [] if self.taken is None else [f"{plural(self.taken, 'rating')} taken in"]
        return "; ".join([*taken, self.outcome.note()])


def rate(
    pictures: str | Path,
    *,
    ratings: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Outcome:
    """Decide from Python, without a page: `rate("fluent", ratings="ann.jsonl").decision`.

    Args:
        pictures: a name or a folder, as on the command line.
        ratings: a file of ratings to take in first.

    Raises:
        StickerforgeError: see `stickerforge.errors`.
    """
    config = resolve(RateConfig, settings or {}, {"run": str(pictures)})
    file = Path(ratings) if ratings else None
    return run(config, Console(quiet=True), ratings=file, page=False).outcome


def run(
    config: RateConfig,
    console: Console,
    *,
    ratings: Path | None = None,
    page: bool,
    offline: bool = False,
) -> Result:
    """Let people decide, and write what follows; what they decided stays, however it ends.

    Args:
        ratings: a file of ratings to take in first.
        page: whether to serve the page, and wait until it is closed.
        offline: whether to write it as a file instead.

    Raises:
        StickerforgeError: input or environment.
        Interrupted: Ctrl-C; what follows from the answers so far is written.
    """
    with interruptible():
        task = plan(config, ratings)
        for line in unused_in_rate(config, page=page):
            console.warn(line)

        def ask(store: AnswerStore) -> None:
            if page and offline:
                path = write_page(task, config.rater)
                console.say(f"--offline serves no page: open {path}")
                console.say("and give what it saves to --ratings")
            elif page:
                serve(RatingSession(task, store, config.rater), config.port, console)

        return Result(*update_outcome(task, console, ratings, ask))


def dry_run(
    config: RateConfig, *, ratings: Path | None, page: bool, offline: bool
) -> tuple[dict[str, Any], list[str]]:
    """What `run` would read, show and write.

    Args:
        ratings, page, offline: as in `run`.

    Returns:
        Result for the JSON; lines for people.

    Raises:
        StickerforgeError: as in `run`.
    """
    task = plan(config, ratings)
    path = task.folder / STORE
    if path.exists():
        with AnswerStore(path) as store:
            outcome = find_outcome(task, store)
    else:
        outcome = find_outcome(task, None)
    rows = read_for_task(task, ratings) if ratings else []
    places = [*sorted({picture.parent for picture in task.paths.values()}), ratings]
    reads = [str(place) for place in places if place]
    writes = [str(path), *map(str, outcome.paths)]
    if page and offline:
        writes.append(str(task.folder / PAGE))
    result = {"dry_run": True, "reads": reads, "writes": writes, "takes": len(rows)}
    lines = [f"read    {place}" for place in reads]
    lines += [f"fail    {line}" for line in task.failed]
    lines += [f"take    {plural(len(rows), 'rating')}"] if ratings else []
    lines += [f"write   {place}" for place in writes]
    lines.append(f"now     {outcome.note()}")
    return result | outcome.result(), lines
