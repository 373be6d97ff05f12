"""`stickerforge adapters`, `models` and `doctor`: what is there, and whether it works."""

from typing import Annotated

import typer

from stickerforge import commands
from stickerforge.cli.command import prepare_libraries
from stickerforge.cli.options import DryRun, Json, Offline, Quiet
from stickerforge.cli.output import Report, run_command
from stickerforge.config.user_paths import user_path
from stickerforge.runtime.console import Console

AdapterName = Annotated[str, typer.Argument(help="An adapter's name.")]
AdapterSource = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", help="An image adapter's name, or a file of IP-Adapter or its folder."
    ),
]
ExportFolder = Annotated[
    str, typer.Argument(metavar="FOLDER", help="Where to: a folder that is not there yet.")
]
BaseModel = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="TEXT",
        help="The model that a FILE is for. (default: that of an adapter by NAME)",
    ),
]
MixtureName = Annotated[str, typer.Argument(metavar="NAME", help="A mixture of LoRAs.")]
NewName = Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the plain LoRA.")]
Prompt = Annotated[
    str, typer.Option("--prompt", metavar="TEXT", help="The prompt that it is baked for.")
]
Timestep = Annotated[
    int | None,
    typer.Option(
        "--timestep",
        metavar="NUMBER",
        help="The timestep of training that it is baked for, from 0; high ones are noisier.",
    ),
]
Average = Annotated[
    bool, typer.Option("--average", help="Bake the average of the LoRAs, for every prompt.")
]
MixtureModel = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="TEXT",
        help="Where its model is now. (default: where it was)",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an adapter of this name.")]
Words = Annotated[
    bool, typer.Option("--words", help="List every word that it was trained on, too.")
]
Sheet = Annotated[
    str, typer.Option("--sheet", metavar="FILE", help="Draw what it can draw, on one PNG page.")
]
Group = Annotated[
    str, typer.Option("--group", metavar="NAME", help="With --sheet: the things of one group.")
]
ModelName = Annotated[str, typer.Argument(help="A model's name or folder.")]

adapters_app = typer.Typer(help="What was taught: the adapters there are.", no_args_is_help=True)
models_app = typer.Typer(help="The base models there are.", no_args_is_help=True)


@adapters_app.command("list")
def list_adapters(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """The adapters there are."""

    def work(console: Console) -> Report:
        prepare_libraries(offline)
        return Report(*commands.adapters.list_adapters())

    run_command("adapters list", as_json, quiet, work)


@adapters_app.command("show")
def show_adapter(
    name: AdapterName, as_json: Json = False, offline: Offline = False, quiet: Quiet = False
) -> None:
    """What is known of one adapter; its file is verified."""

    def work(console: Console) -> Report:
        prepare_libraries(offline)
        return Report(*commands.adapters.show_adapter(name))

    run_command("adapters show", as_json, quiet, work)


@adapters_app.command("export")
def export_adapter(
    source: AdapterSource,
    folder: ExportFolder,
    model: BaseModel = "",
    as_json: Json = False,
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Write an image adapter for diffusers, which is tried before it is kept."""

    def work(console: Console) -> Report:
        prepare_libraries(offline)
        request = (user_path(source), user_path(folder), user_path(model))
        if dry_run:
            return Report(*commands.adapters_export.dry_run(*request))
        result = commands.adapters_export.run(*request, offline=offline, console=console)
        return Report(result.result(), [str(result.file)], result.note())

    run_command("adapters export", as_json, quiet, work)


@adapters_app.command("bake")
def bake_mixture(
    source: MixtureName,
    name: NewName = "",
    prompt: Prompt = "",
    timestep: Timestep = None,
    average: Average = False,
    model: MixtureModel = "",
    force: Force = False,
    as_json: Json = False,
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Make a plain LoRA of a mixture: as it is for one prompt and timestep, or its average."""

    def work(console: Console) -> Report:
        prepare_libraries(offline)
        request = commands.adapters_bake.BakeRequest(
            source, name, prompt, timestep, average, user_path(model), force
        )
        if dry_run:
            return Report(*commands.adapters_bake.dry_run(request))
        result = commands.adapters_bake.run(request, offline=offline, console=console)
        return Report(result.result(), [str(result.adapter.path)], result.note())

    run_command("adapters bake", as_json, quiet, work)


@adapters_app.command("remove")
def remove_adapter(
    name: AdapterName,
    as_json: Json = False,
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Delete an adapter."""

    def work(console: Console) -> Report:
        prepare_libraries(offline)
        return Report(*commands.adapters.remove_adapter(name, dry_run=dry_run))

    run_command("adapters remove", as_json, quiet, work)


@models_app.command("list")
def list_models(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """The models that can be named."""

    def work(console: Console) -> Report:
        prepare_libraries(offline)
        return Report(*commands.models.list_models())

    run_command("models list", as_json, quiet, work)


@models_app.command("show")
def show_model(
    name: ModelName,
    words: Words = False,
    sheet: Sheet = "",
    group: Group = "",
    as_json: Json = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """What is known of one model: licence, sizes, styles, what it can draw."""

    def work(console: Console) -> Report:
        prepare_libraries(offline)
        if sheet:
            return Report(
                *commands.models.draw_things(user_path(name), user_path(sheet), group, console)
            )
        return Report(*commands.models.show_model(user_path(name), with_words=words))

    run_command("models show", as_json, quiet, work)


def doctor(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """Check this installation: versions, devices, memory, weights, what is missing."""

    def work(console: Console) -> Report:
        prepare_libraries(offline=True)
        return Report(*commands.doctor.examine())

    run_command("doctor", as_json, quiet, work)
