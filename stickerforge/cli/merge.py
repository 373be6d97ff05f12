"""`stickerforge merge`."""

from typing import Annotated

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.output import Report
from stickerforge.config.schema import MergeConfig

Force = Annotated[bool, typer.Option("--force", help="Replace an adapter of this name.")]


@command(MergeConfig)
def merge(call: Call[MergeConfig], *, force: Force = False) -> Report:
    """Make one adapter of several, for example of a subject and a style."""
    config = call.resolve()
    if call.dry_run:
        return Report(*commands.merge.dry_run(config, force=force))
    merged = commands.merge.run(config, force=force)
    return Report(merged.result(), [str(merged.adapter.path)], merged.note())
