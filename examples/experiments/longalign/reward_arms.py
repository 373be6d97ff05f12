"""Proof (c): what adapters that were tuned by reward gained, drifted, and lost of their variety.

Each is drawn for the same long prompts and seeds as the model alone, and measured by the first
judge, while the second taught. Since another weight takes another number of steps to one gain, the
logs of the runs are compared at the largest gain of the text-relevant reward that all of them
reached.

Shapes: N pictures, D features.
"""

import json
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
LOGGED = ("drift", "diversity", "diversity_change", "irrelevant", "alignment")
REFERENCE_WEIGHT = "0.3"

Values = dict[str, np.ndarray]  # {measure: a value for each prompt}


@dataclass(frozen=True)
class RewardRun:
    """An adapter that was tuned by reward.

    Args:
        weight: of the text-irrelevant part, as it is written.
        log: its JSON lines, one for each validation, with "step" and "relevant"; None without.
    """

    weight: str
    arm: Arm
    log: Path | None = None


def read_log(path: Path) -> list[dict[str, float]]:
    """The validations of a run in order of their steps; a last line that is broken is left out."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row.get("step"), int) and row.get("relevant") is not None:
            rows.append(row)
    return sorted(rows, key=lambda row: row["step"])


def value_at(rows: Sequence[Mapping[str, float]], gain: float, name: str) -> float | None:
    """What a log says where "relevant" first reaches a value, between two validations if need be.

    Args:
        gain: the value of "relevant".

    Returns:
        None where it is never reached, or the log does not say.
    """
    known = [row for row in rows if row.get(name) is not None]
    for before, row in zip([None, *known], known, strict=False):
        if row["relevant"] < gain:
            continue
        if before is None or row["relevant"] == before["relevant"]:
            return float(row[name])
        share = (gain - before["relevant"]) / (row["relevant"] - before["relevant"])
        return float(before[name] + share * (row[name] - before[name]))
    return None


def equal_gain(logs: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """What every run had lost where "relevant" was the largest that all of them reached.

    Where a log begins with step 0, its validations are compared by their gain over it.
    """
    curves = {}
    for name, rows in logs.items():
        start = rows[0]["relevant"] if rows and rows[0]["step"] == 0 else 0.0
        curves[name] = [dict(row) | {"relevant": row["relevant"] - start} for row in rows]
    reached = [max(row["relevant"] for row in rows) for rows in curves.values() if rows]
    if not reached:
        return {}
    gain = min(reached)
    return {
        "relevant": gain,
        "runs": {
            name: {key: value_at(rows, gain, key) for key in ("step", *LOGGED)}
            for name, rows in curves.items()
            if rows
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
        base_arm: the model alone, reading prompts as the runs do, or the way to read shows as
            drift, too.
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
    values = {run.arm.name: measurement.measure(draw_arm(run.arm, wishes, out)) for run in runs}
    return {
        "prompts": prompts,
        "seeds": seeds,
        "read": base_arm.name,
        "base": {name: float(found.mean()) for name, found in base.items()},
        "runs": {
            run.arm.name: {"weight": run.weight} | against(values[run.arm.name], base)
            for run in runs
        },
        "weights": compare_weights(runs, values),
        "equal_gain": equal_gain({run.arm.name: read_log(run.log) for run in runs if run.log}),
    }


def against(ours: Values, theirs: Values) -> dict[str, Any]:
    """{measure: see `paired_difference`}, with the mean of ours as "mean"."""
    return {
        name: {"mean": float(ours[name].mean())} | paired_difference(ours[name] - theirs[name])
        for name in MEASURES
    }


def compare_weights(runs: Sequence[RewardRun], values: Mapping[str, Values]) -> dict[str, Any]:
    """{weight: see `against`} of the other weights against 0.3, each the mean of its runs."""
    means: dict[str, Values] = {}
    for weight in dict.fromkeys(run.weight for run in runs):
        own = [values[run.arm.name] for run in runs if run.weight == weight]
        means[weight] = {name: np.mean([each[name] for each in own], 0) for name in MEASURES}
    reference = means.get(REFERENCE_WEIGHT)
    if reference is None:
        return {}
    others = {weight: own for weight, own in means.items() if weight != REFERENCE_WEIGHT}
    return {weight: against(own, reference) for weight, own in others.items()}


def spread(row: Mapping[str, Any]) -> str:
    """The interval of a difference to the model alone."""
    return "-" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"


def table(record: Mapping[str, Any]) -> list[str]:
    """The lines of two Markdown tables: the pictures, and the logs at equal gain."""
    lines = [f"| run | w | {' | '.join(MEASURES)} |", "| --- | --- |" + " --- |" * len(MEASURES)]
    base = [f"{record['base'][name]:.4f}" for name in MEASURES]
    lines.append(f"| model alone | | {' | '.join(base)} |")
    for name, run in record["runs"].items():
        cells = [f"{run[measure]['mean']:.4f} ({spread(run[measure])})" for measure in MEASURES]
        lines.append(f"| {name} | {run['weight']} | {' | '.join(cells)} |")
    found = record["equal_gain"]
    if not found:
        return lines
    names = ("step", *LOGGED)
    lines += ["", f"Where the text-relevant reward is {found['relevant']:.4f}:", ""]
    lines += [f"| run | w | {' | '.join(names)} |", "| --- | --- |" + " --- |" * len(names)]
    for name, row in found["runs"].items():
        cells = ["-" if row[key] is None else f"{row[key]:.4g}" for key in names]
        lines.append(f"| {name} | {record['runs'][name]['weight']} | {' | '.join(cells)} |")
    return lines
