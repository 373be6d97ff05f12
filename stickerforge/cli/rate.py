"""`stickerforge rate`."""

from pathlib import Path
from typing import Annotated

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.output import Report, partial_failure
from stickerforge.config.schema import RateConfig
from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError

STDOUT = "-"

Ratings = Annotated[
    str | None,
    typer.Option("--ratings", metavar="FILE", help="Take ratings in that were given elsewhere."),
]
Export = Annotated[
    str | None,
    typer.Option("--export", metavar="FILE", help="Write the ratings there; - for stdout."),
]


@command(RateConfig)
def rate(call: Call[RateConfig], *, ratings: Ratings = None, export: Export = None) -> Report:
    """Let people decide, on a page here in a browser, which pictures are good."""
    config, console = call.resolve(), call.console
    file = Path(user_path(ratings)) if ratings else None
    page = file is None and not export
    if call.dry_run:
        return Report(*commands.rate.dry_run(config, ratings=file, page=page, offline=call.offline))
    if page and console.quiet:
        raise InputError(
            "rate says where its page is, and --quiet would keep it secret", "leave --quiet out"
        )
    result = commands.rate.run(config, console, ratings=file, page=page, offline=call.offline)
    found, lines, table = result.result(), result.lines(), result.outcome.table()
    if export == STDOUT:
        lines, table = result.rating_lines(), None
        found["ratings"] = result.rating_rows()
    elif export:
        result.export(Path(user_path(export)))
    failure = partial_failure(result.outcome.task.failed)
    return Report(found, lines, result.note(), failure, table)
