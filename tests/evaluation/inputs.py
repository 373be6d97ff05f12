"""What metrics are computed from, without files and models."""

from types import SimpleNamespace

from stickerforge.evaluation.metrics.base import MetricInput
from stickerforge.evaluation.prompt_matching import TargetPrompt
from stickerforge.runtime.console import Console


def metric_input(pictures, texts=None, *, places=(), **sets):
    """An input of pictures for these prompts; a baseline has the same prompts."""
    texts = texts or [""] * len(pictures)
    targets = [TargetPrompt(text, text or str(number)) for number, text in enumerate(texts)]
    roles = {"pictures": targets} | ({"baseline": targets} if "baseline" in sets else {})
    return MetricInput(
        {"pictures": pictures} | sets,
        roles,
        SimpleNamespace(name="judge", digest="abc", reads_text=True, judge=None),
        SimpleNamespace(places=dict.fromkeys(places, "")),
        Console(quiet=True),
    )
