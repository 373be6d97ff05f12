"""Options of what looks after adapters, models and the installation."""

from typing import Annotated

import typer

from stickerforge.cli.options import DryRun, Json, Offline, Quiet, prepare_libraries
from stickerforge.cli.output import Report, run_command
from stickerforge.runtime.console import Console

adapters_app = typer.Typer(help="What was taught: the adapters there are.", no_args_is_help=True)
models_app = typer.Typer(help="The base models there are.", no_args_is_help=True)


@adapters_app.command("list")
def adapters_list(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """The adapters there are."""

    def work(console: Console) -> Report:
        from stickerforge.commands.adapters import list_adapters

        return Report(*list_adapters())

    run_command("adapters list", as_json, quiet, work)


@adapters_app.command("show")
def adapters_show(
    name: Annotated[str, typer.Argument(help="An adapter's name.")],
    as_json: Json = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """What is known of one adapter; its file is verified."""

    def work(console: Console) -> Report:
        from stickerforge.commands.adapters import show_adapter

        return Report(*show_adapter(name))

    run_command("adapters show", as_json, quiet, work)


@adapters_app.command("remove")
def adapters_remove(
    name: Annotated[str, typer.Argument(help="An adapter's name.")],
    as_json: Json = False,
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Delete an adapter."""

    def work(console: Console) -> Report:
        from stickerforge.commands.adapters import remove_adapter

        return Report(*remove_adapter(name, dry_run=dry_run))

    run_command("adapters remove", as_json, quiet, work)


@models_app.command("list")
def models_list(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """The models that can be named."""

    def work(console: Console) -> Report:
        from stickerforge.commands.models import list_models

        return Report(*list_models())

    run_command("models list", as_json, quiet, work)


@models_app.command("show")
def models_show(
    name: Annotated[str, typer.Argument(help="A model's name or folder.")],
    as_json: Json = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """What is known of one model: licence, sizes, styles, words."""

    def work(console: Console) -> Report:
        from stickerforge.commands.models import show_model

        prepare_libraries(offline)
        return Report(*show_model(name))

    run_command("models show", as_json, quiet, work)


def doctor(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """Check this installation: versions, devices, memory, weights, what is missing."""

    def work(console: Console) -> Report:
        from stickerforge.commands.doctor import examine

        prepare_libraries(offline=True)
        return Report(*examine())

    run_command("doctor", as_json, quiet, work)
