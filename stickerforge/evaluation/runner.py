"""From what was measured of single pictures to the figures of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stickerforge.config.schema import EvaluateConfig
from stickerforge.errors import InputError
from stickerforge.evaluation.image_set import ImageFeatures
from stickerforge.evaluation.limits import NEEDS
from stickerforge.evaluation.metrics import distances as set_distances
from stickerforge.evaluation.metrics import similarity
from stickerforge.evaluation.metrics.base import (
    GROUPS,
    METRICS,
    Score,
    full_name,
    mean_score,
    set_score,
)
from stickerforge.evaluation.metrics.prompt_claims import Claims, parse_claims, vocabulary
from stickerforge.evaluation.prompt_matching import TargetPrompt
from stickerforge.stickers.platforms import PLATFORMS

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder
    from stickerforge.models.judge.model import Judge

SETS = Mapping[str, list[ImageFeatures]]
COPY = 0.05  # root mean square difference at 32 px below which a picture counts as a copy
SEEN = 0.2  # chance from which the judge counts as having seen a thing or a colour
FEWEST = {
    "kernel_distance": 20,
    "frechet_distance": 4,
}  # pictures in either set; the second one times the number of features
PAIRED = {
    "alignment",
    "facts",
    "subject_similarity",
    "style_similarity",
    "halo",
    "holes",
    "stray",
    "haze",
    "legibility",
}


@dataclass
class ScoreTable:
    """Everything that was computed.

    Args:
        values: of each picture by metric, (N,), NaN where one has none.
        paired: differences to the baseline by metric.
        refused: what was not computed, and why.
        weights: digests of the models that figures come from, where it is not the encoder.
    """

    figures: list[Score] = field(default_factory=list)
    values: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    paired: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    weights: dict[str, str] = field(default_factory=dict)

    def sort(self) -> None:
        """Bring the figures into the order of METRICS."""
        order = list(METRICS)
        self.figures.sort(key=lambda found: order.index(found.metric.name))


def unmeasured_metrics(config: EvaluateConfig, table: ScoreTable) -> list[str]:
    """A line for each metric that was named and could not be computed."""
    have = {found.metric.name for found in table.figures} | {
        line.partition(":")[0] for line in table.refused
    }
    named = [name for name in METRICS if name in metric_names(config.metrics) and name not in have]
    return [f"{name}: needs {NEEDS.get(METRICS[name].group, 'other pictures')}" for name in named]


PAIRED |= {f"fits_{platform.name}" for platform in PLATFORMS}


def metric_names(asked: Sequence[str]) -> set[str]:
    """The metrics that --metrics means: names, or groups of them; all without.

    Raises:
        InputError: something is neither.
    """
    found = set()
    for name in (part.strip() for text in asked for part in text.split(",") if part.strip()):
        if name not in METRICS and name not in GROUPS:
            close = get_close_matches(name, [*GROUPS, *METRICS], 1)
            hint = f"did you mean {close[0]!r}?" if close else f"groups are {', '.join(GROUPS)}"
            raise InputError(f"unknown metric {name!r}", hint)
        found |= (
            {name}
            if name in METRICS
            else {metric.name for metric in METRICS.values() if metric.group == name}
        )
    return found or set(METRICS)


def score_sets(
    sets: SETS,
    asked: Mapping[str, Sequence[TargetPrompt]],
    used: "Encoder",
    wanted: set[str],
    *,
    allow_small: bool,
) -> ScoreTable:
    """Every figure that can be had of these sets.

    Args:
        asked: what each of the "pictures", and of the "baseline" where there is one, was to show.
    """
    table, groups = ScoreTable(), [wish.key for wish in asked["pictures"]]
    table.values = per_picture(sets, [wish.text for wish in asked["pictures"]], used, wanted)
    if (
        "alignment" in wanted
        and not used.reads_text
        and any(wish.text for wish in asked["pictures"])
    ):
        table.refused.append(f"alignment: {used.name} reads no text")
    for name, values in table.values.items():
        known = np.flatnonzero(~np.isnan(values))
        if len(known):
            table.figures.append(
                mean_score(name, values[known].tolist(), [groups[i] for i in known])
            )
    of_sets(table, sets, groups, used, wanted)
    distances(table, sets, used, wanted, allow_small=allow_small)
    if "baseline" in sets:
        from stickerforge.evaluation.baseline import compare_to_baseline

        compare_to_baseline(table, sets, asked, used, wanted)
    return table


def per_picture(
    sets: SETS, prompts: Sequence[str], used: "Encoder", wanted: set[str]
) -> dict[str, NDArray[np.float64]]:
    """One value for each picture by metric, NaN where it has none."""
    pictures, found = sets["pictures"], {}
    if "alignment" in wanted and used.reads_text and any(prompts):
        found[full_name("alignment", used.name)] = alignments(pictures, prompts, used)
    if "facts" in wanted and any(prompts) and len(pictures[0].read):
        found[full_name("facts", used.name)] = facts(pictures, prompts, used.judge)  # type: ignore[attr-defined]
    if "reference" in sets:
        mean, best = similarity.to_references(
            stack(pictures, "foreground"), stack(sets["reference"], "foreground")
        )
        named = {"subject_similarity": mean, "subject_best": best}
        found |= {
            full_name(name, used.name): values for name, values in named.items() if name in wanted
        }
    if "style_reference" in sets and "style_similarity" in wanted:
        mean, _ = similarity.to_references(
            stack(pictures, "whole"), stack(sets["style_reference"], "whole")
        )
        found[full_name("style_similarity", used.name)] = mean
    found |= {
        name: np.array([item.cutout[name] for item in pictures])
        for name in pictures[0].cutout
        if name in wanted
    }
    if "bytes" in wanted:
        found["bytes"] = np.array([float(item.size) for item in pictures])
    for platform in PLATFORMS:
        if (name := f"fits_{platform.name}") in wanted:
            found[name] = np.array(
                [float(platform.takes(item.form, item.pixels, item.size)) for item in pictures]
            )
    return found


def stack(items: Sequence[ImageFeatures], which: str) -> NDArray[np.float32]:
    """(N, D)."""
    return np.stack([getattr(item, which) for item in items])


def alignments(
    pictures: Sequence[ImageFeatures], prompts: Sequence[str], used: "Encoder"
) -> NDArray[np.float64]:
    """Cosine of each picture with its prompt; of a prompt of several sentences the mean over them (LongAlign, arXiv:2410.11817)."""
    parts = {prompt: similarity.segments(prompt) for prompt in prompts if prompt}
    texts = list(dict.fromkeys(part for own in parts.values() for part in own))
    vectors = dict(
        zip(
            texts,
            np.concatenate([used.texts(texts[i : i + 64]) for i in range(0, len(texts), 64)]),
            strict=True,
        )
    )
    return np.array(
        [
            np.mean([float(item.whole @ vectors[part]) for part in parts[prompt]])
            if prompt
            else np.nan
            for item, prompt in zip(pictures, prompts, strict=True)
        ]
    )


def facts(
    pictures: Sequence[ImageFeatures], prompts: Sequence[str], judge: "Judge"
) -> NDArray[np.float64]:
    """Share of the claims of each prompt that the judge sees; NaN where a prompt claims nothing that it knows."""
    names = vocabulary(judge.label_of)
    claims = {
        prompt: parse_claims(prompt, names, judge.colours, judge.styles)
        for prompt in dict.fromkeys(prompts)
    }
    found = []
    for item, prompt in zip(pictures, prompts, strict=True):
        seen = check_claims(item, claims[prompt], judge)
        found.append(float(np.mean(seen)) if seen else np.nan)
    return np.array(found)


def check_claims(item: ImageFeatures, claims: Claims, judge: "Judge") -> list[bool]:
    """Whether each claim is true of a picture, as the judge sees it."""
    ends = np.cumsum([len(judge.labels), len(judge.styles), len(judge.colours)])
    things, styles, colours, counts = np.split(item.read, ends)
    seen = [bool(things[judge.labels.index(thing)] >= SEEN) for thing in claims.things]
    seen += [bool(colours[judge.colours.index(colour)] >= SEEN) for colour in claims.colours]
    if claims.count:
        seen.append(int(counts.argmax()) + 1 == claims.count)
    if claims.style:
        seen.append(judge.styles[int(styles.argmax())] == claims.style)
    return seen


def of_sets(
    table: ScoreTable, sets: SETS, groups: Sequence[str], used: "Encoder", wanted: set[str]
) -> None:
    """What only several pictures have."""
    features = stack(sets["pictures"], "whole")
    if "diversity" in wanted and (spread := similarity.diversity(features, groups)):
        name = full_name("diversity", used.name)
        table.figures.append(mean_score(name, list(spread.values()), list(spread)))
    if "duplicates" in wanted and len(features) > 1:
        repeated = similarity.near_duplicates(features)
        table.figures.append(
            mean_score(full_name("duplicates", used.name), repeated.astype(float).tolist(), groups)
        )
    if "copies" in wanted and (
        roles := [role for role in ("reference", "style_reference") if role in sets]
    ):
        small, others = (
            stack(sets["pictures"], "small"),
            np.concatenate([stack(sets[role], "small") for role in roles]),
        )
        near = [float(np.sqrt(np.square(others - row).mean(1)).min() < COPY) for row in small]
        table.figures.append(mean_score("copies", near, groups))


def distances(
    table: ScoreTable, sets: SETS, used: "Encoder", wanted: set[str], *, allow_small: bool
) -> None:
    """How far the whole set is from another; refused for sets that are too small to say."""
    role = next((role for role in ("style_reference", "reference") if role in sets), "")
    if not role:
        return
    ours, theirs = stack(sets["pictures"], "whole"), stack(sets[role], "whole")
    fewest = {
        "kernel_distance": FEWEST["kernel_distance"],
        "frechet_distance": FEWEST["frechet_distance"] * ours.shape[1],
    }
    for name, function in (
        ("kernel_distance", set_distances.kernel_distance),
        ("frechet_distance", set_distances.frechet_distance),
    ):
        have = min(len(ours), len(theirs))
        if name not in wanted:
            continue
        if have < 2 or (have < fewest[name] and not allow_small):
            hint = "" if have < 2 else "; --set allow_small=true gives it nevertheless"
            table.refused.append(
                f"{name}: {have} pictures are too few, {fewest[name]} would do{hint}"
            )
            continue
        size = (
            ours.shape[1] ** 0.5 if name == "kernel_distance" else 1.0
        )  # its kernel is meant for features of that length, ours have 1
        found = set_score(
            full_name(name, used.name), function(size * ours, size * theirs), len(ours)
        )
        table.figures.append(found)
        if (
            name == "kernel_distance"
        ):  # not to be compared with one of features of length 1, as it was
            table.weights[found.name] = f"{used.digest}, length sqrt(D)"
