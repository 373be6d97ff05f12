"""Options of what looks after adapters, models and the installation."""

from typing import Annotated

import typer

from stickerforge.cli.common import DryRun, Json, Offline, Quiet, prepare_libraries
from stickerforge.reporting import Report, perform
from stickerforge.runtime.messages import Messages

adapters_app = typer.Typer(help="What was taught: the adapters there are.", no_args_is_help=True)
models_app = typer.Typer(help="The base models there are.", no_args_is_help=True)


@adapters_app.command("list")
def adapters_list(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """The adapters there are."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands.adapters import listed

        return Report(*listed())

    perform("adapters list", as_json, quiet, work)


@adapters_app.command("show")
def adapters_show(
    name: Annotated[str, typer.Argument(help="An adapter's name.")], as_json: Json = False, offline: Offline = False, quiet: Quiet = False
) -> None:
    """What is known of one adapter; its file is verified."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands.adapters import shown

        return Report(*shown(name))

    perform("adapters show", as_json, quiet, work)


@adapters_app.command("remove")
def adapters_remove(
    name: Annotated[str, typer.Argument(help="An adapter's name.")],
    as_json: Json = False,
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Delete an adapter."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands.adapters import gone

        return Report(*gone(name, dry_run=dry_run))

    perform("adapters remove", as_json, quiet, work)


@models_app.command("list")
def models_list(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """The models that can be named."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands.models import listed

        return Report(*listed())

    perform("models list", as_json, quiet, work)


@models_app.command("show")
def models_show(
    name: Annotated[str, typer.Argument(help="A model's name or folder.")],
    as_json: Json = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """What is known of one model: licence, sizes, styles, words."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands.models import shown

        prepare_libraries(offline)
        return Report(*shown(name))

    perform("models show", as_json, quiet, work)


def doctor(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """Check this installation: versions, devices, memory, weights, what is missing."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands.doctor import examined

        prepare_libraries(offline=True)
        return Report(*examined())

    perform("doctor", as_json, quiet, work)
