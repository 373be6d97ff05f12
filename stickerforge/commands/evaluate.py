"""Measure a folder of stickers, and write a report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stickerforge import __version__
from stickerforge.commands.comparing import SCHEMA
from stickerforge.commands.figured import Table, figured, metric_names
from stickerforge.commands.matching import Asked, Prompts, twins
from stickerforge.commands.measured import Measured, listed, measure
from stickerforge.commands.rewarded import Means, absent, places, rewarded
from stickerforge.config.load import as_toml, resolve
from stickerforge.config.schema import EvaluateConfig
from stickerforge.errors import CheckFailed, InputError, PartlyDone, StickerforgeError
from stickerforge.evaluation.figures import METRICS, Figure, as_json, shown, spread, worse
from stickerforge.models.catalog import encoder_repository
from stickerforge.runtime.files import make_folder, write_whole
from stickerforge.runtime.messages import Messages
from stickerforge.runtime.signals import interruptible

if TYPE_CHECKING:
    from stickerforge.models.encoders import Encoder

CONFIG, REPORT, PAGE = "evaluate.toml", "report.json", "report.html"
NEEDS = {
    "reference": "--reference",
    "style": "--style-reference",
    "baseline": "--baseline",
    "prompt": "prompts, and an encoder that reads text",
    "reward": "--reward with its weights",
}
ROLES = ("pictures", "reference", "style_reference", "baseline")


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
        Interrupted: everything that was measured is kept for the next time.
    """
    from stickerforge.models.encoders import encoder

    whole = plan(config)
    if whole.replaced:
        messages.warn(f"the report of {whole.replaced} in {whole.out} is replaced; --out keeps both")
    for role, names in whole.passed_over.items():
        messages.warn(f"passed over in {role}, since they are no pictures: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")
    with interruptible():
        asked = encoder(config.encoder, device=config.device, offline=offline, say=messages.say)
        sets, failed = measured_sets(whole.paths, asked, messages)
        found = {role: whole.prompts.matched(items) for role, items in sets.items() if role in ("pictures", "baseline")}
        if missing := sum(not item.text for item in found["pictures"]):
            messages.warn(f"{missing} of {len(found['pictures'])} pictures have no known prompt: they count where none is needed")
        table = figured(sets, found, asked, whole.wanted, allow_small=config.allow_small)
        rewarded(table, sets, found, places(config.reward), Means(config.device, offline, messages))
        table.sort()
        table.refused += unmeasured(config, table) if config.metrics else []
        for line in table.refused:
            messages.warn(line)
        table.refused += [] if config.metrics else absent(config.reward)
        report = as_report(config, sets, found["pictures"], table, asked, failed)
        report["prompts_without_picture"] = whole.prompts.unanswered(found["pictures"])
        made = written(whole, report, sets, found)
    missed = [line for item in whole.limits for line in [checked(item, table.figures)] if line]
    return Evaluated(table, report, made[0], made[1], failed, missed)


@dataclass(frozen=True)
class Plan:
    """Everything that is known before a picture is read.

    Args:
        paths: of what may be pictures, by role.
        passed_over: names of what is none, by the folder.
        replaced: the other folder whose report lies where this one goes, or "".
    """

    config: EvaluateConfig
    limits: list[Limit]
    wanted: set[str]
    prompts: Prompts
    paths: dict[str, list[Path]]
    passed_over: dict[str, list[str]]
    out: Path
    replaced: str


def plan(config: EvaluateConfig) -> Plan:
    """Check settings and folders.

    Raises:
        InputError: something cannot work, or the report would lie among the pictures.
    """
    if not config.pictures:
        raise InputError("no folder given", "for example stickerforge evaluate stickers/")
    limits, wanted = [limit(text) for text in config.fail_under], metric_names(config.metrics)
    encoder_repository(config.encoder)
    rewards = places(config.reward)
    for item in limits:
        check_limit(item, config, wanted, set(rewards))
    folders = {role: getattr(config, role) for role in ROLES if getattr(config, role)}
    entries = {role: listed(Path(folder)) for role, folder in folders.items()}
    out = Path(config.out).resolve()
    for folder in map(Path, folders.values()):
        if folder.resolve() in (out, *out.parents):
            raise InputError(f"the report would be written into {folder}, among the pictures", "give --out FOLDER somewhere else")
    over = {folders[role]: names for role, (_, names) in entries.items() if names}
    paths = {role: found for role, (found, _) in entries.items()}
    there = replaced(Path(config.out), config.pictures)
    return Plan(config, limits, wanted, Prompts(config.prompts), paths, over, Path(config.out), there)


