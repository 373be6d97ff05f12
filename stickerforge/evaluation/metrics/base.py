"""What is measured, in words, and one figure of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stickerforge.evaluation.statistics import group_means, interval
from stickerforge.stickers.platforms import PLATFORMS

Better = Literal["higher", "lower", ""]


@dataclass(frozen=True)
class Metric:
    """One kind of figure.

    Args:
        better: "" where neither is.
        group: what --metrics calls it by, together with others.
        unit: "" for shares and cosines.
        encoded: whether its name carries an encoder.
    """

    name: str
    group: str
    better: Better
    about: str
    unit: str = ""
    encoded: bool = False


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "alignment",
            "prompt",
            "higher",
            "cosine of picture and prompt; mean over the sentences of a long one",
            "",
            True,
        ),
        Metric(
            "facts",
            "prompt",
            "higher",
            "share of what the prompt claims that the judge sees",
            "",
            True,
        ),
        Metric(
            "subject_similarity",
            "reference",
            "higher",
            "mean cosine with the references, cut to the figure, over grey",
            "",
            True,
        ),
        Metric(
            "subject_best",
            "reference",
            "higher",
            "cosine with the nearest reference, cut to the figure, over grey",
            "",
            True,
        ),
        Metric(
            "style_similarity",
            "style",
            "higher",
            "mean cosine with the references of the style",
            "",
            True,
        ),
        Metric(
            "drift",
            "baseline",
            "lower",
            "1 - cosine with the baseline's picture of the same prompt",
            "",
            True,
        ),
        Metric(
            "pickscore",
            "reward",
            "higher",
            "what people would choose, by PickScore: scale times cosine",
            "",
            True,
        ),
        Metric(
            "hpsv2",
            "reward",
            "higher",
            "what people would choose, by HPSv2: scale times cosine",
            "",
            True,
        ),
        Metric(
            "aesthetic",
            "reward",
            "higher",
            "how beautiful people would find it, about 1 to 10",
            "",
            True,
        ),
        Metric(
            "vqascore",
            "reward",
            "higher",
            "the chance of Yes to: does this figure show the prompt?",
            "",
            True,
        ),
        Metric(
            "lpips_diversity",
            "reward",
            "higher",
            "mean LPIPS between pictures of one prompt",
            "",
            True,
        ),
        Metric(
            "lpips_drift",
            "reward",
            "lower",
            "mean LPIPS to the baseline's pictures of the same prompt",
            "",
            True,
        ),
        Metric("coverage", "cutout", "", "mean alpha; 1 where nothing is cut out"),
        Metric("box", "cutout", "higher", "share of the picture inside the figure's box"),
        Metric(
            "border_touch",
            "cutout",
            "lower",
            "share of the border that the figure touches: it is cropped there",
        ),
        Metric("holes", "cutout", "lower", "clear share of the inside of the figure"),
        Metric("stray", "cutout", "lower", "share of what is visible that hangs in the air"),
        Metric("parts", "cutout", "lower", "connected parts"),
        Metric(
            "softness",
            "cutout",
            "",
            "width of the edge at 512 px: 1 to 2 smooth, near 0 jagged, over 4 blurred",
            "px",
        ),
        Metric("halo", "cutout", "lower", "colour error of the half-transparent edge, 0 to 255"),
        Metric("haze", "cutout", "lower", "transparency of the inside"),
        Metric("legibility", "cutout", "higher", "share of light and dark that survives at 64 px"),
        Metric("bytes", "size", "lower", "size of the file", "B"),
        *(
            Metric(f"fits_{platform.name}", "size", "higher", platform.about)
            for platform in PLATFORMS
        ),
        Metric(
            "diversity",
            "set",
            "higher",
            "mean of 1 - cosine between pictures of one prompt",
            "",
            True,
        ),
        Metric(
            "duplicates",
            "set",
            "lower",
            "share of pictures that nearly repeat an earlier one",
            "",
            True,
        ),
        Metric("copies", "set", "lower", "share of pictures that are pixel-near to a reference"),
        Metric(
            "kernel_distance",
            "distance",
            "lower",
            "unbiased kernel distance to the references (features of length sqrt(D))",
            "",
            True,
        ),
        Metric(
            "frechet_distance", "distance", "lower", "Fréchet distance to the references", "", True
        ),
    )
}
GROUPS = tuple(dict.fromkeys(metric.group for metric in METRICS.values()))


@dataclass(frozen=True)
class Score:
    """A mean over pictures, with the interval that the bootstrap over prompts gives.

    Args:
        name: with "@encoder" where one was used.
        n: pictures, or prompts for what is measured once per prompt.
        prompts: groups that the bootstrap draws.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    prompts: int

    @property
    def metric(self) -> Metric:
        """What it measures."""
        return METRICS[self.name.partition("@")[0]]


def mean_score(name: str, values: Sequence[float], groups: Sequence[str]) -> Score:
    """The mean over prompts of a metric's values, one per picture."""
    means = group_means(values, groups)
    return Score(name, float(means.mean()), *interval(values, groups), len(values), len(means))


def set_score(name: str, value: float, n: int) -> Score:
    """A figure of a whole set, which has no interval."""
    return Score(name, value, value, value, n, 0)


def full_name(name: str, encoder: str) -> str:
    """ "alignment@judge"; cut-out figures carry no encoder."""
    return f"{name}@{encoder}" if METRICS[name].encoded else name


def is_worse(found: Score, limit: float) -> bool:
    """Whether a figure is on the wrong side of a limit: above it where lower is better, else below."""
    return found.value > limit if found.metric.better == "lower" else found.value < limit


def format_value(value: float, unit: str = "") -> str:
    """A figure for people: three digits that count."""
    if unit == "B":
        return f"{value / 1000:.1f} kB"
    value = 0.0 if abs(value) < 5e-4 else value  # no "-0.000"
    text = (
        f"{value:.0f}"
        if abs(value) >= 100
        else f"{value:.1f}"
        if abs(value) >= 10
        else f"{value:.3f}"
    )
    return f"{text} {unit}".strip()


def format_interval(low: float, high: float, unit: str = "") -> str:
    """An interval for people."""
    return f"{format_value(low, unit)} to {format_value(high, unit)}"


def scores_to_json(figures: Sequence[Score]) -> dict[str, Mapping[str, object]]:
    """The figures of a report file."""
    return {
        found.name: {
            "value": found.value,
            "low": found.low if found.prompts > 1 else None,
            "high": found.high if found.prompts > 1 else None,
            "n": found.n,
            "prompts": found.prompts,
            "better": found.metric.better,
            "about": found.metric.about,
            "unit": found.metric.unit,
        }
        for found in figures
    }
