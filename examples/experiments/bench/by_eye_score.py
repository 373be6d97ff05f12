"""A reader's answers against what was asked for, and against the judge's verdicts."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from examples.experiments.bench.bench_compare import interval_text, prompt_differences
from examples.experiments.bench.bench_scores import other_rows
from examples.experiments.bench.spoken_names import SpokenNames
from stickerforge.evaluation.statistics import interval, paired_difference

QUOTABLE = 0.1  # a larger difference, and the judge's share is not quoted without the reader's
Share = dict[str, float | None]


def read_answers(path: Path, count: int) -> dict[int, str]:
    """{number: what the reader sees} of a CSV; "" for nothing.

    Raises:
        SystemExit: numbers are missing, are there twice, or belong to no picture.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [
            (row[0].strip(), ", ".join(map(str.strip, row[1:]))) for row in csv.reader(file) if row
        ]
    rows = [row for row in rows if row[0].isdigit()]
    found = {int(number): text for number, text in rows}
    expected = set(range(1, count + 1))
    if len(found) < len(rows) or set(found) != expected:
        missing = ", ".join(map(str, sorted(expected - set(found)))) or "none"
        others = ", ".join(map(str, sorted(set(found) - expected))) or "none"
        raise SystemExit(
            f"{path}: give every number from 1 to {count} once (missing: {missing}; "
            f"of no picture: {others})"
        )
    return found


def share(passed: Sequence[bool], groups: Sequence[str]) -> Share:
    """How many pass, with the interval over prompts: of each only its mean counts."""
    bounds = interval([float(each) for each in passed], groups, passes=True) if passed else None
    low, high = bounds or (None, None)
    value = float(np.mean(passed)) if passed else None
    return {"share": value, "low": low, "high": high, "passed": sum(passed), "of": len(passed)}


def confusion(reader: Sequence[bool], judge: Sequence[bool]) -> dict[str, dict[str, int]]:
    """How many pictures each of both finds right or wrong, the judge first."""
    word = {True: "right", False: "wrong"}
    pairs = list(zip(judge, reader, strict=True))
    return {
        f"judge {word[a]}": {f"reader {word[b]}": pairs.count((a, b)) for b in (True, False)}
        for a in (True, False)
    }


def score_answers(
    rows: Sequence[Mapping[str, object]], answers: Mapping[int, str], names: SpokenNames
) -> dict[str, object]:
    """Print one model's table, and return it for the JSON.

    Args:
        rows: of the key.
    """
    said = [answers[int(str(row["number"]))] for row in rows]
    groups, judge = [str(row["group"]) for row in rows], [bool(row["judge"]) for row in rows]
    reader = [names.is_named(text, things_of(row)) for text, row in zip(said, rows, strict=True)]
    chance = [
        names.is_named(said[other], things_of(row))
        for others in other_rows(groups)
        for row, other in zip(rows, others, strict=True)
    ]
    lines = {
        "the reader names": share(reader, groups),
        "the judge passes": share(judge, groups),
        "of what the judge passes, the reader names": share(*where(reader, groups, judge)),
        "of what the judge fails, the reader names": share(
            *where(reader, groups, [not each for each in judge])
        ),
        "both agree": share([a == b for a, b in zip(reader, judge, strict=True)], groups),
    }
    table = confusion(reader, judge)
    print_result(lines, table, float(np.mean(chance)) if chance else None)
    for row, text, is_right, is_passed in zip(rows, said, reader, judge, strict=True):
        if not is_right:
            verdict = "passes" if is_passed else "fails"
            print(f"  {row['number']}: {row['prompt']!r} is seen as {text!r}; the judge {verdict}")
    named = {str(row["id"]): float(is_right) for row, is_right in zip(rows, reader, strict=True)}
    return {
        "shares": lines,
        "confusion": table,
        "chance": float(np.mean(chance or [0])),
        "named": named,
    }


def print_differences(
    results: Mapping[str, Mapping[str, Mapping[str, float]]], groups: Mapping[str, str]
) -> None:
    """Print what a reader names more of each model than of the first, over the same prompts.

    Args:
        results: of `score_answers`, by model.
        groups: {id: prompts that belong together}.
    """
    first, *others = results
    for model in others:
        own, base = results[model]["named"], results[first]["named"]
        row = paired_difference(prompt_differences(own, base, groups))
        spread = interval_text(row["low"], row["high"], "+")
        print(
            f"{model} - {first}: {100 * (row['change'] or 0):+.1f} points ({spread}), "
            f"p {row['p']:.3f}, {row['prompts']} prompts"
        )


def things_of(row: Mapping[str, object]) -> list[str]:
    """The CLDR names that answer a row of the key."""
    things = row["things"]
    assert isinstance(things, list)
    return things


def where(
    passed: Sequence[bool], groups: Sequence[str], kept: Sequence[bool]
) -> tuple[list[bool], list[str]]:
    """Those that are kept."""
    rows = [row for row, is_kept in enumerate(kept) if is_kept]
    return [passed[row] for row in rows], [groups[row] for row in rows]


def print_result(
    lines: Mapping[str, Share], table: Mapping[str, Mapping[str, int]], chance: float | None
) -> None:
    """Print shares, the table of both, and whether the judge's share may stand by itself."""
    for name, row in lines.items():
        value, low, high = row["share"], row["low"], row["high"]
        text = "-" if value is None else f"{value:.1%}"
        spread = "-" if low is None or high is None else f"{low:.1%} to {high:.1%}"
        print(f"{name:44}{text:>8}   {spread:18} {row['passed']} of {row['of']}")
    print(f"{'answers of other pictures':44}{'-' if chance is None else f'{chance:.1%}':>8}")
    print(f"\n{'':14}{'reader right':>14}{'reader wrong':>14}")
    for name, counts in table.items():
        print(f"{name:14}" + "".join(f"{count:>14}" for count in counts.values()))
    reader, judge = lines["the reader names"]["share"], lines["the judge passes"]["share"]
    if reader is not None and judge is not None and abs(judge - reader) > QUOTABLE:
        gap = 100 * (judge - reader)
        print(f"The judge is {gap:+.0f} points off: do not quote it without the reader.")
    print()
