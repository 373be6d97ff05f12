"""What a run leaves to be looked at: a line of figures per step, and a picture of the loss."""

import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from stickerforge.runtime.files import disk_fault, write_whole

METRICS, LOSS, BOARD = "metrics.jsonl", "loss.png", "tensorboard"
INK, STUDENT, BASE, THIRD, GRID = (40, 42, 48), (44, 110, 203), (214, 120, 38), (96, 140, 60), (228, 230, 234)


class Record:
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
        kept = [row for row in rows(self.path) if row["step"] < start]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in kept).encode())
        self.waiting: list[str] = []

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """One step; not-finite figures become null, which JSON has."""
        if self.board:
            for key, value in figures.items():
                self.board.add_scalar(key, value, step)
        clean = {key: round(value, 8) if math.isfinite(value) else None for key, value in figures.items()}
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


def rows(path: Path) -> list[dict[str, Any]]:
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


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """The mean of up to `window` values ending at each."""
    return [sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))]


@dataclass(frozen=True)
class Curve:
    """Values over steps, as drawn."""

    name: str
    colour: tuple[int, int, int]
    steps: list[int]
    values: list[float]


def loss_picture(metrics: Sequence[Mapping[str, Any]]) -> bytes:
    """The error of the model in training and of the base over the steps, as PNG."""
    window, curves = max(1, len(metrics) // 25), []
    for name, key, colour in (("in training", "error", STUDENT), ("base", "base_error", BASE)):
        known = [row for row in metrics if row.get(key) is not None]
        values = smoothed([float(row[key]) for row in known], window)
        curves.append(Curve(name, colour, [row["step"] for row in known], values))
    return picture_of(curves, f"squared error, mean of {window} steps")


def watched_picture(seen: Sequence[Mapping[str, Any]]) -> bytes:
    """What was seen of the pictures on the way, as PNG."""
    colours = {"similarity": STUDENT, "alignment": BASE, "drift": THIRD}
    steps = [int(row["step"]) for row in seen]
    known = {name: colour for name, colour in colours.items() if all(name in row for row in seen)}
    return picture_of([Curve(name, colour, steps, [row[name] for row in seen]) for name, colour in known.items()], "of pictures on the way")


def picture_of(curves: Sequence[Curve], note: str, width: int = 720, height: int = 360) -> bytes:
    """Curves from 0 up, over the steps, as PNG."""
    page = Image.new("RGB", (width, height), (255, 255, 255))
    pen = ImageDraw.Draw(page)
    left, top, right, bottom = 64, 34, width - 16, height - 34
    curves = [curve for curve in curves if curve.values]
    highest = max((max(curve.values) for curve in curves), default=1.0) or 1.0
    first, last = (bound((curve.steps[end] for curve in curves), default=0) for bound, end in ((min, 0), (max, -1)))
    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        pen.line((left, y, right, y), fill=GRID)
        pen.text((left - 8, y), f"{highest * part / 4:.3g}", fill=INK, anchor="rm", font_size=12)
    for index, curve in enumerate(curves):
        across = (right - left) / max(1, last - first)
        pairs = zip(curve.steps, curve.values, strict=True)
        points = [(left + across * (step - first), bottom - (bottom - top) * max(value, 0) / highest) for step, value in pairs]
        pen.line(points if len(points) > 1 else [*points, *points], fill=curve.colour, width=2)
        pen.text((left + 110 * index, 10), f"— {curve.name}", fill=curve.colour, font_size=13)
    pen.text((left, bottom + 10), f"step {first}", fill=INK, font_size=12)
    pen.text((right, bottom + 10), f"{last}", fill=INK, anchor="ra", font_size=12)
    pen.text((right, 10), note, fill=INK, anchor="ra", font_size=12)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()
