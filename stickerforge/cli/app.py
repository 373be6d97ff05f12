"""The command line's application: its commands, and errors as exit codes."""

import sys
import warnings
from io import TextIOWrapper
from typing import Annotated

import typer

from stickerforge.cli.caption import caption
from stickerforge.cli.customize import customize
from stickerforge.cli.evaluate import evaluate
from stickerforge.cli.generate import generate
from stickerforge.cli.manage import adapters_app, doctor, models_app
from stickerforge.cli.merge import merge
from stickerforge.cli.options import usage_hint
from stickerforge.cli.output import bug_report, show_error
from stickerforge.cli.rate import rate
from stickerforge.cli.tailor import tailor_app
from stickerforge.errors import EnvironmentFault, InputError, StickerforgeError
from stickerforge.runtime.console import discard_output, open_standard_streams
from stickerforge.version import __version__

app = typer.Typer(
    name="stickerforge",
    help="Transparent stickers from a sentence; teach it your subject and your style.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (generate, caption, customize, merge, rate, evaluate):
    app.command()(command)
app.add_typer(tailor_app, name="tailor")
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
    open_standard_streams()
    if not sys.warnoptions:  # what libraries remark on strangers' files is none of our messages
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(args=arguments, prog_name="stickerforge", standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        # Without a message no command was given, and the help has been shown.
        code = show_error(InputError(message, usage_hint(error)), as_json) if message else 2
    except StickerforgeError as error:
        code = show_error(error, as_json)
    except SystemExit as end:
        # So Rich ends where the reader of the help has gone, which is no fault.
        if end.code != 1:
            raise
        discard_output(sys.stdout)
        code = 0
    except MemoryError:
        hint = "close other programs, or use fewer or smaller pictures"
        code = show_error(EnvironmentFault("out of memory", hint), as_json)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"{error.filename}: {reason}" if error.filename else reason
        hint = "check the path, its permissions and the disk"
        code = show_error(EnvironmentFault(message, hint), as_json)
    except Exception:  # noqa: BLE001 - the one place where our bugs end: in a file
        code = show_error(bug_report(), as_json)
    sys.exit(code if isinstance(code, int) else 0)
