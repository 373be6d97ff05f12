"""Small plots as SVG text: how values are spread."""

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
    ends = f'<text x="0" y="{HEIGHT + 14}">{edges[0]:.3g}</text><text x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{edges[-1]:.3g}</text>'
    title = escape(f"{label}: {len(values)} pictures from {edges[0]:.3g} to {edges[-1]:.3g}")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 18}" role="img" aria-label="{title}"><title>{title}</title>{bars}{ends}</svg>'
