"""The report of `evaluate`: JSON, page, and lines for people."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from stickerforge.config.description import Bounds, Pattern, read_description
from stickerforge.errors import InputError
from stickerforge.evaluation.features import ImageFeatures
from stickerforge.evaluation.html_report import ReportImage, render_report
from stickerforge.evaluation.metrics.base import MetricInput
from stickerforge.evaluation.prompt_matching import match_baseline
from stickerforge.evaluation.scores import (
    ScoreTable,
    format_value,
    score_interval,
    scores_to_json,
)
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.files import locked, make_folder, write_whole
from stickerforge.runtime.json_text import parse_json
from stickerforge.version import __version__

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

SCHEMA = 1  # of report.json
MAX_BYTES = 500_000_000  # of report.json, which has a row per picture
FILES = CONFIG_FILE, REPORT_FILE, PAGE_FILE = "evaluate.toml", "report.json", "report.html"


@dataclass(frozen=True)
class ReportHead:
    """What tells a report of ours from other JSON: its schema, and the folder that it is of."""

    schema: Annotated[int, Bounds(1, 10**6)]
    folder: Annotated[str, Pattern(r"[^\x00]{1,5000}", "a folder")]


def check_output(out: Path, folders: Iterable[str]) -> None:
    """Refuse to write the report among the pictures.

    Raises:
        InputError: the folder of the report lies in one of these.
    """
    target = out.resolve()
    for folder in map(Path, folders):
        if folder.resolve() in (target, *target.parents):
            raise InputError(
                f"the report would be written into {folder}, among the pictures",
                "give --out FOLDER somewhere else",
            )


def replaced_report(out: Path, folder: str) -> str:
    """Of which other folder there is a report already, or "".

    Raises:
        InputError: what is there is no report of ours, or are no settings of ours, and is not
            replaced.
    """
    report, page = out / REPORT_FILE, out / PAGE_FILE
    content = ReportHead(SCHEMA, folder)
    ours = not page.exists() or report.exists()
    try:
        if os.path.lexists(out / CONFIG_FILE):
            settings = read_text(out / CONFIG_FILE, MAX_BYTES)
            ours = ours and settings.startswith('command = "evaluate"\n')
        if os.path.lexists(report):
            content = read_description(ReportHead, parse_json(read_text(report, MAX_BYTES)))
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise InputError(
            f"evaluate would replace {CONFIG_FILE}, {REPORT_FILE} or {PAGE_FILE} in {out}, "
            "and did not write them",
            "give another --out",
        )
    other = content.folder
    same = other == str(Path(folder)) or Path(other).resolve() == Path(folder).resolve()
    return "" if same else other


def write_report(
    out: Path, settings: str, report: dict[str, Any], data: MetricInput
) -> tuple[Path, Path]:
    """(report.json, report.html), and beside them the settings as a --config.

    Args:
        out: the folder they are written into.
        report: what `build_report` made of the same data.
    """
    make_folder(out)
    json_file, page = out / REPORT_FILE, out / PAGE_FILE
    beside = match_baseline(
        data.targets["pictures"],
        data.pictures,
        data.targets.get("baseline", []),
        data.sets.get("baseline", []),
    )
    pictures = [report_image(item) for item in data.pictures]
    others = [report_image(item) if item else None for item in beside]
    html = render_report(report, pictures, others, out.resolve())
    with locked(out, wait=True):  # the three belong to one call
        write_whole(out / CONFIG_FILE, settings.encode())
        write_whole(json_file, (json.dumps(report, indent=1) + "\n").encode())
        write_whole(page, html.encode("utf-8", "replace"))
    return json_file, page


def report_image(item: ImageFeatures) -> ReportImage:
    """A picture as the page shows it."""
    return ReportImage(item.thumbnail, item.path.resolve())


def build_report(
    folder: str,
    data: MetricInput,
    table: ScoreTable,
    failed: Sequence[str],
    missing_prompts: Sequence[str],
) -> dict[str, Any]:
    """The content of report.json; its schema is in the README.

    Args:
        folder: as the user named it.
        failed: a line for each picture that could not be read.
        missing_prompts: those of the prompt file for which there is no picture.
    """
    return {
        "schema": SCHEMA,
        "stickerforge": __version__,
        "folder": str(Path(folder)),
        "encoder": {"name": data.encoder.name, "sha256": data.encoder.digest},
        "counts": {role: len(items) for role, items in data.sets.items()},
        "figures": score_entries(table, data.encoder),
        "pictures": picture_rows(data, table),
        "prompts_without_picture": list(missing_prompts),
        "against_baseline": table.paired,
        "refused": table.refused,
        "failed": list(failed),
    }


def score_entries(table: ScoreTable, encoder: "Encoder") -> dict[str, dict[str, Any]]:
    """The scores by name, with the digest of the weights where they come from some."""
    entries = {name: dict(entry) for name, entry in scores_to_json(table.scores).items()}
    for name, entry in entries.items():
        if "@" in name:
            entry["weights"] = table.weights.get(name, encoder.digest)
    return entries


def picture_rows(data: MetricInput, table: ScoreTable) -> list[dict[str, Any]]:
    """What the report holds of each picture."""
    return [
        {
            "file": item.path.name,
            "sha256": item.sha256,
            "pixels": list(item.pixels),
            "prompt": text,
            "seed": item.params.get("seed"),
            "values": {
                name: round(float(values[number]), 6)
                for name, values in table.values.items()
                if not np.isnan(values[number])
            },
        }
        for number, (item, text) in enumerate(zip(data.pictures, data.texts, strict=True))
    ]


def table_rows(table: ScoreTable) -> list[list[str]]:
    """The table for a terminal, its head first."""
    pairs = table.paired
    head = ["figure", "mean", "95 % interval", "n", "better"]
    rows = [head + (["than the baseline"] if pairs else [])]
    for score in table.scores:
        pair = pairs.get(score.name)
        change = [f"{pair['change']:+.3f}, p {pair['p']:.3f}" if pair else ""] if pairs else []
        rows.append(
            [
                score.name,
                format_value(score.value, score.metric.unit),
                score_interval(score),
                str(score.n),
                score.metric.better,
                *change,
            ]
        )
    return rows


def text_lines(table: ScoreTable) -> list[str]:
    """The same for a pipe."""
    lines = []
    for score in table.scores:
        value = format_value(score.value, score.metric.unit)
        better = {"higher": "more is better", "lower": "less is better"}
        note = better.get(score.metric.better, "")
        line = f"{score.name:28}{value:>12}   {score_interval(score):22}n={score.n:<6}{note}"
        lines.append(line.rstrip())
    for name, row in table.paired.items():
        lines.append(
            f"{name:28}{row['change']:>+12.3f}   than the baseline, "
            f"{row['prompts']} prompts, p {row['p']:.3f}"
        )
    return lines
