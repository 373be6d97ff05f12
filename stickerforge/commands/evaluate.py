"""Measure a folder of stickers, and write a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stickerforge.config.resolve import resolve
from stickerforge.config.schema import EvaluateConfig
from stickerforge.config.toml import to_toml
from stickerforge.data.picture_folder import describe_skipped
from stickerforge.errors import CheckFailed, InputError, PartlyDone, StickerforgeError
from stickerforge.evaluation.extraction import extract_sets
from stickerforge.evaluation.image_set import list_images
from stickerforge.evaluation.limits import broken_limit, check_limit, parse_limit
from stickerforge.evaluation.metrics.base import MetricInput, select_metrics
from stickerforge.evaluation.metrics.rewards import missing_rewards, reward_places
from stickerforge.evaluation.plan import EvaluationPlan
from stickerforge.evaluation.prompt_matching import PromptFile
from stickerforge.evaluation.report import (
    FILES,
    build_report,
    check_output,
    replaced_report,
    table_rows,
    text_lines,
    write_report,
)
from stickerforge.evaluation.runner import score_sets, unmeasured_metrics
from stickerforge.evaluation.scores import ScoreTable
from stickerforge.models.hub import encoder_repository
from stickerforge.runtime.console import Console
from stickerforge.runtime.signals import interruptible

ROLES = ("pictures", "reference", "style_reference", "baseline")


@dataclass(frozen=True)
class Result:
    """What the command made.

    Args:
        failed: a line for each picture that could not be read.
        missed: a line for each limit that was not kept.
    """

    scores: ScoreTable
    report: dict[str, Any]
    json_file: Path
    page: Path
    failed: list[str]
    missed: list[str]

    @property
    def lines(self) -> list[str]:
        """The scores for people and pipes."""
        return text_lines(self.scores)

    @property
    def table(self) -> list[list[str]]:
        """The same as rows of cells for a terminal, the head first."""
        return table_rows(self.scores)

    def result(self) -> dict[str, Any]:
        """What the JSON of the command holds."""
        own = {name: self.report[name] for name in ("figures", "against_baseline", "failed")}
        files = {"report": str(self.json_file), "page": str(self.page)}
        return own | {"missed": self.missed} | files

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
    config = resolve(EvaluateConfig, settings or {}, {"pictures": str(pictures)})
    return run(config, Console(quiet=True), offline=False)


def run(config: EvaluateConfig, console: Console, *, offline: bool) -> Result:
    """Measure every folder, compute the scores, write the report.

    Raises:
        InputError: a folder, a prompt file or a setting cannot be used.
        EnvironmentFault: the encoder cannot be had here, or the report cannot be written.
        Interrupted: everything that was measured is kept for the next time.
    """
    # Heavy: they import torch.
    from stickerforge.evaluation.reward_models import RewardModels
    from stickerforge.models.encoders import load_encoder

    job = plan(config)
    if job.replaced:
        console.warn(f"the report of {job.replaced} in {job.out} is replaced; --out keeps both")
    for folder, names in job.skipped.items():
        for line in describe_skipped(names, folder):
            console.warn(line)
    with interruptible():
        encoder = load_encoder(job.encoder, device=job.device, offline=offline, say=console.say)
        sets, failed = extract_sets(job.paths, encoder, console)
        roles = [role for role in sets if role in ("pictures", "baseline")]
        targets = {role: job.prompts.targets(sets[role]) for role in roles}
        models = RewardModels(job.rewards, device=job.device, offline=offline, say=console.say)
        data = MetricInput(sets, targets, encoder, models, console, job.allow_small, failed)
        if missing := data.texts.count(""):
            console.warn(
                f"{missing} of {len(data.pictures)} pictures have no known prompt: "
                "they count where none is needed"
            )
        table = score_sets(data, job.metrics)
        if job.is_selection:
            table.refused += unmeasured_metrics(table, job.metrics, data.given)
        for line in table.refused:
            console.warn(line)
        if not job.is_selection:
            table.refused += missing_rewards(list(job.rewards))
        unmet = job.prompts.without_picture(targets["pictures"])
        report = build_report(job.folders["pictures"], data, table, failed, unmet)
        json_file, page = write_report(job.out, job.settings, report, data)
    missed = [line for limit in job.limits if (line := broken_limit(limit, table.scores))]
    return Result(table, report, json_file, page, failed, missed)


def plan(config: EvaluateConfig) -> EvaluationPlan:
    """Check settings and folders.

    Raises:
        InputError: something cannot work, or the report would lie among the pictures.
    """
    folders = {role: getattr(config, role) for role in ROLES if getattr(config, role)}
    if "pictures" not in folders:
        raise InputError("no folder given", "for example stickerforge evaluate stickers/")
    limits = [parse_limit(text) for text in config.fail_under]
    metrics = select_metrics(config.metrics)
    encoder_repository(config.encoder)
    rewards = reward_places(config.reward)
    for limit in limits:
        check_limit(limit, metrics, {*folders, "prompt", *rewards})
    entries = {role: list_images(Path(folder)) for role, folder in folders.items()}
    out = Path(config.out)
    check_output(out, folders.values())
    return EvaluationPlan(
        folders=folders,
        paths={role: paths for role, (paths, _) in entries.items()},
        skipped={folders[role]: names for role, (_, names) in entries.items() if names},
        replaced=replaced_report(out, folders["pictures"]),
        prompts=PromptFile(config.prompts),
        encoder=config.encoder,
        device=config.device,
        rewards=rewards,
        metrics=metrics,
        is_selection=bool(config.metrics),
        allow_small=config.allow_small,
        limits=limits,
        settings=to_toml(config, "evaluate"),
        out=out,
    )


def dry_run(config: EvaluateConfig) -> tuple[dict[str, Any], list[str]]:
    """What the call would do: (result for the JSON, lines for people)."""
    job = plan(config)
    reads = {job.folders[role]: len(paths) for role, paths in job.paths.items()}
    drops = [f"{folder}: {name}" for folder, names in job.skipped.items() for name in names]
    places = [encoder_repository(job.encoder), *job.rewards.values()]
    fetches = [place for place in places if place and not Path(place).exists()]
    writes = [str(job.out / name) for name in FILES]
    seconds = round(4 + 0.06 * sum(reads.values()), 1)
    result = {
        "dry_run": True,
        "reads": reads,
        "drops": drops,
        "metrics": sorted(job.metrics),
        "encoder": job.encoder,
        "rewards": list(config.reward),
        "fetches": fetches,
        "writes": writes,
        "about_seconds": seconds,
        "about_memory_mb": 900,
    }
    lines = [f"read    {folder}: {count} pictures" for folder, count in reads.items()]
    lines += [f"drop    {line}" for line in drops]
    lines += [f"fetch   {place}, unless it is in the cache" for place in fetches]
    lines += [f"write   {path}" for path in writes]
    lines.append(f"about   {seconds} s, 900 MB{', rewards not counted' if job.rewards else ''}")
    return result, lines
