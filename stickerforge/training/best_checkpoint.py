"""What validation measured on a run, and the weights that validated best."""

import contextlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stickerforge.adapters.header import read_file
from stickerforge.adapters.kinds import AdapterKind
from stickerforge.runtime.files import write_whole
from stickerforge.training.metrics_log import read_rows
from stickerforge.training.run_folder import RunFolder

LOWEST = -1e6  # the score of pictures that cannot be scored


@dataclass(frozen=True)
class ValidationSchedule:
    """When the model in training is validated, and by what.

    Args:
        every: steps between two validations; there is one at the end, too.
        validate: from the number of steps done to metrics of the model as it is now; the higher
            "score", the better.
        ends: whether a run is to end after a validation with these metrics.
    """

    every: int
    validate: Callable[[int], Mapping[str, float]]
    ends: Callable[[Mapping[str, float]], bool] = lambda metrics: False

    def due(self, done: int, steps: int) -> bool:
        """Whether to validate after so many steps."""
        return done > 0 and (done % self.every == 0 or done == steps)


class BestCheckpoint:
    """The log of validations, and a file with the weights that scored best so far."""

    def __init__(self, run: RunFolder, kind: AdapterKind, *, start: int) -> None:
        """Read what is there.

        Args:
            kind: of the adapter, whose weights are kept.
            start: the number of steps done; what an interrupted run measured later is dropped.
        """
        self.run, self.kind, self.rows = run, kind, []
        if start:
            rows = [row for row in read_rows(run.validation_log) if None not in row.values()]
            self.rows = [row for row in rows if row["step"] <= start and "score" in row]
        else:
            for path in run.bests():
                with contextlib.suppress(OSError):
                    path.unlink()
        self.write_log()

    def row(self, done: int) -> dict[str, float] | None:
        """The metrics of the validation after so many steps; None where there was none."""
        return next((row for row in self.rows if row["step"] == done), None)

    def write_log(self) -> None:
        """Write the log of validations."""
        lines = "".join(json.dumps(row) + "\n" for row in self.rows)
        write_whole(self.run.validation_log, lines.encode())

    def add(self, done: int, metrics: Mapping[str, float], weights: Callable[[], Any]) -> None:
        """Log one validation, and keep the weights if they are the best so far.

        Raises:
            EnvironmentFault: the disk is full.
        """
        row = dict(metrics)
        if not all(map(math.isfinite, row.values())):  # such pictures are never the best
            row = {name: value if math.isfinite(value) else LOWEST for name, value in row.items()}
            row["score"] = LOWEST
        self.rows = [other for other in self.rows if other["step"] != done]
        if not self.rows or row["score"] > self.best["score"]:
            write_whole(self.run.best(done), self.kind.encode(weights()))
        self.rows.append({"step": done} | {name: round(value, 6) for name, value in row.items()})
        self.write_log()

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the best validation; of equal ones the first."""
        return max(self.rows, key=lambda row: row["score"])

    def remove_others(self) -> None:
        """Remove weights that are not the best.

        To be called once a checkpoint holds the present step: no resumed run needs them then.
        """
        best = self.run.best(int(self.best["step"])) if self.rows else None
        for path in self.run.bests():
            if path != best:
                with contextlib.suppress(OSError):
                    path.unlink()

    def weights(self) -> Any:
        """The weights that scored best, in the form of their kind.

        Raises:
            InputError: their file is missing or broken.
        """
        return self.kind.read(read_file(self.run.best(int(self.best["step"]))))
