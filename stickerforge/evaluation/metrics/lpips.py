"""LPIPS between pictures of one prompt, and between them and the baseline's."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from stickerforge.evaluation.features import reload_image
from stickerforge.evaluation.metrics.base import MetricInput, NotMeasured, metric
from stickerforge.evaluation.prompt_matching import match_baseline

COMPARED = 5  # pictures of one prompt that are compared with each other


@dataclass(frozen=True)
class LpipsDistances:
    """Mean LPIPS by prompt.

    Args:
        within: between the first pictures of a prompt, where there are several.
        to_baseline: between its pictures and those of the baseline beside them.
    """

    within: dict[str, float]
    to_baseline: dict[str, float]


@metric(
    "lpips_diversity",
    group="reward",
    better="higher",
    about="mean LPIPS between pictures of one prompt",
    weights="lpips",
    encoded=True,
)
def lpips_diversity(data: MetricInput) -> dict[str, float]:
    """By prompt, of those that have several pictures."""
    distances = data.once(lpips_distances)
    if not distances.within and not distances.to_baseline:
        raise NotMeasured("no prompt has two pictures, and there is no baseline")
    return distances.within


@metric(
    "lpips_drift",
    group="reward",
    better="lower",
    about="mean LPIPS to the baseline's pictures of the same prompt",
    needs=("baseline",),
    weights="lpips",
    encoded=True,
)
def lpips_drift(data: MetricInput) -> dict[str, float]:
    """By prompt, of those that the baseline has too."""
    return data.once(lpips_distances).to_baseline


def lpips_distances(data: MetricInput) -> LpipsDistances:
    """Both kinds of distances in one pass, so that each picture goes through the network once."""
    model = data.models.lpips()
    beside = match_baseline(
        data.targets["pictures"],
        data.pictures,
        data.targets.get("baseline", []),
        data.sets.get("baseline", []),
    )
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(data.keys):
        rows.setdefault(key, []).append(row)
    result = LpipsDistances({}, {})
    with data.console.progress("lpips", len(data.pictures)) as advance:
        for key, numbers in rows.items():
            compared = []  # features are large: no more of them at once than are compared
            drifts = []
            for place, row in enumerate(numbers):
                other, is_compared = beside[row], len(numbers) > 1 and place < COMPARED
                if not is_compared and other is None:
                    continue
                image = reload_image(data.pictures[row], data.failed)
                if image is None:
                    continue
                ours = model.features(image)
                if is_compared:
                    compared.append(ours)
                if other and (theirs := reload_image(other, data.failed)):
                    drifts.append(model.distance(ours, model.features(theirs)))
            if len(compared) > 1:
                pairs = [model.distance(one, two) for one, two in combinations(compared, 2)]
                result.within[key] = float(np.mean(pairs))
            if drifts:
                result.to_baseline[key] = float(np.mean(drifts))
            advance(len(numbers))
    return result
