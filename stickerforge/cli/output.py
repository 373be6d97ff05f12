"""What the shell sees of a command: results on stdout, all else on stderr, an exit code."""

import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer

from stickerforge.errors import EnvironmentFault, Interrupted, PartlyDone, StickerforgeError
from stickerforge.runtime.console import Console, discard_output, write_line
from stickerforge.runtime.signals import interruptible
from stickerforge.runtime.text import printable
from stickerforge.version import __version__


def partial_failure(failed: list[str]) -> PartlyDone | None:
    """The error of exit code 4 where some pictures could not be used, a line for each; or None."""
    if not failed:
        return None
    more = " …" if len(failed) > 5 else ""
    return PartlyDone(
        f"{len(failed)} could not be used: {'; '.join(failed[:5])}{more}", "the others were"
    )


@dataclass
class Report:
    """What a command reports.

    Args:
        result: for the JSON.
        lines: for people and pipes, on stdout.
        note: for people, on stderr.
        error: what went wrong although there is a result (exit codes 4 and 5).
        table: rows of cells that a terminal shows instead of the lines, the head first; the first
            column is aligned left, the others right.
    """

    result: dict[str, Any]
    lines: list[str]
    note: str = ""
    error: StickerforgeError | None = None
    table: list[list[str]] | None = None


def run_command(
    command: str, as_json: bool, quiet: bool, work: Callable[[Console], Report]
) -> None:
    """Run a command's work; results to stdout, the rest to stderr, errors to an exit code."""
    started, console = time.monotonic(), Console(quiet=quiet)
    try:
        with interruptible():
            report = work(console)
    except Interrupted as error:
        raise typer.Exit(
            show_error(StickerforgeError(error.message, error.hint), as_json, error.code)
        ) from None
    fault = None
    try:
        if as_json:
            head = error_json(report.error) if report.error else {"ok": True}
            seconds = round(time.monotonic() - started, 3)
            body = {
                "command": command,
                "version": __version__,
                "result": report.result,
                "warnings": console.warnings,
            }
            show_json(head | body | {"seconds": seconds})
        else:
            show(report)
            if report.note:
                console.say(report.note)
        sys.stdout.flush()
    except OSError as error:
        fault = output_fault(error)
        if fault:
            print_error(fault)
    if report.error and not as_json:
        print_error(report.error)
    if failure := report.error or fault:
        raise typer.Exit(failure.code)


def output_fault(error: OSError) -> EnvironmentFault | None:
    """What to say of results that could not be written; nothing where their reader has gone."""
    discard_output(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return None
    return EnvironmentFault(
        f"cannot write the results to stdout: {error.strerror or error}",
        "what was made is there; let stdout go elsewhere",
    )


def show(report: Report) -> None:
    """The table on a terminal, the lines anywhere else; both may hold a stranger's characters.

    Only --json is exact: what goes into a pipe often ends on a terminal.
    """
    if report.table and sys.stdout.isatty():
        from rich.console import Console as RichConsole
        from rich.table import Table
        from rich.text import Text

        head, *rows = report.table
        table = Table(box=None, pad_edge=False, header_style="bold")
        for number, name in enumerate(head):
            header = Text(printable(name))  # names are no markup
            table.add_column(header, justify="right" if number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        RichConsole().print(table)
        return
    for line in report.lines:
        typer.echo("\t".join(map(printable, line.split("\t"))))  # tabs are between columns


def show_json(value: dict[str, Any]) -> None:
    """One object on stdout, in visible ASCII, which every terminal and pipe can take."""
    typer.echo(json.dumps(value).replace("\x7f", "\\u007f"))


def error_json(error: StickerforgeError, code: int | None = None) -> dict[str, Any]:
    """The JSON of an error."""
    return {
        "ok": False,
        "error": {"code": code or error.code, "message": error.message, "hint": error.hint},
    }


def print_error(error: StickerforgeError) -> None:
    """One line on stderr: what, where, what to do."""
    line = " ".join(str(error).split())
    write_line(f"stickerforge: {line}")


def show_error(error: StickerforgeError, as_json: bool, code: int | None = None) -> int:
    """Print an error, as JSON or a line; returns its exit code."""
    if as_json:
        try:
            show_json(error_json(error, code))
        except OSError as failed:
            as_json = output_fault(failed) is None  # the line says it where the JSON cannot
    if not as_json:
        print_error(error)
    return code or error.code


def bug_report() -> StickerforgeError:
    """The traceback, saved to a file, and what to do with it."""
    text = f"stickerforge {__version__}, Python {sys.version}\n{traceback.format_exc()}"
    with tempfile.NamedTemporaryFile(
        "w", prefix="stickerforge-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    reason = traceback.format_exc().strip().splitlines()[-1][:200]
    return StickerforgeError(
        f"this is a bug of stickerforge: {reason}", f"please report it with {file.name}"
    )
