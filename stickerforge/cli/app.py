"""The command line: every option there is. Commands are imported when they run; errors become exit codes."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from stickerforge.cli.caption import caption
from stickerforge.cli.customize import customize
from stickerforge.cli.evaluate import evaluate
from stickerforge.cli.generate import generate
from stickerforge.cli.manage import adapters_app, doctor, models_app
from stickerforge.cli.merge import merge
from stickerforge.cli.output import bug_report, show_error
from stickerforge.errors import EnvironmentFault, InputError, StickerforgeError
from stickerforge.version import __version__

app = typer.Typer(
    name="stickerforge",
    help="Transparent stickers from a sentence; teach it your subject and your style.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (generate, caption, customize, merge, evaluate):
    app.command()(command)
app.add_typer(adapters_app, name="adapters")
app.add_typer(models_app, name="models")
app.command()(doctor)


@app.callback(invoke_without_command=True)
def stickerforge(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Transparent stickers from a sentence; teach it your subject and your style."""
    if version:
        typer.echo(f"stickerforge {__version__}")
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with the contract's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    sys.stdout, sys.stderr = (
        stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr)
    )  # closed by >&-
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(args=arguments, prog_name="stickerforge", standalone_mode=False)
    except typer.TyperException as error:
        # an empty message: no command was given, and the help has been shown
        code = (
            show_error(InputError(error.format_message().rstrip("."), "see --help"), as_json)
            if error.format_message()
            else 2
        )
    except StickerforgeError as error:
        code = show_error(error, as_json)
    except MemoryError:
        code = show_error(
            EnvironmentFault(
                "out of memory", "close other programs, or use fewer or smaller pictures"
            ),
            as_json,
        )
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = show_error(
            EnvironmentFault(what, "check the path, its permissions and the disk"), as_json
        )
    except Exception:  # noqa: BLE001 - the one place where our bugs end: a file instead of a wall of text
        code = show_error(bug_report(), as_json)
    sys.exit(code if isinstance(code, int) else 0)
