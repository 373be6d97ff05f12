"""Curves over the training steps, as PNG."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from stickerforge.stickers.color import WHITE

Color = tuple[int, int, int]
INK, GRID = (40, 42, 48), (228, 230, 234)
BLUE, ORANGE, GREEN = (44, 110, 203), (214, 120, 38), (96, 140, 60)


@dataclass(frozen=True)
class Curve:
    """Values over steps."""

    name: str
    color: Color
    steps: list[int]
    values: list[float]


def loss_plot(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The error of the model in training and of the base over the steps, as PNG.

    Args:
        rows: the metrics of every step.
    """
    window, curves = max(1, len(rows) // 25), []
    for name, key, color in (("in training", "error", BLUE), ("base", "base_error", ORANGE)):
        known = [row for row in rows if row.get(key) is not None]
        values = moving_average([float(row[key]) for row in known], window)
        curves.append(Curve(name, color, [row["step"] for row in known], values))
    return line_plot(curves, f"squared error, mean of {window} steps")


def validation_plot(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The metrics of every validation over the steps, as PNG."""
    steps = [int(row["step"]) for row in rows]
    curves = [
        Curve(name, color, steps, [row[name] for row in rows])
        for name, color in (("similarity", BLUE), ("alignment", ORANGE), ("drift", GREEN))
        if all(name in row for row in rows)
    ]
    return line_plot(curves, "of pictures on the way")


def moving_average(values: Sequence[float], window: int) -> list[float]:
    """The mean of up to `window` values ending at each."""
    return [
        sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))
    ]


def line_plot(curves: Sequence[Curve], note: str, width: int = 720, height: int = 360) -> bytes:
    """Curves from 0 up over the steps, as PNG."""
    page = Image.new("RGB", (width, height), WHITE)
    pen = ImageDraw.Draw(page)
    left, top, right, bottom = 64, 34, width - 16, height - 34
    curves = [curve for curve in curves if curve.values]
    highest = max((max(curve.values) for curve in curves), default=1.0) or 1.0
    first = min((curve.steps[0] for curve in curves), default=0)
    last = max((curve.steps[-1] for curve in curves), default=0)
    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        pen.line((left, y, right, y), fill=GRID)
        pen.text((left - 8, y), f"{highest * part / 4:.3g}", fill=INK, anchor="rm", font_size=12)
    step_width = (right - left) / max(1, last - first)
    for index, curve in enumerate(curves):
        points = [
            (left + step_width * (step - first), bottom - (bottom - top) * max(value, 0) / highest)
            for step, value in zip(curve.steps, curve.values, strict=True)
        ]
        pen.line(points if len(points) > 1 else [*points, *points], fill=curve.color, width=2)
        pen.text((left + 110 * index, 10), f"— {curve.name}", fill=curve.color, font_size=13)
    pen.text((left, bottom + 10), f"step {first}", fill=INK, font_size=12)
    pen.text((right, bottom + 10), f"{last}", fill=INK, anchor="ra", font_size=12)
    pen.text((right, 10), note, fill=INK, anchor="ra", font_size=12)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()
