"""The report of `evaluate`: JSON, page, and lines for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stickerforge.config.schema import EvaluateConfig
from stickerforge.config.toml import to_toml
from stickerforge.errors import InputError
from stickerforge.evaluation.compare_reports import SCHEMA
from stickerforge.evaluation.image_set import ImageFeatures
from stickerforge.evaluation.metrics.base import format_interval, format_value, scores_to_json
from stickerforge.evaluation.plan import EvaluationPlan
from stickerforge.evaluation.prompt_matching import TargetPrompt, match_baseline
from stickerforge.evaluation.runner import ScoreTable
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.version import __version__

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

CONFIG_FILE, REPORT_FILE, PAGE_FILE = "evaluate.toml", "report.json", "report.html"


def replaced_report(out: Path, folder: str) -> str:
    """Of which other folder there is a report already, or "".

    Raises:
        InputError: what is there is no report of ours, or are no settings of ours, and is not replaced.
    """
    report, page, said = out / REPORT_FILE, out / PAGE_FILE, {}
    ours = not page.exists() or report.exists()
    try:
        if (out / CONFIG_FILE).exists():
            ours = ours and (out / CONFIG_FILE).read_text(encoding="utf-8").startswith(
                'command = "evaluate"\n'
            )
        if report.exists():
            said = json.loads(report.read_text(encoding="utf-8"))
            ours = ours and isinstance(said["schema"], int) and isinstance(said["folder"], str)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        ours = False
    if not ours:
        raise InputError(
            f"evaluate would replace {CONFIG_FILE}, {REPORT_FILE} or {PAGE_FILE} in {out}, and did not write them",
            "give another --out",
        )
    other = said.get("folder", folder)
    return (
        ""
        if other == str(Path(folder)) or Path(other).resolve() == Path(folder).resolve()
        else other
    )


def write_report(
    whole: EvaluationPlan,
    report: dict[str, Any],
    sets: Mapping[str, list[ImageFeatures]],
    found: Mapping[str, list[TargetPrompt]],
) -> tuple[Path, Path]:
    """(report.json, report.html), and beside them the settings as a --config."""
    from stickerforge.evaluation.html_report import ReportImage, render_report

    make_folder(whole.out)
    json_file, page = whole.out / REPORT_FILE, whole.out / PAGE_FILE
    write_whole(whole.out / CONFIG_FILE, to_toml(whole.config, "evaluate").encode())
    write_whole(json_file, (json.dumps(report, indent=1) + "\n").encode())
    pictures = [ReportImage(item.thumbnail, item.path.resolve()) for item in sets["pictures"]]
    beside = match_baseline(
        found["pictures"], sets["pictures"], found.get("baseline", []), sets.get("baseline", [])
    )
    others = [ReportImage(item.thumbnail, item.path.resolve()) if item else None for item in beside]
    write_whole(
        page,
        render_report(report, pictures, others, whole.out.resolve()).encode("utf-8", "replace"),
    )
    return json_file, page


def build_report(
    config: EvaluateConfig,
    sets: Mapping[str, list[ImageFeatures]],
    asked: Sequence[TargetPrompt],
    table: ScoreTable,
    used: "Encoder",
    failed: list[str],
) -> dict[str, Any]:
    """The whole report; its schema is in the README."""
    pictures = [
        {
            "file": item.path.name,
            "sha256": item.sha256,
            "pixels": list(item.pixels),
            "prompt": wish.text,
            "seed": item.recipe.get("seed"),
            "values": {
                name: round(float(values[number]), 6)
                for name, values in table.values.items()
                if not np.isnan(values[number])
            },
        }
        for number, (item, wish) in enumerate(zip(sets["pictures"], asked, strict=True))
    ]
    return {
        "schema": SCHEMA,
        "stickerforge": __version__,
        "folder": str(Path(config.pictures)),
        "encoder": {"name": used.name, "sha256": used.digest},
        "counts": {role: len(items) for role, items in sets.items()},
        "figures": {
            name: dict(entry)
            | ({"weights": table.weights.get(name, used.digest)} if "@" in name else {})
            for name, entry in scores_to_json(table.figures).items()
        },
        "pictures": pictures,
        "prompts_without_picture": [],
        "against_baseline": table.paired,
        "refused": table.refused,
        "failed": failed,
    }


def table_rows(table: ScoreTable) -> list[list[str]]:
    """The table for a terminal, its head first."""
    pairs = table.paired
    rows = [
        [
            "figure",
            "mean",
            "95 % interval",
            "n",
            "better",
            *(["than the baseline"] if pairs else []),
        ]
    ]
    for found in table.figures:
        between = (
            format_interval(found.low, found.high, found.metric.unit) if found.prompts > 1 else ""
        )
        pair = pairs.get(found.name)
        change = [f"{pair['change']:+.3f}, p {pair['p']:.3f}" if pair else ""] if pairs else []
        rows.append(
            [
                found.name,
                format_value(found.value, found.metric.unit),
                between,
                str(found.n),
                found.metric.better,
                *change,
            ]
        )
    return rows


def text_lines(table: ScoreTable) -> list[str]:
    """The same for a pipe."""
    lines = []
    for found in table.figures:
        between = (
            format_interval(found.low, found.high, found.metric.unit) if found.prompts > 1 else ""
        )
        arrow = {"higher": "more is better", "lower": "less is better"}.get(found.metric.better, "")
        lines.append(
            f"{found.name:28}{format_value(found.value, found.metric.unit):>12}   {between:22}n={found.n:<6}{arrow}".rstrip()
        )
    for name, row in table.paired.items():
        lines.append(
            f"{name:28}{row['change']:>+12.3f}   than the baseline, {row['prompts']} prompts, p {row['p']:.3f}"
        )
    return lines
