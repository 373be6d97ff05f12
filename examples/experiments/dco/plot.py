"""The points of several arms as one SVG: likeness across, fit upwards."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from examples.experiments.dco.frontier import Points

WIDTH, HEIGHT, EDGE = 720, 470, 56
COLOURS = ("#c2410c", "#1d4ed8", "#15803d", "#7e22ce")


def curves_svg(
    arms: Mapping[str, Points], places: Sequence[tuple[int, float | None]], base_fit: float
) -> str:
    """A picture of every arm's mean points.

    Args:
        arms: name -> (P, 2).
        places: of each point its steps and its weight of consistency guidance; points without one are joined by a line, in the order
            of their steps, and those with one by a dashed line.
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
            parts.append(
                f'<path d="M{x} {EDGE}V{HEIGHT - EDGE}" stroke="#e5e5e5"/><text x="{x - 8}" y="{HEIGHT - 36}">{level:.1f}</text>'
            )
        if low_y <= level <= high_y:
            _, y = at((low_x, level))
            parts.append(
                f'<path d="M{EDGE} {y}H{WIDTH - EDGE}" stroke="#e5e5e5"/><text x="{EDGE - 26}" y="{y + 4}">{level:.1f}</text>'
            )
    parts.append(
        f'<text x="{WIDTH / 2 - 160}" y="{HEIGHT - 12}">likeness: 0 the untaught base, 1 real renders</text>'
    )
    parts.append(
        f'<text x="{EDGE - 26}" y="{EDGE - 18}">fit: share of what else the prompt asks for, over that of real renders</text>'
    )
    x, y = at((0, base_fit))
    parts.append(
        f'<path d="M{x - 5} {y}h10M{x} {y - 5}v10" stroke="black"/><text x="{x + 8}" y="{y + 4}">base</text>'
    )
    for number, (name, points) in enumerate(arms.items()):
        parts += arm_svg(
            name,
            [at(point) for point in points.tolist()],
            places,
            COLOURS[number % len(COLOURS)],
            number,
        )
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'


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
    parts = [
        f'<text x="{WIDTH - EDGE - 60}" y="{EDGE + 18 * number}" fill="{colour}" font-weight="bold">{escape(name)}</text>'
    ]
    for those, dash in ((by_length, ""), (led, ' stroke-dasharray="5 4"')):
        line = " ".join(f"{x},{y}" for (x, y), _ in those)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>'
        )
        for (x, y), label in those:
            parts.append(
                f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/><text x="{x + 6}" y="{y - 6}" fill="{colour}">{label}</text>'
            )
    return parts
