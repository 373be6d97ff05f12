"""`stickerforge evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.output import Report
from stickerforge.config.schema import EvaluateConfig
from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError

ORDER = (
    "pictures prompts reference style_reference baseline encoder metrics reward fail_under compare"
    " out"
).split()

Compare = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--compare", metavar="A.json B.json", help="Two reports side by side; measures nothing."
    ),
]


@command(EvaluateConfig, ORDER)
def evaluate(call: Call[EvaluateConfig], *, compare: Compare = None) -> Report:
    """Measure stickers: do they fit their prompts, are they cut out well, do they differ."""
    if compare:
        from stickerforge.evaluation.compare_reports import compare_reports

        if call.flags:
            raise InputError(
                "--compare takes two reports and measures nothing", "leave the other options out"
            )
        differences, lines = compare_reports(*(Path(user_path(file)) for file in compare))
        return Report({"figures": differences}, lines)
    config = call.resolve()
    if call.dry_run:
        return Report(*commands.evaluate.dry_run(config))
    result = commands.evaluate.run(config, call.console, offline=call.offline)
    return Report(result.result(), result.lines, f"see {result.page}", result.error(), result.table)
