"""`stickerforge customize`: its options."""

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
    parse_number,
    prepare_libraries,
    resolve_settings,
)
from stickerforge.cli.output import Report, partial_failure, run_command
from stickerforge.runtime.console import Console


def customize(
    pictures: Annotated[
        str | None, typer.Argument(help="A folder of pictures of one subject, or in one style.")
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option("--subject", metavar="NAME", help="Teach a subject; <NAME> will mean it."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--style", "-s", metavar="NAME", help="Teach a style; --style NAME will apply it."
        ),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="WORDS", help="What kind of thing the subject is. (default its name)"
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Name of the adapter, which --adapter then takes. (default that of the subject or style)",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Training steps. (default the model's)")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", help="Pictures per step. (default the model's)")
    ] = None,
    rank: Annotated[
        int | None, typer.Option("--rank", help="Rank of the LoRA. (default the model's)")
    ] = None,
    lr: Annotated[
        float | None, typer.Option("--lr", help="Learning rate. (default the model's)")
    ] = None,
    beta: Annotated[
        str | None,
        typer.Option(
            "--beta",
            metavar="NUMBER|auto",
            help="Of DCO: larger stays closer to the base model. (default the model's)",
        ),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option("--objective", help="dco, or plain for ordinary LoRA training. (default dco)"),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            "--mask",
            metavar="auto|none|FOLDER",
            help="What of the pictures counts. (default auto: see the README)",
        ),
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            "--resolution", help="Side of the training pictures in pixels. (default the model's)"
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A model's name or folder. (default sticker-mini)"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Decides all randomness. (default 0)")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="best|last",
            help="Which state to keep; best looks at pictures on the way. (default last)",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an adapter or run of this name.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Teach a subject or a style from a few pictures."""
    flags = {
        "pictures": pictures,
        "subject": subject,
        "style": style,
        "class_words": words,
        "name": name,
        "training.steps": steps,
        "training.batch": batch,
        "training.rank": rank,
        "training.lr": lr,
        "training.beta": parse_number(beta),
        "mask": mask,
        "training.objective": objective,
        "training.resolution": resolution,
        "model": model,
        "seed": seed,
        "keep": keep,
        "device": device,
    }

    def work(console: Console) -> Report:
        from stickerforge.commands import customize as command
        from stickerforge.config.schema import CustomizeConfig

        prepare_libraries(offline)
        resolved = resolve_settings(CustomizeConfig, "customize", {}, config, assignments, flags)
        if dry_run:
            return Report(*command.dry_run(resolved, console, force=force, resume=resume))
        made = command.run(resolved, console, offline=offline, force=force, resume=resume)
        return Report(
            made.result(), [str(made.adapter.path)], made.note(), partial_failure(made.failed)
        )

    run_command("customize", as_json, quiet, work)
