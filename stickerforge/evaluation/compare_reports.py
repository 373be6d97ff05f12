"""Two reports of evaluate side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from stickerforge.config.description import Bounds, read_description
from stickerforge.errors import InputError
from stickerforge.evaluation.metrics.base import METRICS, metric_of
from stickerforge.evaluation.report import MAX_BYTES, SCHEMA
from stickerforge.evaluation.scores import format_value
from stickerforge.evaluation.statistics import group_means, paired_difference
from stickerforge.runtime.bounded_files import read_text
from stickerforge.runtime.json_text import parse_json

Number = Annotated[float, Bounds(-1e12, 1e12)]


@dataclass(frozen=True)
class FigureEntry:
    """A figure of a report; weights are a digest of the model that it comes from."""

    value: Number
    weights: str = ""


@dataclass(frozen=True)
class PictureEntry:
    """A picture of a report, and its figures."""

    file: str
    prompt: str
    values: dict[str, Number]


@dataclass(frozen=True)
class ReportFile:
    """The schema of what is read of a report.json."""

    schema: Annotated[int, Bounds(SCHEMA, SCHEMA)]
    figures: dict[str, FigureEntry]
    pictures: list[PictureEntry]


def compare_reports(first: Path, second: Path) -> tuple[dict[str, Any], list[str]]:
    """Two report files side by side; differences are of prompts that both have.

    Returns:
        The result for the JSON, by score, and lines for people.

    Raises:
        InputError: one is no report, or they share no score.
    """
    reports = [read_report(path) for path in (first, second)]
    ours, theirs = (report.figures for report in reports)
    names = [name for name in ours if name in theirs and ours[name].weights == theirs[name].weights]
    if not names:
        raise InputError(f"{first} and {second} share no figure", "compare reports of one encoder")
    result, lines = {}, [f"{'':28}{'first':>12}{'second':>12}{'change':>12}   prompts      p"]
    for name in names:
        before, after = ours[name].value, theirs[name].value
        means = [prompt_means(report.pictures, name) for report in reports]
        shared = [prompt for prompt in means[0] if prompt in means[1]]
        row: dict[str, Any] = {"first": before, "second": after, "prompts": len(shared)}
        change = f"{'':12}{0:>10}"
        if shared:
            differences = [means[1][prompt] - means[0][prompt] for prompt in shared]
            row |= paired_difference(np.array(differences))
            change = f"{row['change']:>+12.3f}{len(shared):>10}{row['p']:>7.3f}"
        result[name] = row
        values = [format_value(value, metric_of(name).unit) for value in (before, after)]
        lines.append(f"{name:28}{values[0]:>12}{values[1]:>12}{change}")
    return result, lines


def prompt_means(rows: Sequence[PictureEntry], name: str) -> dict[str, float]:
    """The mean of a score by prompt; pictures without a prompt count by file name."""
    known = [(row.prompt or row.file, row.values[name]) for row in rows if name in row.values]
    if not known:
        return {}
    keys = [key for key, _ in known]
    means = group_means([value for _, value in known], keys).tolist()
    return dict(zip(dict.fromkeys(keys), means, strict=True))


def read_report(path: Path) -> ReportFile:
    """A report file.

    Raises:
        InputError: it is missing or something else.
    """
    try:
        report = read_description(ReportFile, parse_json(read_text(path, MAX_BYTES)))
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "give a report.json of evaluate"
        ) from None
    except ValueError as error:
        raise InputError(
            f"{path} is no report of this version: {str(error)[:120]}",
            "give a report.json of evaluate",
        ) from None
    figures = {
        name: entry for name, entry in report.figures.items() if name.partition("@")[0] in METRICS
    }
    if not figures:
        raise InputError(f"{path} holds no figures", "give a report.json of evaluate")
    return replace(report, figures=figures)
