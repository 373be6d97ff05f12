"""Measure a folder of stickers, and write a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import EvaluateConfig
from stickerforge.errors import CheckFailed, InputError, PartlyDone, StickerforgeError
from stickerforge.evaluation.features import compute_sets
from stickerforge.evaluation.image_set import list_images
from stickerforge.evaluation.limits import broken_limit, check_limit, parse_limit
from stickerforge.evaluation.plan import EvaluationPlan
from stickerforge.evaluation.prompt_matching import PromptFile
from stickerforge.evaluation.report import (
    CONFIG_FILE,
    PAGE_FILE,
    REPORT_FILE,
    build_report,
    replaced_report,
    write_report,
)
from stickerforge.evaluation.reward_scores import add_rewards, missing_rewards, reward_places
from stickerforge.evaluation.runner import ScoreTable, metric_names, score_sets, unmeasured_metrics
from stickerforge.models.hub import encoder_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.context import Context
from stickerforge.runtime.signals import interruptible

ROLES = ("pictures", "reference", "style_reference", "baseline")


@dataclass(frozen=True)
class Result:
    """What there is to say.

    Args:
        failed: a line for each picture that could not be read.
        missed: a line for each limit that was not kept.
    """

    table: ScoreTable
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
            return PartlyDone(
                f"{len(self.failed)} pictures could not be read: {'; '.join(self.failed[:5])}",
                "the others were measured",
            )
        return None


def evaluate(pictures: str | Path, *, settings: Mapping[str, Any] | None = None) -> Result:
    """Evaluate from Python: `evaluate("stickers", settings={"reference": "photos"})`.

    Raises:
        StickerforgeError: see `stickerforge.errors`.
    """
    return run(
        resolve(EvaluateConfig, settings or {}, {"pictures": str(pictures)}),
        Console(quiet=True),
        offline=False,
    )


def run(config: EvaluateConfig, console: Console, *, offline: bool) -> Result:
    """Measure, compute, write.

    Raises:
        InputError: a folder, a prompt file or a setting cannot be used.
        EnvironmentFault: the encoder cannot be had here, or the report cannot be written.
        Interrupted: everything that was measured is kept for the next time.
    """
    from stickerforge.models.encoders import load_encoder

    whole = plan(config)
    if whole.replaced:
        console.warn(f"the report of {whole.replaced} in {whole.out} is replaced; --out keeps both")
    for role, names in whole.passed_over.items():
        console.warn(
            f"passed over in {role}, since they are no pictures: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
        )
    with interruptible():
        asked = load_encoder(config.encoder, device=config.device, offline=offline, say=console.say)
        sets, failed = compute_sets(whole.paths, asked, console)
        found = {
            role: whole.prompts.matched(items)
            for role, items in sets.items()
            if role in ("pictures", "baseline")
        }
        if missing := sum(not item.text for item in found["pictures"]):
            console.warn(
                f"{missing} of {len(found['pictures'])} pictures have no known prompt: they count where none is needed"
            )
        table = score_sets(sets, found, asked, whole.wanted, allow_small=config.allow_small)
        add_rewards(
            table,
            sets,
            found,
            reward_places(config.reward),
            Context(config.device, offline, console),
        )
        table.sort()
        table.refused += unmeasured_metrics(config, table) if config.metrics else []
        for line in table.refused:
            console.warn(line)
        table.refused += [] if config.metrics else missing_rewards(config.reward)
        report = build_report(config, sets, found["pictures"], table, asked, failed)
        report["prompts_without_picture"] = whole.prompts.unanswered(found["pictures"])
        made = write_report(whole, report, sets, found)
    missed = [line for item in whole.limits for line in [broken_limit(item, table.figures)] if line]
    return Result(table, report, made[0], made[1], failed, missed)


def plan(config: EvaluateConfig) -> EvaluationPlan:
    """Check settings and folders.

    Raises:
        InputError: something cannot work, or the report would lie among the pictures.
    """
    if not config.pictures:
        raise InputError("no folder given", "for example stickerforge evaluate stickers/")
    limits, wanted = [parse_limit(text) for text in config.fail_under], metric_names(config.metrics)
    encoder_repository(config.encoder)
    rewards = reward_places(config.reward)
    for item in limits:
        check_limit(item, config, wanted, set(rewards))
    folders = {role: getattr(config, role) for role in ROLES if getattr(config, role)}
    entries = {role: list_images(Path(folder)) for role, folder in folders.items()}
    out = Path(config.out).resolve()
    for folder in map(Path, folders.values()):
        if folder.resolve() in (out, *out.parents):
            raise InputError(
                f"the report would be written into {folder}, among the pictures",
                "give --out FOLDER somewhere else",
            )
    over = {folders[role]: names for role, (_, names) in entries.items() if names}
    paths = {role: found for role, (found, _) in entries.items()}
    there = replaced_report(Path(config.out), config.pictures)
    return EvaluationPlan(
        config, limits, wanted, PromptFile(config.prompts), paths, over, Path(config.out), there
    )


def dry_run(config: EvaluateConfig) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    whole = plan(config)
    reads = {getattr(config, role): len(paths) for role, paths in whole.paths.items()}
    drops = [f"{folder}: {name}" for folder, names in whole.passed_over.items() for name in names]
    known = [encoder_repository(config.encoder), *reward_places(config.reward).values()]
    repositories = [place for place in known if place and not Path(place).expanduser().exists()]
    writes = [str(whole.out / name) for name in (CONFIG_FILE, REPORT_FILE, PAGE_FILE)]
    seconds = round(4 + 0.06 * sum(reads.values()), 1)
    result = {
        "dry_run": True,
        "reads": reads,
        "drops": drops,
        "metrics": sorted(whole.wanted),
        "encoder": config.encoder,
        "rewards": list(config.reward),
        "fetches": repositories,
        "writes": writes,
        "about_seconds": seconds,
        "about_memory_mb": 900,
    }
    lines = [f"read    {folder}: {count} pictures" for folder, count in reads.items()] + [
        f"drop    {line}" for line in drops
    ]
    lines += [f"fetch   {place}, unless it is in the cache" for place in repositories]
    return result, [
        *lines,
        *(f"write   {path}" for path in writes),
        f"about   {seconds} s, 900 MB{', rewards not counted' if config.reward else ''}",
    ]
