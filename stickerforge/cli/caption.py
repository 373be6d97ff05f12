"""`stickerforge caption`: its options."""

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
from stickerforge.cli.output import Report, partial_failure, run_command
from stickerforge.errors import InputError
from stickerforge.runtime.console import Console


def caption(
    pictures: Annotated[str | None, typer.Argument(help="A folder of pictures.")] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject", metavar="NAME", help="What all of them show; captions say <NAME> once."
        ),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="WORDS", help="What kind of thing the subject is. (default its name)"
        ),
    ] = None,
    captioner: Annotated[
        str | None,
        typer.Option(
            "--captioner", metavar="NAME|FOLDER", help="An image-text model. (default embedded)"
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--style", "-s", metavar="long|short|tags", help="Form of the captions. (default long)"
        ),
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="Read and change them on a page, here in a browser.")
    ] = False,
    take: Annotated[
        str | None,
        typer.Option("--take", metavar="FILE", help="Captions that were changed on a saved page."),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Say what is in pictures, in texts beside them: what customize learns from."""
    flags = {
        "pictures": pictures,
        "subject": subject,
        "class_words": words,
        "captioner": captioner,
        "form": form,
        "device": device,
    }

    def work(console: Console) -> Report:
        from stickerforge.commands import caption as command
        from stickerforge.config.schema import CaptionConfig

        prepare_libraries(offline)
        resolved = resolve_settings(CaptionConfig, "caption", {}, config, assignments, flags)
        edits = Path(take) if take else None
        if dry_run:
            return Report(
                *command.dry_run(resolved, console, offline=True, take=edits, only_missing=review)
            )
        if review and quiet:
            raise InputError(
                "--review says where its page is, and --quiet would keep it secret",
                "leave --quiet out",
            )
        made = command.run(
            resolved,
            console,
            offline=offline,
            take=edits,
            only_missing=review,
        )
        if review:
            from stickerforge.captioning.review_page import review as review_captions

            review_captions(made, console)
        return Report(made.result(), made.lines(), made.note(), partial_failure(made.failed))

    run_command("caption", as_json, quiet, work)
