"""What a run leaves to be looked at: a line of figures per step, and a picture of the loss."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stickerforge.runtime.files import disk_fault, write_whole

METRICS = "metrics.jsonl"
BOARD = "tensorboard"


class MetricsLog:
    """metrics.jsonl of a run, one object per step."""

    def __init__(self, folder: Path, *, start: int, board: bool = False) -> None:
        """Args:
        start: the first step to come; what an interrupted run wrote beyond it is dropped.
        board: whether to write the same for TensorBoard, into the folder `tensorboard`.
        """
        self.board: Any = None
        if board:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / BOARD), purge_step=start)
        self.path = folder / METRICS
        kept = [row for row in read_rows(self.path) if row["step"] < start]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in kept).encode())
        self.waiting: list[str] = []

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """One step; not-finite figures become null, which JSON has."""
        if self.board:
            for key, value in figures.items():
                self.board.add_scalar(key, value, step)
        clean = {
            key: round(value, 8) if math.isfinite(value) else None for key, value in figures.items()
        }
        self.waiting.append(json.dumps({"step": step} | clean) + "\n")

    def flush(self) -> None:
        """Write what waits.

        Raises:
            EnvironmentFault: the disk is full.
        """
        if self.board:
            self.board.flush()
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(self.waiting)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_fault(error, self.path) from error
        self.waiting = []


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a metrics file; the last one may have been cut short."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    found = []
    for line in lines:
        try:
            row = json.loads(line)
            found += [row] if isinstance(row, dict) and isinstance(row.get("step"), int) else []
        except ValueError:
            break
    return found
