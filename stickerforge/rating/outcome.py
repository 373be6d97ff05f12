"""What follows from the answers of a task: who passed, or who is how strong; as files and words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stickerforge.rating.agreement import Agreement, agreement
from stickerforge.rating.answer_store import AnswerStore
from stickerforge.rating.bradley_terry import Strength, fit_strengths
from stickerforge.rating.decision import Decision, decide
from stickerforge.rating.rating_set import OUTCOMES, write_accepted
from stickerforge.rating.rating_task import RatingTask
from stickerforge.rating.ratings import RATINGS, Rating, latest, write_ratings
from stickerforge.runtime.text import plural

GAINS = {"left": 1.0, "tie": 0.5, "right": 0.0}


@dataclass(frozen=True)
class Outcome:
    """What follows from the answers.

    Args:
        decision: None where pairs are compared.
        strengths: of models, folders or pictures; empty where pictures are decided about.
        by_rater: how many items each rater answered.
        num_rated: how many items have an answer.
        first_question: what the oldest answer in the folder is about.
    """

    task: RatingTask
    ratings: list[Rating]
    decision: Decision | None
    strengths: list[Strength]
    agreement: Agreement
    by_rater: dict[str, int]
    num_rated: int
    first_question: str | None = None

    @property
    def paths(self) -> list[Path]:
        """The files of the outcome."""
        question = self.task.question
        is_first = self.first_question in (None, question)
        names = [RATINGS if is_first else f"ratings-{question}.jsonl"]
        if self.task.question != "pair":
            names.append(OUTCOMES[self.task.question])
        return [self.task.folder / name for name in names]

    def write(self) -> None:
        """Write the ratings, and the table of accepted pictures.

        Raises:
            EnvironmentFault: the disk is full or read-only.
        """
        write_ratings(self.paths[0], self.ratings)
        if self.decision and self.task.question != "pair":
            rows = [
                replace(row, file_name=self.task.outcome_name(row.file_name))
                for row in self.decision.accepted
            ]
            write_accepted(self.task.folder, self.task.question, rows)

    def result(self) -> dict[str, Any]:
        """For the JSON."""
        found: dict[str, Any] = {
            "set": self.task.title,
            "question": self.task.question,
            "items": len(self.task.items),
            "rated": self.num_rated,
            "raters": self.by_rater,
            "agreement": self.agreement.result(),
            "failed": self.task.failed,
        }
        if self.decision:
            found["passed"] = len(self.decision.accepted)
            found["rejected"] = len(self.decision.rejected)
        else:
            found["strengths"] = [asdict(row) for row in self.strengths]
        return found

    def note(self) -> str:
        """For people: how many passed, and how far raters agree."""
        total = len(self.task.items)
        if self.decision:
            left = total - self.num_rated
            text = f"{len(self.decision.accepted)} of {plural(total, 'picture')} passed"
            text += f", {left} not rated yet" if left else ""
        else:
            text = f"{self.num_rated} of {plural(total, 'pair')} rated"
        return f"{self.task.title}: " + "; ".join(filter(None, [text, self.agreement.line()]))

    def warnings(self) -> list[str]:
        """What the strengths cannot say."""
        warnings = []
        if len({row.group for row in self.strengths}) > 1:
            warnings.append(
                "not everybody was compared with everybody, not even by others: log strengths of"
                " different groups cannot be compared"
            )
        if any(row.prior for row in self.strengths):
            warnings.append(
                "some won, or lost, all comparisons with the others: for a finite strength each of"
                " their group counts as having tied once with one of mean strength"
            )
        return warnings

    def table(self) -> list[list[str]] | None:
        """The strengths for a terminal; None where there are none."""
        if not self.strengths:
            return None
        head = ["compared", "log strength", "95 %", "wins", "of", "group"]
        return [head, *map(strength_cells, self.strengths)]


def strength_cells(row: Strength) -> list[str]:
    """A row of the table of strengths."""
    return [
        row.name,
        f"{row.log_strength:+.3f}",
        f"{row.low:+.3f} to {row.high:+.3f}",
        f"{row.wins:g}",
        str(row.comparisons),
        str(row.group + 1),
    ]


def find_outcome(task: RatingTask, store: AnswerStore | None) -> Outcome:
    """What follows from the answers to a task; answers about other items do not count.

    Args:
        store: None where there is none yet.

    Raises:
        InputError, EnvironmentFault: the answers cannot be read.
    """
    keys = {item.key for item in task.items}
    ratings = [row for row in store.ratings(task.question) if row.item in keys] if store else []
    ratings = latest(ratings)
    by_rater: dict[str, int] = {}
    for rating in ratings:
        by_rater[rating.rater] = by_rater.get(rating.rater, 0) + 1
    decision, strengths = None, list[Strength]()
    if task.question == "pair":
        strengths = fit_strengths(comparisons(task, ratings))
    else:
        decision = decide(task.candidates, ratings, task.question)
    rated = len({rating.item for rating in ratings})
    first = store.first_question() if store else None
    return Outcome(task, ratings, decision, strengths, agreement(ratings), by_rater, rated, first)


def comparisons(task: RatingTask, ratings: Sequence[Rating]) -> list[tuple[str, str, float]]:
    """(arm, other arm, what the one got) of each rating of a pair."""
    return [
        (task.arms[rating.picture], task.arms[rating.other or ""], GAINS[str(rating.answer)])
        for rating in ratings
    ]
