"""Measure a folder of stickers, and write a report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stickerforge import __version__
from stickerforge.commands.figured import Table, figured, metric_names
from stickerforge.commands.measured import Measured, listed, measure
from stickerforge.config.load import resolve
from stickerforge.config.schema import EvaluateConfig
from stickerforge.data.prompts import read_prompts
from stickerforge.errors import CheckFailed, InputError, PartlyDone, StickerforgeError
from stickerforge.evaluation.figures import METRICS, Figure, as_json, shown, worse
from stickerforge.evaluation.intervals import sign_flip_p
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.messages import Messages

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

SCHEMA = 1
MATCH_HINT = "ids of the file are the file names of the pictures without suffix"


@dataclass(frozen=True)
class Limit:
    """METRIC=VALUE of --fail-under."""

    name: str
    value: float


@dataclass(frozen=True)
class Evaluated:
    """What there is to say.

    Args:
        failed: a line for each picture that could not be read.
        missed: a line for each limit that was not kept.
    """

    table: Table
    report: dict[str, Any]
    json_file: Path
    page: Path
    failed: list[str]
    missed: list[str]

    def result(self) -> dict[str, Any]:
        """What the JSON of the command holds."""
        files = {"report": str(self.json_file), "page": str(self.page)}
        return {
            "figures": self.report["figures"],
            "against_baseline": self.table.paired,
            "failed": self.failed,
            "missed": self.missed,
        } | files

    def error(self) -> StickerforgeError | None:
        """A check that failed counts more than a picture that could not be read."""
        if self.missed:
            return CheckFailed("; ".join(self.missed), f"see {self.page}")
        if self.failed:
            return PartlyDone(f"{len(self.failed)} pictures could not be read: {'; '.join(self.failed[:5])}", "the others were measured")
        return None


def evaluate(pictures: str | Path, *, settings: Mapping[str, Any] | None = None) -> Evaluated:
    """Evaluate from Python: `evaluate("stickers", settings={"reference": "photos"})`.

    Raises:
        StickerforgeError: see `stickerforge.errors`.
    """
    return run(resolve(EvaluateConfig, settings or {}, {"pictures": str(pictures)}), Messages(quiet=True), offline=False)


def run(config: EvaluateConfig, messages: Messages, *, offline: bool) -> Evaluated:
    """Measure, compute, write.

    Raises:
        InputError: a folder, a prompt file or a setting cannot be used.
        EnvironmentFault: the encoder cannot be had here, or the report cannot be written.
    """
    limits = [limit(text) for text in config.fail_under]
    wanted = metric_names(config.metrics)
    folders = {"pictures": config.pictures, "reference": config.reference, "style_reference": config.style_reference}
    folders |= {"baseline": config.baseline}
    if not config.pictures:
        raise InputError("no folder given", "for example stickerforge evaluate stickers/")
    paths = {key: listed(Path(folder)) for key, folder in folders.items() if folder}
    rows = read_prompts(Path(config.prompts)) if config.prompts else []
    out = Path(config.out)
    make_folder(out)
    from stickerforge.models.encoders import encoder

    asked = encoder(config.encoder, offline=offline, say=messages.say)
    sets, failed = measured_sets(paths, asked, messages)
    prompts = matched(sets["pictures"], {row.id: row.prompt for row in rows if row.id}, {row.prompt for row in rows})
    if rows and not any(prompts):
        raise InputError(f"none of the {len(prompts)} pictures belongs to a prompt of {config.prompts}", MATCH_HINT)
    if missing := sum(not prompt for prompt in prompts):
        messages.warn(f"{missing} of {len(prompts)} pictures have no known prompt: they count where none is needed")
    table = figured(sets, prompts, asked, wanted, allow_small=config.allow_small)
    for line in table.refused:
        messages.warn(line)
    missed = [line for item in limits for line in [checked(item, table.figures)] if line]
    report = as_report(config, sets, prompts, table, asked, failed)
    json_file, page = out / "report.json", out / "report.html"
    write_whole(json_file, (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    from stickerforge.evaluation.page import page_of

    thumbnails = [item.thumbnail for item in sets["pictures"]]
    links = [item.path.resolve() for item in sets["pictures"]]
    write_whole(page, page_of(report, thumbnails, links, out.resolve()).encode())
    return Evaluated(table, report, json_file, page, failed, missed)


def measured_sets(paths: Mapping[str, list[Path]], asked: "Encoder", messages: Messages) -> tuple[dict[str, list[Measured]], list[str]]:
    """Every folder measured; a set of which nothing can be read is an error.

    Raises:
        InputError: no picture of a folder can be read.
    """
    sets, failed = {}, []
    with messages.progress("measuring", sum(map(len, paths.values()))) as advance:
        for key, files in paths.items():
            sets[key], lost = measure(files, asked, advance)
            failed += lost
            if not sets[key]:
                raise InputError(f"{files[0].parent}: none of its {len(files)} pictures can be read: {lost[0]}", "mend or replace them")
    return sets, failed


def matched(pictures: Sequence[Measured], by_id: Mapping[str, str], known: set[str]) -> list[str]:
    """The prompt of each picture: what it remembers, else the row whose id is its file stem; "" where there is none.

    Args:
        known: prompts of the file; where there are any, what a picture remembers counts only if it is among them.
    """
    found = []
    for picture in pictures:
        remembered = str(picture.recipe.get("prompt", ""))
        found.append(by_id.get(picture.path.stem, "") or (remembered if remembered in known or not known else ""))
    return found


def limit(text: str) -> Limit:
    """METRIC=VALUE.

    Raises:
        InputError: it is something else.
    """
    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if name.partition("@")[0] not in METRICS or value != value:
        raise InputError(f"--fail-under {text!r} is no limit", "give METRIC=VALUE, for example alignment@judge=0.3")
    return Limit(name, value)


def checked(item: Limit, figures: Sequence[Figure]) -> str:
    """What is wrong with a figure, or "".

    Raises:
        InputError: there is no such figure.
    """
    found = next((figure for figure in figures if item.name in (figure.name, figure.name.partition("@")[0])), None)
    if found is None:
        have = ", ".join(figure.name for figure in figures)
        raise InputError(f"--fail-under: {item.name} was not measured", f"there are {have}")
    if not worse(found, item.value):
        return ""
    return f"{found.name} is {shown(found.value)}, {'over' if found.metric.better == 'lower' else 'under'} {item.value:g}"


def as_report(
    config: EvaluateConfig, sets: Mapping[str, list[Measured]], prompts: Sequence[str], table: Table, asked: "Encoder", failed: list[str]
) -> dict[str, Any]:
    """The whole report; its schema is in the README."""
    pictures = [
        {
            "file": item.path.name, "sha256": item.sha256, "pixels": list(item.pixels), "prompt": prompt,
            "seed": item.recipe.get("seed"),
            "values": {name: round(float(values[number]), 6) for name, values in table.values.items() if not np.isnan(values[number])},
        }
        for number, (item, prompt) in enumerate(zip(sets["pictures"], prompts, strict=True))
    ]  # fmt: skip
    return {
        "schema": SCHEMA, "stickerforge": __version__, "folder": str(Path(config.pictures)),
        "encoder": {"name": asked.name, "sha256": asked.digest}, "counts": {role: len(items) for role, items in sets.items()},
        "figures": as_json(table.figures), "pictures": pictures, "prompts_without_picture": table.unanswered,
        "against_baseline": table.paired, "refused": table.refused, "failed": failed,
    }  # fmt: skip


def compared(first: Path, second: Path) -> tuple[dict[str, Any], list[str]]:
    """Two report files side by side: (result for the JSON, lines for people). Paired where file names are the same.

    Raises:
        InputError: one is no report.
    """
    reports = [read_report(path) for path in (first, second)]
    names = [name for name in reports[0]["figures"] if name in reports[1]["figures"]]
    if not names:
        raise InputError(f"{first} and {second} share no figure", "compare reports of one encoder")
    values = [{row["file"]: row["values"] for row in report["pictures"]} for report in reports]
    result, lines = {}, [f"{'':28}{'first':>12}{'second':>12}{'change':>12}   p"]
    for name in names:
        shared = [file for file in values[0] if file in values[1] and name in values[0][file] and name in values[1][file]]
        change = np.array([values[1][file][name] - values[0][file][name] for file in shared])
        before, after = (float(report["figures"][name]["value"]) for report in reports)
        chance = sign_flip_p(change) if len(change) > 1 else None
        result[name] = {"first": before, "second": after, "pairs": len(shared), "p": chance}
        told = "" if chance is None else f"   {chance:.3f}"
        unit = METRICS[name.partition("@")[0]].unit
        lines.append(f"{name:28}{shown(before, unit):>12}{shown(after, unit):>12}{after - before:>+12.3f}{told}")
    return result, lines


def read_report(path: Path) -> dict[str, Any]:
    """A report file.

    Raises:
        InputError: it is missing or something else.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["schema"] == SCHEMA and isinstance(report["figures"], dict) and isinstance(report["pictures"], list):
            return dict(report)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "give a report.json of evaluate") from None
    except (ValueError, KeyError, TypeError):
        pass
    raise InputError(f"{path} is no report of this version", "give a report.json of evaluate")