def replaced(out: Path, folder: str) -> str:
    """Of which other folder there is a report already, or "".

    Raises:
        InputError: what is there is no report of ours, or are no settings of ours, and is not replaced.
    """
    report, page, said = out / REPORT, out / PAGE, {}
    ours = not page.exists() or report.exists()
    try:
        if (out / CONFIG).exists():
            ours = ours and (out / CONFIG).read_text(encoding="utf-8").startswith('command = "evaluate"\n')
        if report.exists():
            said = json.loads(report.read_text(encoding="utf-8"))
            ours = ours and isinstance(said["schema"], int) and isinstance(said["folder"], str)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        ours = False
    if not ours:
        raise InputError(f"evaluate would replace {CONFIG}, {REPORT} or {PAGE} in {out}, and did not write them", "give another --out")
    other = said.get("folder", folder)
    return "" if other == str(Path(folder)) or Path(other).resolve() == Path(folder).resolve() else other


def written(whole: Plan, report: dict[str, Any], sets: Mapping[str, list[Measured]], found: Mapping[str, list[Asked]]) -> tuple[Path, Path]:
    """(report.json, report.html), and beside them the settings as a --config."""
    from stickerforge.evaluation.page import Shown, page_of

    make_folder(whole.out)
    json_file, page = whole.out / REPORT, whole.out / PAGE
    write_whole(whole.out / CONFIG, as_toml(whole.config, "evaluate").encode())
    write_whole(json_file, (json.dumps(report, indent=1) + "\n").encode())
    pictures = [Shown(item.thumbnail, item.path.resolve()) for item in sets["pictures"]]
    beside = twins(found["pictures"], sets["pictures"], found.get("baseline", []), sets.get("baseline", []))
    others = [Shown(item.thumbnail, item.path.resolve()) if item else None for item in beside]
    write_whole(page, page_of(report, pictures, others, whole.out.resolve()).encode("utf-8", "replace"))
    return json_file, page


def unmeasured(config: EvaluateConfig, table: Table) -> list[str]:
    """A line for each metric that was named and could not be computed."""
    have = {found.metric.name for found in table.figures} | {line.partition(":")[0] for line in table.refused}
    named = [name for name in METRICS if name in metric_names(config.metrics) and name not in have]
    return [f"{name}: needs {NEEDS.get(METRICS[name].group, 'other pictures')}" for name in named]


def measured_sets(paths: Mapping[str, list[Path]], asked: "Encoder", messages: Messages) -> tuple[dict[str, list[Measured]], list[str]]:
    """Every folder measured; a set of which nothing can be read is an error.

    Raises:
        InputError: no picture of a folder can be read.
    """
    sets, failed = {}, []
    with messages.progress("measuring", sum(map(len, paths.values()))) as advance:
        for role, files in paths.items():
            found = measure(files, asked, advance)
            if not found.pictures:
                raise InputError(
                    f"{files[0].parent}: none of its {len(files)} pictures can be read: {found.failed[0]}", "mend or replace them"
                )
            sets[role] = found.pictures
            failed += found.failed
            for note in found.notes[:8]:
                messages.warn(note)
    return sets, failed


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
    metric = METRICS.get(name.partition("@")[0])
    if metric is None or value != value:
        raise InputError(f"--fail-under {text!r} is no limit", "give METRIC=VALUE, for example alignment@judge=0.3")
    if not metric.better:
        raise InputError(f"--fail-under: {metric.name} is neither better high nor low", "look at it in the report")
    return Limit(name, value)


def check_limit(item: Limit, config: EvaluateConfig, wanted: set[str], rewards: set[str]) -> None:
    """Refuse a limit on what this call will not measure, before it measures anything.

    Raises:
        InputError: it is such a limit.
    """
    name = item.name.partition("@")[0]
    metric = METRICS[name]
    given = {"reference": config.reference, "style": config.style_reference, "baseline": config.baseline}
    if metric.group == "reward":
        possible = name.partition("_")[0] in rewards
    else:
        possible = name in wanted and bool(given.get(metric.group, True))
    if not possible:
        hint = f"it needs {NEEDS[metric.group]}" if metric.group in NEEDS and name in wanted else "add it to --metrics"
        raise InputError(f"--fail-under: {item.name} would not be measured", hint)


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
    side = "over" if found.metric.better == "lower" else "under"
    return f"{found.name} is {shown(found.value)}, {side} {item.value:g}"


