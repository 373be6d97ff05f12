"""`stickerforge generate`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from stickerforge import commands
from stickerforge.cli.command import Call, command
from stickerforge.cli.output import Report
from stickerforge.config.schema import GenerateConfig
from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError

ORDER = (
    "prompt prompts style subject adapter count seed output.folder output.size output.format"
    " negative init.file image_prompt.pictures control.pictures sampling.steps sampling.guidance"
    " model force picture"
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
    config, repeated = repeat(call, Path(user_path(picture))) if picture else (call.resolve(), {})
    if call.dry_run:
        return Report(*commands.generate.dry_run(config, call.console, force=force))
    result = commands.generate.run(
        config, call.console, offline=call.offline, force=force, repeated=repeated
    )
    return Report(result.result(), result.lines(), result.note(), result.error())


def repeat(call: Call[GenerateConfig], picture: Path) -> tuple[GenerateConfig, dict[str, Any]]:
    """(the configuration in force, all parameters of the picture) of a call with --from.

    Raises:
        InputError: the picture does not say how it was made, or says what cannot be.
        EnvironmentFault: something would have to be fetched that the call does not ask for.
    """
    from stickerforge.generation import (
        control_settings,
        image_prompt_settings,
        image_settings,
        init_settings,
        unasked,
    )

    remembered, params = image_settings.read_settings(picture, call.console.warn)
    asked = call.resolve()
    start = init_settings.remembered_init(params, picture.parent, asked.init)
    remembered |= start
    prompt = image_prompt_settings.remembered_image_prompt(
        params, picture.parent, asked.image_prompt
    )
    remembered |= prompt
    remembered |= control_settings.remembered_control(params, picture.parent)
    config = call.resolve(remembered)
    if params and not config.model:
        raise InputError(f"{picture} was made with a model folder", "give it as --model FOLDER")
    init_settings.check_init_files(params, start, config.init, picture)
    image_prompt_settings.check_image_prompt(params, prompt, config, asked.image_prompt, picture)
    control_settings.check_control_files(params, config, asked.control, picture)
    unasked.check_work(config, asked)
    unasked.check_weights(config, asked, offline=call.offline, say=call.console.say)
    return config, params
