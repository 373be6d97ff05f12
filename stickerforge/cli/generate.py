"""`stickerforge generate`: its options and what it prints."""

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


def generate(
    prompt: Annotated[
        list[str] | None, typer.Argument(help='What to draw, for example "cat astronaut".')
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option("--prompts", metavar="FILE", help="Prompts from a txt, csv or jsonl file."),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            "--style", "-s", help="sticker, flat, noto, twemoji, or the name of a style adapter."
        ),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(
            "--subject",
            metavar="NAME",
            help="A taught subject, meant by its class word in the prompt.",
        ),
    ] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            metavar="NAME|FILE[:SCALE]",
            help="An adapter or LoRA file; may be given again.",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", help="Pictures per prompt. (default 1)")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", help="Picture i uses seed + i; without it one is drawn and printed."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where to write. (default stickers)"),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option("--size", help="Side of the file in pixels, or native. (default 512)"),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="png or webp. (default png)")
    ] = None,
    negative: Annotated[str | None, typer.Option("--negative", help="What to avoid.")] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Denoising steps. (default the model's)")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option("--guidance", help="How closely to follow the prompt. (default the model's)"),
    ] = None,
    consistency: Annotated[
        float | None,
        typer.Option(
            "--consistency",
            metavar="WEIGHT",
            help="Lead adapters by the base: 0 is the base alone.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="A model's name or folder. (default: the adapters' base, else sticker-mini)",
        ),
    ] = None,
    matting: Annotated[
        str | None,
        typer.Option(
            "--matting",
            help="auto, none, or a matting model, for models without alpha. (default auto)",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace pictures with the same id that were made by other settings."
        ),
    ] = False,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="PICTURE", help="Repeat what a picture remembers."),
    ] = None,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Make transparent stickers from prompts."""
    flags = {
        "prompt": prompt,
        "prompts": prompts,
        "style": style,
        "subject": subject,
        "adapter": adapter,
        "count": count,
        "seed": seed,
        "output.folder": out,
        "output.size": size_in(size),
        "output.format": format_,
        "negative": negative,
        "sampling.steps": steps,
        "sampling.guidance": guidance,
        "sampling.consistency": consistency,
        "model": model,
        "matting": matting,
        "device": device,
    }

    def work(console: Console) -> Report:
        from stickerforge.commands import generate as command
        from stickerforge.config.schema import GenerateConfig
        from stickerforge.generation.image_settings import read_settings

        prepare_libraries(offline)
        remembered, repeated = read_settings(Path(from_)) if from_ else ({}, {})
        resolved = resolve_settings(
            GenerateConfig, "generate", remembered, config, assignments, flags
        )
        if from_ and not resolved.model:
            raise InputError(f"{from_} was made with a model folder", "give it as --model FOLDER")
        if dry_run:
            plan = command.plan(resolved, console, offline=True, force=force)
            return Report(*command.dry_run(plan))
        made = command.run(resolved, console, offline=offline, force=force, repeated=repeated)
        return Report(made.result(), made.lines(), made.note(), made.error())

    run_command("generate", as_json, quiet, work)


def size_in(text: str | None) -> int | str | None:
    """The number of pixels of --size; 0 for "native"."""
    if text is None or text == "native":
        return None if text is None else 0
    return int(text) if text.isdecimal() and len(text) < 9 else text