def as_report(
    config: EvaluateConfig, sets: Mapping[str, list[Measured]], asked: Sequence[Asked], table: Table, used: "Encoder", failed: list[str]
) -> dict[str, Any]:
    """The whole report; its schema is in the README."""
    pictures = [
        {
            "file": item.path.name, "sha256": item.sha256, "pixels": list(item.pixels), "prompt": wish.text,
            "seed": item.recipe.get("seed"),
            "values": {name: round(float(values[number]), 6) for name, values in table.values.items() if not np.isnan(values[number])},
        }
        for number, (item, wish) in enumerate(zip(sets["pictures"], asked, strict=True))
    ]  # fmt: skip
    return {
        "schema": SCHEMA, "stickerforge": __version__, "folder": str(Path(config.pictures)),
        "encoder": {"name": used.name, "sha256": used.digest}, "counts": {role: len(items) for role, items in sets.items()},
        "figures": {
            name: dict(entry) | ({"weights": table.weights.get(name, used.digest)} if "@" in name else {})
            for name, entry in as_json(table.figures).items()
        }, "pictures": pictures, "prompts_without_picture": [],
        "against_baseline": table.paired, "refused": table.refused, "failed": failed,
    }  # fmt: skip


def rows_of(evaluated: Evaluated) -> list[list[str]]:
    """The table for a terminal, its head first."""
    pairs = evaluated.table.paired
    rows = [["figure", "mean", "95 % interval", "n", "better", *(["than the baseline"] if pairs else [])]]
    for found in evaluated.table.figures:
        between = spread(found.low, found.high, found.metric.unit) if found.prompts > 1 else ""
        pair = pairs.get(found.name)
        change = [f"{pair['change']:+.3f}, p {pair['p']:.3f}" if pair else ""] if pairs else []
        rows.append([found.name, shown(found.value, found.metric.unit), between, str(found.n), found.metric.better, *change])
    return rows


def lines_of(evaluated: Evaluated) -> list[str]:
    """The same for a pipe."""
    lines = []
    for found in evaluated.table.figures:
        between = spread(found.low, found.high, found.metric.unit) if found.prompts > 1 else ""
        arrow = {"higher": "more is better", "lower": "less is better"}.get(found.metric.better, "")
        lines.append(f"{found.name:28}{shown(found.value, found.metric.unit):>12}   {between:22}n={found.n:<6}{arrow}".rstrip())
    for name, row in evaluated.table.paired.items():
        lines.append(f"{name:28}{row['change']:>+12.3f}   than the baseline, {row['prompts']} prompts, p {row['p']:.3f}")
    return lines


def rehearsed(config: EvaluateConfig) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    whole = plan(config)
    reads = {getattr(config, role): len(paths) for role, paths in whole.paths.items()}
    drops = [f"{folder}: {name}" for folder, names in whole.passed_over.items() for name in names]
    known = [encoder_repository(config.encoder), *places(config.reward).values()]
    repositories = [place for place in known if place and not Path(place).expanduser().exists()]
    writes = [str(whole.out / name) for name in (CONFIG, REPORT, PAGE)]
    seconds = round(4 + 0.06 * sum(reads.values()), 1)
    result = {
        "dry_run": True, "reads": reads, "drops": drops, "metrics": sorted(whole.wanted), "encoder": config.encoder,
        "rewards": list(config.reward), "fetches": repositories, "writes": writes, "about_seconds": seconds, "about_memory_mb": 900,
    }  # fmt: skip
    lines = [f"read    {folder}: {count} pictures" for folder, count in reads.items()] + [f"drop    {line}" for line in drops]
    lines += [f"fetch   {place}, unless it is in the cache" for place in repositories]
    return result, [
        *lines,
        *(f"write   {path}" for path in writes),
        f"about   {seconds} s, 900 MB{', rewards not counted' if config.reward else ''}",
    ]
