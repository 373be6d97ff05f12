"""Proof (b): long prompts in four bins of length, read in several ways.

The prompts are of scenes of the list `dev`, with remarks that are in no training caption: those of
remarks.txt, or sentences of WordNet, which are in other people's words. The first judge looks for
the facts that a prompt says: things, what is worn, colours, numbers, the style. Their share counts
only where the thing is right; a relation, a place and a ground it cannot read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from examples.experiments.bench.bench_compare import interval_text
from examples.experiments.bench.bench_images import render_truth
from examples.experiments.bench.bench_items import Item, bench_world, synonyms
from examples.experiments.bench.bench_scores import (
    TOP_LABELS,
    expected_labels,
    has_style,
    is_coloured,
    is_counted,
    is_thing,
    label,
    read_pictures,
)
from examples.experiments.longalign.long_captions import (
    WINDOW,
    LongCaption,
    Source,
    long_caption,
)
from examples.experiments.longalign.pictures import Arm, Wish, draw_arm
from examples.experiments.longalign.scenes import FAMILY, SEED, VERSION, dev_truths
from stickerforge.evaluation.statistics import interval, paired_difference
from stickerforge.models.judge.model import Judge, load_judge
from stickerforge.models.judge.network import Readings

# Tokens of sticker-mini, at least and at most.
BINS = ((20, WINDOW), (76, 120), (121, 170), (171, 240))
PROMPTS = 240
FIRST_SEED = 1000


@dataclass(frozen=True)
class LongItem:
    """A long prompt, and what its picture is to show.

    Args:
        bin: "76-120".
    """

    item: Item
    caption: LongCaption
    bin: str

    @property
    def wish(self) -> Wish:
        """The picture to be drawn."""
        return Wish(self.item.id, self.item.prompt, self.item.seed)

    @property
    def named(self) -> str:
        """Whether the window holds the sentence that names the thing."""
        return "named late" if self.caption.named_at >= WINDOW else "named early"


def long_items(count: int = PROMPTS, source: Source = "own") -> list[LongItem]:
    """Prompts of other scenes each, the bins in turn; fewer are the first ones of more."""
    results = []
    for index, truth in enumerate(islice(dev_truths(3), count)):
        low, high = BINS[index % len(BINS)]
        rng = np.random.default_rng((SEED, 3, index))
        caption = long_caption(truth, rng, part="evaluation", source=source, tokens=(low, high))
        name, others = f"long-{index:03d}", synonyms(truth.things[0].subject.name, VERSION)
        item = Item(name, FAMILY, caption.text, FIRST_SEED + index, name, truth, others)
        results.append(LongItem(item, caption, f"{low}-{high}"))
    return results


def fact_scores(entry: LongItem, read: Readings, row: int, judge: Judge) -> dict[str, float]:
    """{fact: 1 where the judge reads it, else 0} of those that the prompt says."""
    item, facts = entry.item, entry.caption.facts
    things, expected = item.truth.things, expected_labels(item, judge)
    likeliest = read.presence[row].topk(TOP_LABELS[FAMILY] + len(expected) - 1).indices.tolist()
    checks: dict[str, Callable[[], bool]] = {
        "second thing": lambda: label(things[1].subject.name, judge) in likeliest,
        "worn": lambda: label(things[0].wears, judge) in likeliest,
        "number": lambda: is_counted(item, read, row),
        "style": lambda: has_style(item, read, row, judge),
    }
    if things[0].colour:
        checks["colour"] = lambda: is_coloured(item, read, row, judge)
    results = {"thing": float(is_thing(item, read, row, judge))}
    return results | {name: float(check()) for name, check in checks.items() if name in facts}


def facts_with_thing(scores: Mapping[str, float]) -> float:
    """The share of facts that hold; 0 where the thing is wrong."""
    return float(np.mean(list(scores.values()))) if scores["thing"] else 0.0


def score_renders(entries: Sequence[LongItem], judge: Judge) -> list[dict[str, float]]:
    """`fact_scores` of what a perfect generator would have made, which is the most there can be."""
    scenes = bench_world(VERSION)
    return score_pictures(entries, [render_truth(entry.item, scenes) for entry in entries], judge)


def score_pictures(
    entries: Sequence[LongItem], pictures: Sequence[Image.Image], judge: Judge
) -> list[dict[str, float]]:
    """`fact_scores` of the picture of each prompt."""
    read = read_pictures(pictures, judge)
    return [fact_scores(entry, read, row, judge) for row, entry in enumerate(entries)]


def split_rows(entries: Sequence[LongItem]) -> dict[str, list[int]]:
    """{name of a part: rows}: all, the bins, and where the thing is named."""
    results = {"all": list(range(len(entries)))}
    for row, entry in enumerate(entries):
        results.setdefault(entry.bin, []).append(row)
    for name in ("named early", "named late"):
        results[name] = [row for row, entry in enumerate(entries) if entry.named == name]
    return {name: rows for name, rows in results.items() if rows}


def arm_record(scores: Sequence[Mapping[str, float]], splits: Mapping[str, list[int]]) -> Any:
    """{part: {"facts": [mean, low, high], "thing": share, "prompts": how many}} of an arm."""
    values = [facts_with_thing(each) for each in scores]
    results = {}
    for name, rows in splits.items():
        own = [values[row] for row in rows]
        spread = interval(own, [str(row) for row in rows]) or (None, None)
        thing = float(np.mean([scores[row]["thing"] for row in rows]))
        results[name] = {"facts": [float(np.mean(own)), *spread], "thing": thing}
        results[name]["prompts"] = len(rows)
    return results


def measure_family(
    arms: Sequence[Arm], count: int, out: Path, source: Source = "own"
) -> dict[str, Any]:
    """What every arm's pictures show, and the paired differences to the first arm."""
    entries, judge = long_items(count, source), load_judge("judge")
    splits = split_rows(entries)
    wishes = [entry.wish for entry in entries]
    scores = {}
    for arm in arms:
        pictures = [Image.open(path).convert("RGBA") for path in draw_arm(arm, wishes, out)]
        scores[arm.name] = score_pictures(entries, pictures, judge)
    first = arms[0].name
    values = {name: np.array([facts_with_thing(s) for s in own]) for name, own in scores.items()}
    return {
        "prompts": len(entries),
        "remarks": source,
        "judge": judge.sha256,
        "base": first,
        "renders": arm_record(score_renders(entries, judge), splits),
        "arms": {name: arm_record(own, splits) for name, own in scores.items()},
        "differences": {
            name: {
                part: paired_difference(own[rows] - values[first][rows])
                for part, rows in splits.items()
            }
            for name, own in values.items()
            if name != first
        },
        "items": [
            {
                "id": entry.item.id,
                "tokens": entry.caption.tokens,
                "named_at": entry.caption.named_at,
                "facts": entry.caption.facts,
                "prompt": entry.item.prompt,
                "scores": {name: own[row] for name, own in scores.items()},
            }
            for row, entry in enumerate(entries)
        ],
    }


def table(record: Mapping[str, Any]) -> list[str]:
    """The lines of a Markdown table: facts with the right thing, and differences in points."""
    arms, base = list(record["arms"]), record["base"]
    others = [name for name in arms if name != base]
    heads = ["renders", *arms, *(f"{name} - {base}" for name in others)]
    lines = [f"| prompts | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    for part, row in record["arms"][base].items():
        found = [record["renders"], *(record["arms"][name] for name in arms)]
        cells = [f"{100 * each[part]['facts'][0]:.1f} %" for each in found]
        for name in others:
            change = record["differences"][name][part]
            spread = interval_text(change["low"], change["high"], "+")
            cells.append(f"{100 * change['change']:+.1f} ({spread})")
        lines.append(f"| {part} ({row['prompts']}) | {' | '.join(cells)} |")
    return lines