def lines_of(evaluated: Evaluated) -> list[str]:
    """The table for a terminal."""
    lines = []
    for found in evaluated.table.figures:
        spread = f"{shown(found.low)} to {shown(found.high)}" if found.prompts > 1 else ""
        arrow = {"higher": "more is better", "lower": "less is better"}.get(found.metric.better, "")
        lines.append(f"{found.name:28}{shown(found.value, found.metric.unit):>12}   {spread:22}n={found.n:<6}{arrow}".rstrip())
    for name, row in evaluated.table.paired.items():
        lines.append(f"{name:28}{row['change']:>+12.3f}   than the baseline, {row['pairs']} prompts, p {row['p']:.3f}")
    return lines


def rehearsed(config: EvaluateConfig) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    config = replace(config)
    if not config.pictures:
        raise InputError("no folder given", "for example stickerforge evaluate stickers/")
    folders = [folder for folder in (config.pictures, config.reference, config.style_reference, config.baseline) if folder]
    reads = {folder: len(listed(Path(folder))) for folder in folders}
    for text in config.fail_under:
        limit(text)
    names = sorted(metric_names(config.metrics))
    writes = [str(Path(config.out) / name) for name in ("report.json", "report.html")]
    seconds = round(3 + 0.05 * sum(reads.values()), 1)
    result = {"dry_run": True, "reads": reads, "metrics": names, "encoder": config.encoder, "fetches": [], "writes": writes}
    lines = [f"read    {folder}: {count} pictures" for folder, count in reads.items()] + [f"write   {path}" for path in writes]
    return result | {"about_seconds": seconds, "about_memory_mb": 900}, [*lines, f"about   {seconds} s, 900 MB"]
