"""What a run leaves to be looked at: a line of figures per step, and a picture of the loss."""

import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from stickerforge.runtime.files import disk_fault, write_whole

METRICS, LOSS = "metrics.jsonl", "loss.png"
INK, STUDENT, BASE, GRID = (40, 42, 48), (44, 110, 203), (214, 120, 38), (228, 230, 234)


class Record:
    """metrics.jsonl of a run, one object per step."""

    def __init__(self, folder: Path, *, start: int) -> None:
        """Args:
        start: the first step to come; what an interrupted run wrote beyond it is dropped.
        """
        self.path = folder / METRICS
        kept = [row for row in rows(self.path) if row["step"] < start]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in kept).encode())
        self.waiting: list[str] = []

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """One step; not-finite figures become null, which JSON has."""
        clean = {key: round(value, 8) if math.isfinite(value) else None for key, value in figures.items()}
        self.waiting.append(json.dumps({"step": step} | clean) + "\n")

    def flush(self) -> None:
        """Write what waits.

        Raises:
            EnvironmentFault: the disk is full.
        """
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


def loss_picture(metrics: Sequence[Mapping[str, Any]], width: int = 720, height: int = 360) -> bytes:
    """The error of the model in training and of the base over the steps, as PNG."""
    page = Image.new("RGB", (width, height), (255, 255, 255))
    pen = ImageDraw.Draw(page)
    left, top, right, bottom = 64, 34, width - 16, height - 34
    curves = [("in training", "error", STUDENT), ("base", "base_error", BASE)]
    window = max(1, len(metrics) // 25)
    drawn = [
        (name, smoothed([float(row[key]) for row in metrics if row.get(key) is not None], window), colour) for name, key, colour in curves
    ]
    drawn = [(name, values, colour) for name, values, colour in drawn if values]
    highest = max((max(values) for _, values, _ in drawn), default=1.0) or 1.0
    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        pen.line((left, y, right, y), fill=GRID)
        pen.text((left - 8, y), f"{highest * part / 4:.3g}", fill=INK, anchor="rm", font_size=12)
    for _, values, colour in drawn:
        across = (right - left) / max(1, len(values) - 1)
        points = [(left + across * i, bottom - (bottom - top) * value / highest) for i, value in enumerate(values)]
        pen.line(points if len(points) > 1 else [*points, *points], fill=colour, width=2)
    for index, (name, _, colour) in enumerate(drawn):
        pen.text((left + 110 * index, 10), f"— {name}", fill=colour, font_size=13)
    last = metrics[-1]["step"] + 1 if metrics else 0
    pen.text((left, bottom + 10), "step 0", fill=INK, font_size=12)
    pen.text((right, bottom + 10), f"{last}", fill=INK, anchor="ra", font_size=12)
    pen.text((right, 10), f"squared error, mean of {window} steps", fill=INK, anchor="ra", font_size=12)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()
