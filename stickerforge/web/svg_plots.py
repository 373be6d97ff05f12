"""Small plots as SVG text: histograms."""

from collections.abc import Sequence
from html import escape

import numpy as np

WIDTH, HEIGHT, BINS = 220, 70, 24


def histogram(values: Sequence[float], label: str) -> str:
    """How often each range of values occurs, as an SVG element; its ends are written below."""
    counts, edges = np.histogram(np.asarray(values, float), BINS)
    step, top = WIDTH / BINS, max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{index * step:.1f}" y="{HEIGHT - HEIGHT * count / top:.1f}"'
        f' width="{step - 1:.1f}" height="{HEIGHT * count / top:.1f}"/>'
        for index, count in enumerate(counts)
        if count
    )
    low, high = f"{edges[0]:.3g}", f"{edges[-1]:.3g}"
    ends = (
        f'<text x="0" y="{HEIGHT + 14}">{low}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{high}</text>'
    )
    title = escape(f"{label}: {len(values)} pictures from {low} to {high}")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="{title}">'
        f"<title>{title}</title>{bars}{ends}</svg>"
    )
