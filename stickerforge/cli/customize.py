"""`stickerforge customize`."""

from typing import Annotated

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.output import Report, partial_failure
from stickerforge.config.schema import CustomizeConfig

ORDER = (
    "pictures subject style class_words name training.steps training.batch training.rank"
    " training.lr training.beta training.objective mask training.resolution model seed keep"
).split()

Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with a run; --steps teaches on a finished one.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace an adapter or run of this name.")]


@command(CustomizeConfig, ORDER)
def customize(
    call: Call[CustomizeConfig], *, resume: Resume = False, force: Force = False
) -> Report:
    """Teach a subject or a style from a few pictures."""
    config, console = call.resolve(), call.console
    if call.dry_run:
        return Report(*commands.customize.dry_run(config, console, force=force, resume=resume))
    result = commands.customize.run(
        config, console, offline=call.offline, force=force, resume=resume
    )
    failure = partial_failure(result.failed) or result.error()
    return Report(result.result(), [str(result.adapter.path)], result.note(), failure)
