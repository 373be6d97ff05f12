"""`stickerforge caption`."""

from pathlib import Path
from typing import Annotated

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.output import Report, partial_failure
from stickerforge.config.schema import CaptionConfig
from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError

Review = Annotated[
    bool, typer.Option("--review", help="Read and change them on a page, here in a browser.")
]
Take = Annotated[
    str | None,
    typer.Option("--take", metavar="FILE", help="Captions that were changed on a saved page."),
]


@command(CaptionConfig)
def caption(call: Call[CaptionConfig], *, review: Review = False, take: Take = None) -> Report:
    """Say what is in pictures, in texts beside them: what customize learns from."""
    config, console = call.resolve(), call.console
    edits = Path(user_path(take)) if take else None
    if call.dry_run:
        return Report(
            *commands.caption.dry_run(
                config, console, offline=True, take=edits, only_missing=review
            )
        )
    if review and console.quiet:
        raise InputError(
            "--review says where its page is, and --quiet would keep it secret", "leave --quiet out"
        )
    captions = commands.caption.run(
        config, console, offline=call.offline, take=edits, only_missing=review
    )
    if review:
        open_page = commands.caption.write_page if call.offline else commands.caption.review
        open_page(captions, console)
    failure = partial_failure(captions.failed)
    return Report(captions.result(), captions.lines(), captions.note(), failure)
