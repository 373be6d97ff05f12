"""`stickerforge evaluate`: its options."""

from pathlib import Path
from typing import Annotated

import typer

from stickerforge.cli.options import (
    Assignments,
    ConfigFile,
    Device,
    DryRun,
    Json,
    Offline,
    Quiet,
    prepare_libraries,
    resolve_settings,
)
from stickerforge.cli.output import Report, run_command
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console


def evaluate(
    pictures: Annotated[str | None, typer.Argument(help="A folder of stickers.")] = None,
    prompts: Annotated[
        str | None,
        typer.Option("--prompts", metavar="FILE", help="What was asked for; ids are file names."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="FOLDER", help="Pictures of the subject.")
    ] = None,
    style_reference: Annotated[
        str | None,
        typer.Option("--style-reference", metavar="FOLDER", help="Pictures in the style."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="FOLDER", help="Stickers for the same prompts."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME|FOLDER",
            help="judge, second, clip, siglip, dinov2 or a folder. (default judge)",
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metrics", help="Only these, for example cutout,alignment."),
    ] = None,
    reward: Annotated[
        list[str] | None,
        typer.Option(
            "--reward",
            metavar="KIND[=PLACE]",
            help="pickscore, aesthetic, vqascore, hpsv2=FOLDER or lpips=FILE.",
        ),
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="METRIC=VALUE",
            help="Exit 5 where a figure is worse; may be given again.",
        ),
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare", metavar="A.json B.json", help="Two reports side by side; measures nothing."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Where to write the report. (default evaluation)"
        ),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Measure stickers: do they fit their prompts, are they cut out well, do they differ."""
    flags = {
        "pictures": pictures,
        "prompts": prompts,
        "reference": reference,
        "style_reference": style_reference,
        "baseline": baseline,
        "encoder": encoder,
        "metrics": metrics,
        "reward": reward,
        "fail_under": fail_under,
        "out": out,
        "device": device,
    }

    def work(console: Console) -> Report:
        from stickerforge.commands import evaluate as command
        from stickerforge.config.schema import EvaluateConfig
        from stickerforge.evaluation.compare_reports import compare_reports

        prepare_libraries(offline)
        if compare:
            if any(value is not None for value in flags.values()):
                raise InputError(
                    "--compare takes two reports and measures nothing",
                    "leave the other options out",
                )
            result, lines = compare_reports(Path(compare[0]), Path(compare[1]))
            return Report({"figures": result}, lines)
        resolved = resolve_settings(EvaluateConfig, "evaluate", {}, config, assignments, flags)
        if dry_run:
            return Report(*command.dry_run(resolved))
        ended = command.run(resolved, console, offline=offline)
        return Report(ended.result(), ended.lines, f"see {ended.page}", ended.error(), ended.table)

    run_command("evaluate", as_json, quiet, work)
