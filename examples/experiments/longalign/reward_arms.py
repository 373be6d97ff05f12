"""Proof (c): what adapters that were tuned by reward gained, drifted, and lost of their variety.

Each is drawn for the same long prompts and seeds as what it began from, and measured by the first
judge, while the second taught. Since another weight takes another number of steps to one gain,
states along each run are drawn, and the runs compared at the largest gain of the text-relevant
reward that all of them reached.

Shapes: N pictures, D features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from examples.experiments.longalign.long_family import long_items
from examples.experiments.longalign.pictures import Arm, Wish, draw_arm
from stickerforge.evaluation.metrics.diversity import prompt_diversity
from stickerforge.evaluation.statistics import paired_difference
from stickerforge.models.common_direction import direction_path, read_direction
from stickerforge.models.encoders import JudgeEncoder, encode_texts
from stickerforge.models.judge.model import load_judge
from stickerforge.objectives.preference import preference
from stickerforge.stickers.color import WHITE

PROMPTS, SEEDS = 48, 4
MEASURES = ("relevant", "full", "drift", "diversity")
REFERENCE_WEIGHT = "0.3"

Values = dict[str, np.ndarray]  # {measure: a value for each prompt}


@dataclass(frozen=True)
class RewardRun:
    """A run of training by reward.

    Args:
        weight: of the text-irrelevant part, as it is written.
        states: its adapters, the last one at its end.
    """

    weight: str
    states: tuple[Arm, ...]

    @property
    def name(self) -> str:
        """That of its last state."""
        return self.states[-1].name


def value_at(rows: Sequence[Mapping[str, float]], value: float, name: str) -> float:
    """What a curve says where "relevant" first reaches a value, between two states if need be."""
    for before, row in zip(rows, rows[1:], strict=False):
        if row["relevant"] >= value:
            share = (value - before["relevant"]) / (row["relevant"] - before["relevant"])
            return float(before[name] + share * (row[name] - before[name]))
    return float(rows[-1][name])


def equal_gain(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """What every run had come to where "relevant" was the largest that all of them reached.

    Args:
        curves: of each run MEASURES of its states, the first one that which it began from.

    Returns:
        {} where one of them never gained anything.
    """
    value = min(max(row["relevant"] for row in rows) for rows in curves.values())
    if any(value <= rows[0]["relevant"] for rows in curves.values()):
        return {}
    return {
        "relevant": value,
        "runs": {
            name: {key: value_at(rows, value, key) for key in MEASURES}
            for name, rows in curves.items()
        },
    }


def premultiplied(picture: Image.Image) -> np.ndarray:
    """float32 (H, W, 4) in [0, 1]."""
    planes = np.asarray(picture.convert("RGBA"), np.float32) / 255
    return np.concatenate([planes[..., :3] * planes[..., 3:], planes[..., 3:]], -1)


class Measurement:
    """Measures the pictures of an arm against those of the model alone."""

    def __init__(self, wishes: Sequence[Wish], keys: Sequence[str], base: Sequence[Path]) -> None:
        """Args:
        keys: the prompt of each picture.
        base: pictures of the model alone.
        """
        self.encoder, self.keys = JudgeEncoder(load_judge("judge")), keys
        self.base = [premultiplied(Image.open(path)) for path in base]
        self.texts = torch.from_numpy(encode_texts(self.encoder, [each.prompt for each in wishes]))
        self.direction = read_direction(direction_path("judge")).tensor

    def by_prompt(self, values: np.ndarray) -> np.ndarray:
        """The mean of each prompt's pictures."""
        keys = np.array(self.keys)
        return np.array([values[keys == key].mean() for key in dict.fromkeys(self.keys)])

    @torch.inference_mode()
    def measure(self, paths: Sequence[Path]) -> Values:
        """MEASURES, a value for each prompt."""
        pictures = [Image.open(path).convert("RGBA") for path in paths]
        features = np.concatenate(
            [self.encoder.images(pictures[at : at + 64], WHITE) for at in range(0, len(paths), 64)]
        )
        rewards = preference(torch.from_numpy(features), self.texts, self.direction, 1.0)
        drifts = [
            np.square(premultiplied(picture) - base).mean() ** 0.5
            for picture, base in zip(pictures, self.base, strict=True)
        ]
        return {
            "relevant": self.by_prompt(rewards.relevant.numpy()),
            "full": self.by_prompt(rewards.score.numpy()),
            "drift": self.by_prompt(np.array(drifts)),
            "diversity": np.array(list(prompt_diversity(features, self.keys).values())),
        }


