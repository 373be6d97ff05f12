"""The metrics of every step: metrics.jsonl, and the same for TensorBoard."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.files import disk_fault, write_whole
from stickerforge.runtime.json_text import parse_json
from stickerforge.training.run_folder import RunFolder

MAX_STEP = 10**9
MAX_BYTES = 1_000_000_000  # a million steps of five metrics have less
FIRST = ("loss", "error", "gradient_norm")  # the first keys of a row, where a method has them


class MetricsLog:
    """metrics.jsonl of a run, one object per step."""

    def __init__(self, run: RunFolder, *, start: int, tensorboard: bool = False) -> None:
        """Drop what an interrupted run wrote beyond the step that it goes on from.

        Args:
            start: the first step to come.
            tensorboard: whether to write the same for TensorBoard.
        """
        self.tensorboard: Any = None
        if tensorboard:  # an optional package
            from torch.utils.tensorboard import SummaryWriter

            self.tensorboard = SummaryWriter(str(run.tensorboard), purge_step=start)
        self.path = run.metrics
        rows = [row for row in read_rows(self.path) if row["step"] < start]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in rows).encode())
        self.unwritten: list[str] = []

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log one step; what is not finite becomes null, which JSON has."""
        metrics = {name: metrics[name] for name in FIRST if name in metrics} | dict(metrics)
        if self.tensorboard:
            for key, value in metrics.items():
                self.tensorboard.add_scalar(key, value, step)
        row = {
            key: round(value, 8) if math.isfinite(value) else None for key, value in metrics.items()
        }
        self.unwritten.append(json.dumps({"step": step} | row) + "\n")

    def flush(self) -> None:
        """Write the steps since the last flush.

        Raises:
            EnvironmentFault: the disk is full.
        """
        if self.tensorboard:
            self.tensorboard.flush()
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(self.unwritten)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_fault(error, self.path) from error
        self.unwritten = []


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a log; the last one may have been cut short by a crash."""
    try:
        lines = read_text(path, MAX_BYTES).splitlines()
    except (OSError, ValueError):
        return []
    rows = []
    for line in lines:
        try:
            row = parse_json(line)
        except ValueError:
            break
        if isinstance(row, dict) and is_row(row):
            rows.append(row)
    return rows


def is_row(row: Mapping[str, Any]) -> bool:
    """Whether an object is a row of metrics: numbers by name, or null for what was not finite."""
    numbers = all(value is None or type(value) in (int, float) for value in row.values())
    return numbers and type(row.get("step")) is int and 0 <= row["step"] <= MAX_STEP
