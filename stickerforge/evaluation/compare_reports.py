"""Two reports of evaluate side by side."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stickerforge.errors import InputError
from stickerforge.evaluation.metrics.base import METRICS, format_value
from stickerforge.evaluation.statistics import group_means, paired_difference

SCHEMA = 1  # of report.json


def compare_reports(first: Path, second: Path) -> tuple[dict[str, Any], list[str]]:
    """Two report files side by side: (result for the JSON, lines for people). Differences are of prompts that both have.

    Raises:
        InputError: one is no report, or they share no figure.
    """
    reports = [read_report(path) for path in (first, second)]
    both = [name for name in reports[0]["figures"] if name in reports[1]["figures"]]
    names = [
        name
        for name in both
        if reports[0]["figures"][name]["weights"] == reports[1]["figures"][name]["weights"]
    ]
    if not names:
        raise InputError(f"{first} and {second} share no figure", "compare reports of one encoder")
    result, lines = {}, [f"{'':28}{'first':>12}{'second':>12}{'change':>12}   prompts      p"]
    for name in names:
        before, after = (float(report["figures"][name]["value"]) for report in reports)
        means = [prompt_means(report["pictures"], name) for report in reports]
        shared = [prompt for prompt in means[0] if prompt in means[1]]
        row: dict[str, Any] = {"first": before, "second": after, "prompts": len(shared)}
        if shared:
            row |= paired_difference(
                np.array([means[1][prompt] - means[0][prompt] for prompt in shared])
            )
        result[name] = row
        unit = METRICS[name.partition("@")[0]].unit
        told = (
            f"{row['change']:>+12.3f}{len(shared):>10}{row['p']:>7.3f}"
            if shared
            else f"{'':12}{0:>10}"
        )
        lines.append(
            f"{name:28}{format_value(before, unit):>12}{format_value(after, unit):>12}{told}"
        )
    return result, lines


def prompt_means(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    """The mean of a figure by prompt, of pictures without one by file name."""
    known = [
        (row["prompt"] or row["file"], float(row["values"][name]))
        for row in rows
        if name in row["values"]
    ]
    keys = [key for key, _ in known]
    return (
        dict(
            zip(
                dict.fromkeys(keys),
                group_means([value for _, value in known], keys).tolist(),
                strict=True,
            )
        )
        if known
        else {}
    )


def read_report(path: Path) -> dict[str, Any]:
    """A report file.

    Raises:
        InputError: it is missing or something else.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            str(name): {"value": float(entry["value"]), "weights": str(entry.get("weights", ""))}
            for name, entry in report["figures"].items()
            if name.partition("@")[0] in METRICS
        }
        rows = [
            {
                "file": str(row["file"]),
                "prompt": str(row["prompt"]),
                "values": {str(k): float(v) for k, v in row["values"].items()},
            }
            for row in report["pictures"]
        ]
        if report["schema"] == SCHEMA and figures:
            return {"figures": figures, "pictures": rows, "encoder": dict(report["encoder"])}
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}", "give a report.json of evaluate"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise InputError(f"{path} is no report of this version", "give a report.json of evaluate")
