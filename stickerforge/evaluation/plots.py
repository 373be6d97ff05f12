"""Small plots as SVG text: how values are spread, and two metrics against each other."""

from collections.abc import Sequence
from html import escape

import numpy as np

WIDTH, HEIGHT, BINS = 220, 70, 24


def histogram(values: Sequence[float], label: str) -> str:
    """How often each range of values occurs, with the ends written below."""
    counts, edges = np.histogram(np.asarray(values, float), BINS)
    step, top = WIDTH / BINS, max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT - HEIGHT * count / top:.1f}" width="{step - 1:.1f}" height="{HEIGHT * count / top:.1f}"/>'
        for i, count in enumerate(counts)
        if count
    )
    ends = (
        f'<text x="0" y="{HEIGHT + 14}">{edges[0]:.3g}</text><text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{edges[-1]:.3g}</text>'
    )
    title = escape(f"{label}: {len(values)} pictures from {edges[0]:.3g} to {edges[-1]:.3g}")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="{title}"><title>{title}</title>{bars}{ends}</svg>'


def pareto(first: Sequence[float], second: Sequence[float], labels: tuple[str, str]) -> str:
    """Every picture at (first, second), those that none beats in both drawn full."""
    x, y = np.asarray(first, float), np.asarray(second, float)
    best = frontier(x, y)
    side, edge = 260, 26
    left, up = (edge + (values - values.min()) / max(float(np.ptp(values)), 1e-9) * (side - 2 * edge) for values in (x, y))
    dots = ""
    for across, above, full in zip(left, up, best, strict=True):
        size, kind = (4, "best") if full else (2.5, "dot")
        dots += f'<circle cx="{across:.1f}" cy="{side - above:.1f}" r="{size}" class="{kind}"/>'
    names = [escape(label) for label in labels]
    title = f"{names[1]} over {names[0]}, {len(x)} pictures"
    axes = f'<text x="{side / 2}" y="{side - 4}" text-anchor="middle">{names[0]}</text>'
    axes += f'<text x="10" y="{side / 2}" text-anchor="middle" transform="rotate(-90 10 {side / 2})">{names[1]}</text>'
    return f'<svg viewBox="0 0 {side} {side}" role="img" aria-label="{title}"><title>{title}</title>{dots}{axes}</svg>'


def frontier(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points no other one beats in both."""
    order = np.lexsort((-y, -x))
    best = np.zeros(len(x), bool)
    highest = -np.inf
    for i in order:
        if y[i] > highest:
            best[i], highest = True, y[i]
    return best
