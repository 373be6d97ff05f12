"""`stickerforge generate`."""

from pathlib import Path
from typing import Annotated

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.output import Report
from stickerforge.config.schema import GenerateConfig
from stickerforge.errors import InputError, PartlyDone
from stickerforge.runtime.text import plural

ORDER = (
    "prompt prompts style subject adapter count seed output.folder output.size output.format"
    " negative sampling.steps sampling.guidance sampling.consistency model matting force picture"
).split()

Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Replace pictures with the same id that were made by other settings."
    ),
]
Picture = Annotated[
    str | None,
    typer.Option("--from", metavar="PICTURE", help="Repeat what a picture remembers."),
]


@command(GenerateConfig, ORDER)
def generate(
    call: Call[GenerateConfig], *, force: Force = False, picture: Picture = None
) -> Report:
    """Make transparent stickers from prompts."""
    from stickerforge.generation.image_params import read_settings
    from stickerforge.generation.pipeline import plan_generation, run_generation

    remembered, repeated = read_settings(Path(picture)) if picture else ({}, {})
    config = call.resolve(remembered)
    if picture and not config.model:
        raise InputError(f"{picture} was made with a model folder", "give it as --model FOLDER")
    if call.dry_run:
        plan = plan_generation(config, call.console, offline=True, force=force)
        return Report(*commands.generate.dry_run(plan))
    made = run_generation(
        config, call.console, offline=call.offline, force=force, repeated=repeated
    )
    sheet = str(made.sheet) if made.sheet else None
    result = {
        "outputs": made.outputs,
        "failed": made.failed,
        "seed": made.seed,
        "config": str(made.config),
        "sheet": sheet,
    }
    skipped = sum(output["skipped"] for output in made.outputs)
    note = f"{len(made.outputs) - skipped} made, {skipped} already there"
    note += f"; see {sheet}" if sheet else ""
    failure = None
    if made.failed:
        failure = PartlyDone(
            f"{plural(len(made.failed), 'picture')} failed: {'; '.join(made.failed[:5])}",
            "the others are there",
        )
    return Report(result, [output["path"] for output in made.outputs], note, failure)
