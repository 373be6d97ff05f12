"""Curves over the training steps, as PNG."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

LOSS = "loss.png"
INK, TRAINED, BASE, THIRD, GRID = (
    (40, 42, 48),
    (44, 110, 203),
    (214, 120, 38),
    (96, 140, 60),
    (228, 230, 234),
)


def moving_average(values: Sequence[float], window: int) -> list[float]:
    """The mean of up to `window` values ending at each."""
    return [
        sum(values[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(values))
    ]


@dataclass(frozen=True)
class Curve:
    """Values over steps, as drawn."""

    name: str
    colour: tuple[int, int, int]
    steps: list[int]
    values: list[float]


def loss_plot(metrics: Sequence[Mapping[str, Any]]) -> bytes:
    """The error of the model in training and of the base over the steps, as PNG."""
    window, curves = max(1, len(metrics) // 25), []
    for name, key, colour in (("in training", "error", TRAINED), ("base", "base_error", BASE)):
        known = [row for row in metrics if row.get(key) is not None]
        values = moving_average([float(row[key]) for row in known], window)
        curves.append(Curve(name, colour, [row["step"] for row in known], values))
    return line_plot(curves, f"squared error, mean of {window} steps")


def validation_plot(seen: Sequence[Mapping[str, Any]]) -> bytes:
    """What was seen of the pictures on the way, as PNG."""
    colours = {"similarity": TRAINED, "alignment": BASE, "drift": THIRD}
    steps = [int(row["step"]) for row in seen]
    known = {name: colour for name, colour in colours.items() if all(name in row for row in seen)}
    return line_plot(
        [Curve(name, colour, steps, [row[name] for row in seen]) for name, colour in known.items()],
        "of pictures on the way",
    )


def line_plot(curves: Sequence[Curve], note: str, width: int = 720, height: int = 360) -> bytes:
    """Curves from 0 up, over the steps, as PNG."""
    page = Image.new("RGB", (width, height), (255, 255, 255))
    pen = ImageDraw.Draw(page)
    left, top, right, bottom = 64, 34, width - 16, height - 34
    curves = [curve for curve in curves if curve.values]
    highest = max((max(curve.values) for curve in curves), default=1.0) or 1.0
    first, last = (
        bound((curve.steps[end] for curve in curves), default=0)
        for bound, end in ((min, 0), (max, -1))
    )
    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        pen.line((left, y, right, y), fill=GRID)
        pen.text((left - 8, y), f"{highest * part / 4:.3g}", fill=INK, anchor="rm", font_size=12)
    for index, curve in enumerate(curves):
        across = (right - left) / max(1, last - first)
        pairs = zip(curve.steps, curve.values, strict=True)
        points = [
            (left + across * (step - first), bottom - (bottom - top) * max(value, 0) / highest)
            for step, value in pairs
        ]
        pen.line(points if len(points) > 1 else [*points, *points], fill=curve.colour, width=2)
        pen.text((left + 110 * index, 10), f"— {curve.name}", fill=curve.colour, font_size=13)
    pen.text((left, bottom + 10), f"step {first}", fill=INK, font_size=12)
    pen.text((right, bottom + 10), f"{last}", fill=INK, anchor="ra", font_size=12)
    pen.text((right, 10), note, fill=INK, anchor="ra", font_size=12)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()
