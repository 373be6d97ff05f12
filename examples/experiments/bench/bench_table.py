"""The figures of StickerBench: means over prompts, beside those of real renders and of chance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_grey import grey_scores
from examples.experiments.bench.bench_images import render_truth
from examples.experiments.bench.bench_items import Item
from examples.experiments.bench.bench_scores import (
    chance_levels,
    other_rows,
    pairwise_diversity,
    read_pictures,
    score_pictures,
)
from examples.experiments.bench.finished_styles import finished_scores, style_scores
from examples.experiments.bench.grey_style import GreyStyle
from examples.recipes.mini.world import World
from stickerforge.evaluation.statistics import group_means, interval
from stickerforge.models.judge.model import Judge

BLANK = Image.new("RGBA", (64, 64))  # a picture that is missing
Figure = dict[str, float | None]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        made: scores of generated pictures by id, or by group where groups are scored as a whole.
        real: those of real renders.
        groups: the group of each id.
        chance: the mean score of pictures of other prompts, generated ones, too; None for none.
    """

    made: Mapping[str, float]
    real: Mapping[str, float]
    groups: Mapping[str, str]
    chance: float | None

    def figure(self) -> Figure:
        """What is reported: means over groups."""
        ids = list(self.made)
        names = [self.groups[each] for each in ids]
        values = [self.made[each] for each in ids]
        made = group_means(values, names)
        real = group_means([self.real[each] for each in ids], names)
        low, high = interval(values, names, passes=True) or (None, None)
        record: Figure = {
            "made": float(made.mean()),
            "low": low,
            "high": high,
            "chance": self.chance,
            "real": float(real.mean()),
            "prompts": len(made),
            "pictures": len(ids),
        }
        return {key: None if value is None else round(value, 4) for key, value in record.items()}


OpenPicture = Callable[[Item], Image.Image | None]


def score_table(
    items: Sequence[Item],
    open_picture: OpenPicture,
    judge: Judge,
    scenes: World,
    version: int = 2,
    grey: GreyStyle | None = None,
) -> dict[str, Row]:
    """Every row of StickerBench; a picture that is missing counts as one that shows nothing.

    Args:
        grey: reads the style of single pictures a second time, without colours.
    """
    rows: dict[str, Row] = {}
    for family in dict.fromkeys(item.family for item in items):
        those = [item for item in items if item.family == family]
        made = [open_picture(item) or BLANK for item in those]
        real = [render_truth(item, scenes) for item in those]
        score = diversity_rows if family == "diversity" else family_rows
        rows |= score(those, made, real, judge, version)
        rows |= finished_rows(those, made, real, judge) if family == "single" else {}
        rows |= grey_rows(those, made, real, grey) if family == "single" and grey else {}
    return rows


def family_rows(
    items: Sequence[Item],
    made: Sequence[Image.Image],
    real: Sequence[Image.Image],
    judge: Judge,
    version: int = 2,
) -> dict[str, Row]:
    """The rows of a family whose pictures are scored one by one."""
    groups = {item.id: item.group for item in items}
    read = read_pictures(made, judge)
    chance = chance_levels(items, read, judge)
    ours = score_pictures(items, read, judge)
    best = score_pictures(items, read_pictures(real, judge), judge)
    return {
        f"{items[0].family}: {name}": Row(ours[name], best[name], groups, chance.get(name))
        for name in ours
    }


def finished_rows(
    items: Sequence[Item],
    made: Sequence[Image.Image],
    real: Sequence[Image.Image],
    judge: Judge,
) -> dict[str, Row]:
    """What finishing does for the styles without shading: the same pictures in three ways."""
    scores, chances = finished_scores(items, made, judge)
    best = style_scores(items, read_pictures(real, judge), judge)
    groups = {item.id: item.group for item in items}
    return {
        f"single: flat style, {name}": Row(own, best, groups, chances.get(name))
        for name, own in scores.items()
    }


def grey_rows(
    items: Sequence[Item],
    made: Sequence[Image.Image],
    real: Sequence[Image.Image],
    grey: GreyStyle,
) -> dict[str, Row]:
    """Style once more, where no palette decides; real renders are the most that can be had."""
    ours, chance = grey_scores(items, made, grey)
    best, _ = grey_scores(items, real, grey)
    return {"single: style in grey": Row(ours, best, {i.id: i.group for i in items}, chance)}


def diversity_rows(
    items: Sequence[Item],
    made: Sequence[Image.Image],
    real: Sequence[Image.Image],
    judge: Judge,
    version: int = 2,
) -> dict[str, Row]:
    """The row of the family whose pictures are scored by prompt."""
    found = []
    for pictures in (made, real):
        read = read_pictures(pictures, judge)
        vectors = judge.encode_image(judge.pictures(pictures)).numpy()
        orders = [list(range(len(items)))]
        orders += other_rows([item.group for item in items]) if pictures is made else []
        found.append(
            [pairwise_diversity(items, rows, vectors, read, judge, version) for rows in orders]
        )
    (ours, *others), (best,) = found
    chance = float(np.mean([list(each.values()) for each in others])) if others else None
    return {"diversity": Row(ours, best, {name: name for name in ours}, chance)}


def print_table(figures: Mapping[str, Figure]) -> None:
    """Print the table; shares in percent."""
    print(f"{'':36}{'made':>8}   {'95 % interval':20}{'chance':>8}{'real':>8}  prompts")
    for name, row in figures.items():
        spread = "-"
        if row["low"] is not None:
            spread = f"{row['low']:.1%} to {row['high']:.1%}"
        chance = "-" if row["chance"] is None else f"{row['chance']:.1%}"
        print(
            f"{name:36}{row['made']:>8.1%}   {spread:20}{chance:>8}{row['real']:>8.1%}"
            f"  {row['prompts']:.0f}",
            flush=True,
        )
