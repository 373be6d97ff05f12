"""Pictures that were drawn, and the table of what every aspect gives them.

A row is appended as soon as a picture is scored, so that an interruption loses a few scores and no
picture.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from stickerforge.data.pictures import load_picture
from stickerforge.errors import InputError
from stickerforge.evaluation.aspects import Aspect, checked_scores
from stickerforge.objectives.best_of_k import PictureScore
from stickerforge.rating.json_lines import append_row, drop_unfinished_line, read_rows
from stickerforge.runtime.console import Console
from stickerforge.training.drawn_set import DrawnPicture, DrawnSet

TABLE = "scores.jsonl"
AT_ONCE = 8  # pictures that are scored together


@dataclass(frozen=True)
class ScoreRow:
    """A picture with what every aspect gives it; the schema of a row.

    Args:
        scores: by the aspect's name; without those that do not apply to its prompt.
    """

    file_name: str
    prompt: str
    seed: int
    scores: dict[str, float]


@dataclass(frozen=True)
class ScoredSet:
    """A set with its scores.

    Args:
        rows: in the order of the pictures.
        failed: a line for each picture that could not be drawn or read.
    """

    folder: Path
    rows: list[ScoreRow]
    failed: list[str]

    def scores(self, aspect: str) -> list[PictureScore]:
        """The scores of an aspect, of pictures to which it applies."""
        return [
            PictureScore(row.prompt, row.seed, row.scores[aspect])
            for row in self.rows
            if aspect in row.scores
        ]

    def path(self, prompt: str, seed: int) -> Path:
        """The file of a picture."""
        names = {(row.prompt, row.seed): row.file_name for row in self.rows}
        return self.folder / names[prompt, seed]


def score_set(drawn: DrawnSet, aspects: Sequence[Aspect], console: Console) -> ScoredSet:
    """The scores of a set; of what is in its table already at most a few are scored again.

    Raises:
        InputError: an aspect gives no number, or the table is broken.
        EnvironmentFault: memory or the disk is full.
    """
    table, rows = drawn.folder / TABLE, dict[str, ScoreRow]()
    if table.exists():
        drop_unfinished_line(table)
        rows = {row.file_name: row for _, row in read_rows(table, ScoreRow)}
    failed = list(drawn.failed)
    with console.progress("scoring", len(drawn.pictures)) as advance:
        for start in range(0, len(drawn.pictures), AT_ONCE):
            part = drawn.pictures[start : start + AT_ONCE]
            # The last digits depend on what is scored together: after a kill that is the same.
            if any(picture.file_name not in rows for picture in part):
                for row in score_part(part, drawn.folder, aspects, failed):
                    if row.file_name not in rows:
                        append_row(table, row)
                        rows[row.file_name] = row
            advance(len(part))
    names = [picture.file_name for picture in drawn.pictures if picture.file_name in rows]
    return ScoredSet(drawn.folder, [rows[name] for name in names], failed)


def score_part(
    part: Sequence[DrawnPicture], folder: Path, aspects: Sequence[Aspect], failed: list[str]
) -> list[ScoreRow]:
    """The rows of some pictures.

    Args:
        failed: is given a line for each that cannot be read.
    """
    loaded: list[tuple[DrawnPicture, Image.Image]] = []
    for picture in part:
        try:
            loaded.append(
                (picture, Image.fromarray(load_picture(folder / picture.file_name)[1].rgba))
            )
        except InputError as error:
            failed.append(error.message)
    scores: list[dict[str, float]] = [{} for _ in loaded]
    for aspect in aspects:
        places = [at for at, (picture, _) in enumerate(loaded) if aspect.applies(picture.prompt)]
        if not places:
            continue
        pictures = [loaded[at][1] for at in places]
        values = checked_scores(aspect, pictures, [loaded[at][0].prompt for at in places])
        for at, value in zip(places, values, strict=True):
            scores[at][aspect.name] = value
    return [
        ScoreRow(picture.file_name, picture.prompt, picture.seed, own)
        for (picture, _), own in zip(loaded, scores, strict=True)
    ]


def applied(aspect: Aspect, prompts: Iterable[str]) -> int:
    """To how many of the prompts an aspect applies."""
    return sum(aspect.applies(prompt) for prompt in prompts)
