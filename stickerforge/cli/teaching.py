"""Options of what teaches a model: caption, customize, merge."""

from pathlib import Path
from typing import Annotated

import typer

from stickerforge.cli.common import Assignments, ConfigFile, Device, DryRun, Json, Offline, Quiet, number_in, prepare_libraries, settings
from stickerforge.errors import InputError, PartlyDone
from stickerforge.reporting import Report, perform
from stickerforge.runtime.messages import Messages


def caption(
    pictures: Annotated[str | None, typer.Argument(help="A folder of pictures.")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="NAME", help="What all of them show; captions say <NAME> once.")
    ] = None,
    words: Annotated[
        str | None, typer.Option("--class", metavar="WORDS", help="What kind of thing the subject is. (default its name)")
    ] = None,
    captioner: Annotated[
        str | None, typer.Option("--captioner", metavar="NAME|FOLDER", help="An image-text model. (default embedded)")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--style", "-s", metavar="long|short|tags", help="Form of the captions. (default long)")
    ] = None,
    review: Annotated[bool, typer.Option("--review", help="Read and change them on a page, here in a browser.")] = False,
    take: Annotated[str | None, typer.Option("--take", metavar="FILE", help="Captions that were changed on a saved page.")] = None,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Say what is in pictures, in texts beside them: what customize learns from."""
    flags = {"pictures": pictures, "subject": subject, "words": words, "captioner": captioner, "form": form, "device": device}

    def work(messages: Messages) -> Report:
        from stickerforge.commands import caption as command
        from stickerforge.config.schema import CaptionConfig

        prepare_libraries(offline)
        resolved = settings(CaptionConfig, "caption", {}, config, assignments, flags)
        if dry_run and take:
            return Report(*command.rehearsed_taking(resolved, Path(take), messages))
        if dry_run:
            return Report(*command.rehearsed(resolved, messages, offline=True, only_missing=review))
        if review and quiet:
            raise InputError("--review says where its page is, and --quiet would keep it secret", "leave --quiet out")
        made = command.run(resolved, messages, offline=offline, take=Path(take) if take else None, only_missing=review)
        if review:
            from stickerforge.commands.reviewing import reviewed

            reviewed(made, messages)
        return Report(made.result(), made.lines(), made.note(), unusable(made.failed))

    perform("caption", as_json, quiet, work)


def customize(
    pictures: Annotated[str | None, typer.Argument(help="A folder of pictures of one subject, or in one style.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="NAME", help="Teach a subject; <NAME> will mean it.")] = None,
    style: Annotated[str | None, typer.Option("--style", "-s", metavar="NAME", help="Teach a style; --style NAME will apply it.")] = None,
    words: Annotated[
        str | None, typer.Option("--class", metavar="WORDS", help="What kind of thing the subject is. (default its name)")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the adapter, which --adapter then takes. (default that of the subject or style)")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps. (default the model's)")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Pictures per step. (default the model's)")] = None,
    rank: Annotated[int | None, typer.Option("--rank", help="Rank of the LoRA. (default the model's)")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate. (default the model's)")] = None,
    beta: Annotated[
        str | None,
        typer.Option("--beta", metavar="NUMBER|auto", help="Of DCO: larger stays closer to the base model. (default the model's)"),
    ] = None,
    objective: Annotated[str | None, typer.Option("--objective", help="dco, or plain for ordinary LoRA training. (default dco)")] = None,
    mask: Annotated[
        str | None,
        typer.Option("--mask", metavar="auto|none|FOLDER", help="What of the pictures counts. (default auto: see the README)"),
    ] = None,
    resolution: Annotated[
        int | None, typer.Option("--resolution", help="Side of the training pictures in pixels. (default the model's)")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="A model's name or folder. (default sticker-mini)")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Decides all randomness. (default 0)")] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="best|last", help="Which state to keep; best looks at pictures on the way. (default last)"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter or run of this name.")] = False,
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
        "pictures": pictures, "subject": subject, "style": style, "words": words, "name": name, "training.steps": steps,
        "training.batch": batch, "training.rank": rank, "training.lr": lr, "training.beta": number_in(beta), "mask": mask,
        "training.objective": objective,
        "training.resolution": resolution, "model": model, "seed": seed, "keep": keep, "device": device,
    }  # fmt: skip

    def work(messages: Messages) -> Report:
        from stickerforge.commands import customize as command
        from stickerforge.config.schema import CustomizeConfig

        prepare_libraries(offline)
        resolved = settings(CustomizeConfig, "customize", {}, config, assignments, flags)
        if dry_run:
            return Report(*command.rehearsed(resolved, messages, force=force, resume=resume))
        made = command.run(resolved, messages, offline=offline, force=force, resume=resume)
        return Report(made.result(), [str(made.adapter.path)], made.note(), unusable(made.failed))

    perform("customize", as_json, quiet, work)


def unusable(failed: list[str]) -> PartlyDone | None:
    """Exit 4 where some pictures could not be read."""
    what = f"{len(failed)} could not be used: {'; '.join(failed[:5])}{' …' if len(failed) > 5 else ''}"
    return PartlyDone(what, "the others were") if failed else None


def merge(
    parents: Annotated[
        list[str] | None, typer.Argument(metavar="NAME[:WEIGHT]...", help="The adapters, for example dog crayon:0.8.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the merged adapter.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option("--rename", metavar="PARENT:OLD=NEW", help="Another placeholder, where two parents share one.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter of this name.")] = False,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Make one adapter of several, for example of a subject and a style."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands import merge as command
        from stickerforge.config.schema import MergeConfig

        resolved = settings(MergeConfig, "merge", {}, config, assignments, {"parents": parents, "name": name, "rename": rename})
        if dry_run:
            return Report(*command.rehearsal(resolved, force=force))
        made = command.run(resolved, force=force)
        tokens = f", {' '.join(made.tokens)}" if made.tokens else ""
        return Report(
            command.result(made), [str(made.path)], f"merged into {made.name!r}{tokens}{f', {made.phrase}' if made.phrase else ''}"
        )

    perform("merge", as_json, quiet, work)
