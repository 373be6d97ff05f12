"""Looking on the way at what was learned, and keeping the best of it."""

import contextlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stickerforge.adapters.lora_format import encode, read
from stickerforge.adapters.lora_weights import AdapterWeights
from stickerforge.runtime.files import write_whole
from stickerforge.training.metrics_log import read_rows

LOG = "watched.jsonl"
LOWEST = -1e6  # the score of pictures that cannot be scored


@dataclass(frozen=True)
class ValidationSchedule:
    """Looks at the model in training, now and then.

    Args:
        every: steps between two looks; there is one at the end, too.
        look: from the steps that are done to figures of the model as it is now; the higher "score", the better.
    """

    every: int
    look: Callable[[int], dict[str, float]]

    def due(self, done: int, steps: int) -> bool:
        """Whether to look after so many steps."""
        return done % self.every == 0 or done == steps


class BestCheckpoint:
    """What was seen on a run: watched.jsonl, and the best state so far in a file of its own."""

    def __init__(self, folder: Path, *, start: int) -> None:
        """Args:
        start: the steps that are done; what an interrupted run saw beyond them is dropped.
        """
        self.folder, self.path = folder, folder / LOG
        self.seen = [row for row in read_rows(self.path) if row["step"] <= start] if start else []
        if not start:
            self.forget()
        self.write()

    def has(self, done: int) -> bool:
        """Whether there was a look after so many steps."""
        return any(row["step"] == done for row in self.seen)

    def forget(self) -> None:
        """Drop every kept state."""
        for path in self.folder.glob("best-*.safetensors"):
            with contextlib.suppress(OSError):
                path.unlink()

    def write(self) -> None:
        """Write what was seen."""
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in self.seen).encode())

    def add(
        self, done: int, figures: dict[str, float], content: Callable[[], AdapterWeights]
    ) -> None:
        """One look; the state is kept where it is the best so far.

        Raises:
            EnvironmentFault: the disk is full.
        """
        if not math.isfinite(figures["score"]):  # such pictures are never the best
            figures = {
                name: value if math.isfinite(value) else LOWEST for name, value in figures.items()
            } | {"score": LOWEST}
        self.seen = [row for row in self.seen if row["step"] != done]
        if not self.seen or figures["score"] > self.best["score"]:
            write_whole(self.file(done), encode(content()))
        self.seen.append(
            {"step": done} | {name: round(value, 6) for name, value in figures.items()}
        )
        self.write()

    @property
    def best(self) -> dict[str, float]:
        """The best row; of equal ones the first."""
        return max(self.seen, key=lambda row: row["score"])

    def file(self, done: int) -> Path:
        """Where the state after so many steps is kept."""
        return self.folder / f"best-{done:06}.safetensors"

    def settle(self) -> None:
        """Drop states that no resumed run can come back to any more: once a checkpoint holds the present one."""
        for path in self.folder.glob("best-*.safetensors"):
            if not self.seen or path != self.file(int(self.best["step"])):
                with contextlib.suppress(OSError):
                    path.unlink()

    def content(self) -> AdapterWeights:
        """The best state."""
        return read(self.file(int(self.best["step"])))