def measure_rewards(
    runs: Sequence[RewardRun], base_arm: Arm, out: Path, prompts: int = PROMPTS, seeds: int = SEEDS
) -> dict[str, Any]:
    """What the pictures of runs show, weights against each other, and the logs at equal gain.

    Args:
        base_arm: what the runs began from.
    """
    items = [entry.wish for entry in long_items(prompts)]
    wishes = [
        replace(wish, id=f"{wish.id}-{seed}", seed=wish.seed * 100 + seed)
        for wish in items
        for seed in range(seeds)
    ]
    keys = [wish.prompt for wish in wishes]
    base_paths = draw_arm(base_arm, wishes, out)
    measurement = Measurement(wishes, keys, base_paths)
    base = measurement.measure(base_paths)
    states = {
        run.name: [measurement.measure(draw_arm(arm, wishes, out)) for arm in run.states]
        for run in runs
    }
    values = {name: own[-1] for name, own in states.items()}
    return {
        "prompts": prompts,
        "seeds": seeds,
        "base": means(base),
        "runs": {
            run.name: {"weight": run.weight} | against(values[run.name], base) for run in runs
        },
        "weights": compare_weights(runs, values),
        "equal_gain": equal_gain(
            {name: [means(each) for each in (base, *own)] for name, own in states.items()}
        ),
    }


def means(values: Values) -> dict[str, float]:
    """{measure: its mean over the prompts}."""
    return {name: float(found.mean()) for name, found in values.items()}


def against(ours: Values, theirs: Values) -> dict[str, Any]:
    """{measure: see `paired_difference`}, with the mean of ours as "mean"."""
    return {
        name: {"mean": float(ours[name].mean())} | paired_difference(ours[name] - theirs[name])
        for name in MEASURES
    }


def compare_weights(runs: Sequence[RewardRun], values: Mapping[str, Values]) -> dict[str, Any]:
    """{weight: see `against`} of the other weights against 0.3, each the mean of its runs."""
    by_weight: dict[str, Values] = {}
    for weight in dict.fromkeys(run.weight for run in runs):
        own = [values[run.name] for run in runs if run.weight == weight]
        by_weight[weight] = {name: np.mean([each[name] for each in own], 0) for name in MEASURES}
    reference = by_weight.get(REFERENCE_WEIGHT)
    if reference is None:
        return {}
    others = {weight: own for weight, own in by_weight.items() if weight != REFERENCE_WEIGHT}
    return {weight: against(own, reference) for weight, own in others.items()}


def spread(row: Mapping[str, Any]) -> str:
    """The interval of a difference."""
    return "-" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"


def table(record: Mapping[str, Any]) -> list[str]:
    """The lines of three Markdown tables: pictures, runs at equal gain, weights against 0.3."""
    head = [f"{' | '.join(MEASURES)} |", "--- |" * len(MEASURES)]
    lines = [f"| run | w | {head[0]}", f"| --- | --- |{head[1]}"]
    base = [f"{record['base'][name]:.4f}" for name in MEASURES]
    lines.append(f"| before | | {' | '.join(base)} |")
    for name, run in record["runs"].items():
        cells = [f"{run[measure]['mean']:.4f} ({spread(run[measure])})" for measure in MEASURES]
        lines.append(f"| {name} | {run['weight']} | {' | '.join(cells)} |")
    if found := record["equal_gain"]:
        lines += ["", f"Where relevant is {found['relevant']:.4f}:", ""]
        lines += [f"| run | w | {head[0]}", f"| --- | --- |{head[1]}"]
        for name, row in found["runs"].items():
            cells = [f"{row[key]:.4f}" for key in MEASURES]
            lines.append(f"| {name} | {record['runs'][name]['weight']} | {' | '.join(cells)} |")
    if weights := record["weights"]:
        lines += ["", f"| w against {REFERENCE_WEIGHT} | {head[0]}", f"| --- |{head[1]}"]
        for weight, own in weights.items():
            cells = [f"{own[name]['change']:+.4f} ({spread(own[name])})" for name in MEASURES]
            lines.append(f"| {weight} | {' | '.join(cells)} |")
    return lines
