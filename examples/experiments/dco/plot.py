"""The points of several arms as one SVG: likeness across, fit upwards."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from examples.experiments.dco.frontier import Points

WIDTH, HEIGHT, EDGE = 720, 470, 56
ACROSS = "likeness: 0 the untaught base, 1 real renders"
UPWARDS = "fit: share of what else the prompt asks for, over that of real renders"
COLOURS = ("#c2410c", "#1d4ed8", "#15803d", "#7e22ce")


def curves_svg(
    arms: Mapping[str, Points], places: Sequence[tuple[int, float | None]], base_fit: float
) -> str:
    """A picture of every arm's mean points.

    Args:
        arms: name -> (P, 2).
        places: of each point its steps and its weight of consistency guidance; points without one
            are joined by a line, in the order of their steps, and those with one by a dashed line.
        base_fit: of the untaught base, whose likeness is 0.
    """
    every = [
        (0.0, base_fit),
        *(tuple(point) for points in arms.values() for point in points.tolist()),
    ]
    low_x, high_x = min(x for x, _ in every) - 0.05, max(x for x, _ in every) + 0.08
    low_y, high_y = min(y for _, y in every) - 0.05, max(y for _, y in every) + 0.05

    def at(point: Sequence[float]) -> tuple[float, float]:
        across = EDGE + (point[0] - low_x) / (high_x - low_x) * (WIDTH - 2 * EDGE)
        return round(across, 1), round(
            HEIGHT - EDGE - (point[1] - low_y) / (high_y - low_y) * (HEIGHT - 2 * EDGE), 1
        )

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tick in range(-2, 14):
        level = tick / 10
        if low_x <= level <= high_x:
            x, _ = at((level, low_y))
            parts += [grid_svg(f"M{x} {EDGE}V{HEIGHT - EDGE}")]
            parts += [text_svg(x - 8, HEIGHT - 36, f"{level:.1f}")]
        if low_y <= level <= high_y:
            _, y = at((low_x, level))
            parts += [grid_svg(f"M{EDGE} {y}H{WIDTH - EDGE}")]
            parts += [text_svg(EDGE - 26, y + 4, f"{level:.1f}")]
    parts += [
        text_svg(WIDTH / 2 - 160, HEIGHT - 12, ACROSS),
        text_svg(EDGE - 26, EDGE - 18, UPWARDS),
    ]
    x, y = at((0, base_fit))
    parts += [f'<path d="M{x - 5} {y}h10M{x} {y - 5}v10" stroke="black"/>']
    parts += [text_svg(x + 8, y + 4, "base")]
    for number, (name, points) in enumerate(arms.items()):
        color = COLOURS[number % len(COLOURS)]
        parts += arm_svg(name, [at(point) for point in points.tolist()], places, color, number)
    font = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {font}>'
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def grid_svg(path: str) -> str:
    """A line of the grid."""
    return f'<path d="{path}" stroke="#e5e5e5"/>'


def text_svg(x: float, y: float, text: str, style: str = "") -> str:
    """Words at a place."""
    return f'<text x="{x}" y="{y}"{style}>{escape(text)}</text>'


def arm_svg(
    name: str,
    points: Sequence[tuple[float, float]],
    places: Sequence[tuple[int, float | None]],
    colour: str,
    number: int,
) -> list[str]:
    """The lines, points and labels of one arm."""
    by_length = [
        (point, f"{steps}")
        for point, (steps, weight) in zip(points, places, strict=True)
        if weight is None
    ]
    led = [
        (point, f"w {weight:g}")
        for point, (_, weight) in zip(points, places, strict=True)
        if weight is not None
    ]
    fill = f' fill="{colour}"'
    bold = f'{fill} font-weight="bold"'
    parts = [text_svg(WIDTH - EDGE - 60, EDGE + 18 * number, name, bold)]
    for those, dash in ((by_length, ""), (led, ' stroke-dasharray="5 4"')):
        line = " ".join(f"{x},{y}" for (x, y), _ in those)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>'
        )
        for (x, y), label in those:
            parts += [f'<circle cx="{x}" cy="{y}" r="4"{fill}/>']
            parts += [text_svg(x + 6, y - 6, label, fill)]
    return parts
