"""The tables of RESULTS.md: every arm, and differences that are paired by prompt."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.experiments.bench.grey_features import Floats
from examples.experiments.style_tailoring.arms import ARMS, PHRASES, VARIANTS
from examples.experiments.style_tailoring.filters import FILTERS
from examples.experiments.style_tailoring.house import FAMILIES, evaluation_prompts, house_split
from examples.experiments.style_tailoring.line_style import LineStyle, load_line_style
from examples.experiments.style_tailoring.measure import MEASURES, WHITE, by_prompt, measure
from examples.experiments.style_tailoring.pictures import SEEDS, is_drawn, read_shots, shots
from stickerforge.evaluation.statistics import bca_interval, paired_difference
from stickerforge.models.encoders import Encoder, load_encoder

Table = dict[str, Floats]
FILTERED = tuple(f"base through {name}" for name in FILTERS)
CLAIMS = (
    ("a", "joint", "style"),
    ("a, -8", "joint -8", "style"),
    ("a, -8, scenes", "joint -8 scenes", "style scenes"),
    ("b", "joint", "content"),
    ("b, -8", "joint -8", "content"),
    ("b, -8, scenes", "joint -8 scenes", "content"),
    ("c", "domain", "prompt"),
    ("c, flat", "domain", "prompt flat"),
    ("c, base", "domain", "base"),
    ("direction", "joint", "reversed"),
    ("rule", "joint", "mixed"),
    ("rule", "joint -8", "mixed"),
    ("rule", "joint -8", "mixed -8"),
    ("at once", "joint -8", "sequential"),
    ("filter", "joint -8", "base through otsu"),
    ("filter", "style", "base through otsu"),
    ("gain", "joint -8", "prompt"),
    ("gain", "joint -8", "base"),
)


def house_features(encoder: Encoder) -> Floats:
    """Of the held-out drawings of the house style, (M, D)."""
    pictures = [thing.picture() for thing in house_split()[1]]
    return encoder.images(pictures, WHITE).astype(np.float64)


def measure_arm(
    arm: str, seed: int, out: Path, encoder: Encoder, lines: LineStyle, house: Floats
) -> Table:
    """By prompt, of one training seed; kept in OUT/measured and not measured twice."""
    path = out / "measured" / f"{arm.replace(' ', '-')}-{seed}.npz"
    if not path.exists():
        wanted, texts = shots(seed), evaluation_prompts()
        pictures = read_shots(arm, out, wanted)
        found = measure(pictures, [texts[shot.prompt] for shot in wanted], encoder, lines)
        numbers = np.array([shot.prompt for shot in wanted])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **by_prompt(found, numbers, house, len(texts)))
    with np.load(path) as stored:
        return {name: stored[name] for name in MEASURES}


def write_results(out: Path) -> None:
    """Measure what is drawn, and write OUT/results.json and OUT/tables.md."""
    encoder = load_encoder("judge")
    lines, right = load_line_style(out / "line_style.npz")
    house = house_features(encoder)
    arms = ("base", *FILTERED, *dict.fromkeys([*PHRASES, *ARMS, *VARIANTS]))
    drawn = {
        arm: [
            measure_arm(arm, seed, out, encoder, lines, house)
            for seed in SEEDS
            if is_drawn(arm, out, seed)
        ]
        for arm in arms
    }
    drawn = {arm: tables for arm, tables in drawn.items() if tables}
    record = {
        "classifier": right,
        "arms": {arm: summary(tables) for arm, tables in drawn.items()},
        "families": {arm: by_family(tables) for arm, tables in drawn.items()},
        "differences": [
            {"claim": claim, "arm": arm, "against": other, "of": compare(drawn[arm], drawn[other])}
            for claim, arm, other in CLAIMS
            if arm in drawn and other in drawn
        ],
    }
    (out / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    text = "\n".join(table_lines(record)) + "\n"
    (out / "tables.md").write_text(text)
    print(text)


def mean_over_seeds(tables: Sequence[Table], measure_name: str) -> Floats:
    """By prompt; NaN for prompts of which it says nothing."""
    result: Floats = np.mean([table[measure_name] for table in tables], axis=0)
    return result


def summary(tables: Sequence[Table]) -> dict[str, Any]:
    """{measure: {"mean", "low", "high", "seeds": by training seed}}."""
    result: dict[str, Any] = {}
    for name in MEASURES:
        values = mean_over_seeds(tables, name)
        values = values[np.isfinite(values)]
        low, high = bca_interval(values) or (None, None)
        seeds = [float(np.nanmean(table[name])) for table in tables]
        result[name] = {"mean": float(values.mean()), "low": low, "high": high, "seeds": seeds}
    return result


def by_family(tables: Sequence[Table]) -> dict[str, dict[str, float]]:
    """{measure: {family of prompts: mean}}."""
    return {
        name: {
            family: float(np.nanmean(mean_over_seeds(tables, name)[first:end]))
            for family, (first, end) in FAMILIES.items()
        }
        for name in ("house", "alignment")
    }


def compare(arm: Sequence[Table], other: Sequence[Table]) -> dict[str, Any]:
    """{measure: what `paired_difference` says}, of the training seeds that both have."""
    count = min(len(arm), len(other))
    result = {}
    for name in MEASURES:
        values = mean_over_seeds(arm[:count], name) - mean_over_seeds(other[:count], name)
        result[name] = paired_difference(values[np.isfinite(values)])
    return result


def table_lines(record: dict[str, Any]) -> list[str]:
    """The tables as Markdown."""
    head = f"| arm | {' | '.join(MEASURES)} |"
    rule = "| --- |" + " --- |" * len(MEASURES)
    lines = [head, rule]
    for arm, own in record["arms"].items():
        cells = [value(own[name]["mean"], own[name]) + seeds(own[name]) for name in MEASURES]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    lines += ["", head.replace("| arm |", "| claim | difference |", 1), rule + " --- |"]
    for row in record["differences"]:
        cells = [value(row["of"][name]["change"], row["of"][name], "+") for name in MEASURES]
        lines.append(f"| {row['claim']} | {row['arm']} - {row['against']} | {' | '.join(cells)} |")
    lines += ["", f"| arm | {' | '.join(f'{name}, house; alignment' for name in FAMILIES)} |"]
    lines.append("| --- |" + " --- |" * len(FAMILIES))
    for arm, own in record["families"].items():
        cells = [f"{own['house'][name]:.2f}; {own['alignment'][name]:.2f}" for name in FAMILIES]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return lines


def value(mean: float, bounds: dict[str, Any], sign: str = "") -> str:
    """A number with its interval."""
    if bounds["low"] is None:
        return f"{mean:{sign}.3f}"
    return f"{mean:{sign}.3f} ({bounds['low']:{sign}.3f} to {bounds['high']:{sign}.3f})"


def seeds(own: dict[str, Any]) -> str:
    """The means of the training seeds."""
    return f" [{', '.join(f'{each:.3f}' for each in own['seeds'])}]"
