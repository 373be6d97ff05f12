"""`stickerforge merge`: its options."""

from typing import Annotated

import typer

from stickerforge.cli.options import (
    Assignments,
    ConfigFile,
    DryRun,
    Json,
    Offline,
    Quiet,
    resolve_settings,
)
from stickerforge.cli.output import Report, run_command
from stickerforge.runtime.console import Console


def merge(
    parents: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME[:WEIGHT]...", help="The adapters, for example dog crayon:0.8."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the merged adapter.")] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            metavar="PARENT:OLD=NEW",
            help="Another placeholder, where two parents share one.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an adapter of this name.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Make one adapter of several, for example of a subject and a style."""

    def work(console: Console) -> Report:
        from stickerforge.commands import merge as command
        from stickerforge.config.schema import MergeConfig

        resolved = resolve_settings(
            MergeConfig,
            "merge",
            {},
            config,
            assignments,
            {"parents": parents, "name": name, "rename": rename},
        )
        if dry_run:
            return Report(*command.dry_run(resolved, force=force))
        merged = command.run(resolved, force=force)
        return Report(merged.result(), [str(merged.adapter.path)], merged.note())

    run_command("merge", as_json, quiet, work)
