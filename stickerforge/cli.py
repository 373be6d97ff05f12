"""The command line: every option there is. Commands are imported when they run; errors become exit codes."""

import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from stickerforge import __version__
from stickerforge.errors import EnvironmentFault, InputError, Interrupted, PartlyDone, StickerforgeError
from stickerforge.runtime.messages import Messages

app = typer.Typer(
    name="stickerforge",
    help="Transparent stickers from a sentence; teach it your subject and your style.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="The base models there are.", no_args_is_help=True)
app.add_typer(models_app, name="models")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, also for errors.", rich_help_panel="Common")]
ConfigFile = Annotated[str, typer.Option("--config", metavar="FILE", help="A TOML file of settings.", rich_help_panel="Common")]
Assignments = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Any setting; may be given again.", rich_help_panel="Common")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.", rich_help_panel="Common")]
Offline = Annotated[bool, typer.Option("--offline", help="Open no connection.", rich_help_panel="Common")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel="Common")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Results and errors only.", rich_help_panel="Common")]


@dataclass
class Report:
    """What a command has to say: `result` for the JSON, `lines` for people and pipes.

    Args:
        note: for people, on stderr.
        error: what went wrong although there is a result (exit codes 4 and 5).
    """

    result: dict[str, Any]
    lines: list[str]
    note: str = ""
    error: StickerforgeError | None = None


def perform(command: str, as_json: bool, quiet: bool, work: Callable[[Messages], Report]) -> None:
    """Run a command's work; results to stdout, the rest to stderr, errors to an exit code."""
    started, messages = time.monotonic(), Messages(quiet=quiet)
    try:
        report = work(messages)
        if as_json:
            head = failure(report.error) if report.error else {"ok": True}
            seconds = round(time.monotonic() - started, 3)
            said = {"command": command, "version": __version__, "result": report.result, "warnings": messages.warnings}
            show_json(head | said | {"seconds": seconds})
        else:
            for line in report.lines:
                typer.echo(line)
            if report.note:
                messages.say(report.note)
        sys.stdout.flush()
    except Interrupted as error:
        raise typer.Exit(show_error(StickerforgeError(error.message, "what is finished stays"), as_json, error.code)) from None
    except BrokenPipeError:  # whoever read our results has gone; nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    if report.error:
        if not as_json:
            complain(report.error)
        raise typer.Exit(report.error.code)


def show_json(value: dict[str, Any]) -> None:
    """One object on stdout, in ASCII, which every terminal and pipe can take."""
    typer.echo(json.dumps(value))


def failure(error: StickerforgeError, code: int | None = None) -> dict[str, Any]:
    """The JSON of an error."""
    return {"ok": False, "error": {"code": code or error.code, "message": error.message, "hint": error.hint}}


def complain(error: StickerforgeError) -> None:
    """One line on stderr: what, where, what to do."""
    line = " ".join(str(error).split())
    sys.stderr.write("".join(c if c.isprintable() else "�" for c in f"stickerforge: {line}") + "\n")


@app.callback(invoke_without_command=True)
def stickerforge(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Transparent stickers from a sentence; teach it your subject and your style."""
    if version:
        typer.echo(f"stickerforge {__version__}")
        raise typer.Exit


@app.command()
def generate(
    prompt: Annotated[list[str] | None, typer.Argument(help='What to draw, for example "cat astronaut".')] = None,
    prompts: Annotated[str | None, typer.Option("--prompts", metavar="FILE", help="Prompts from a txt, csv or jsonl file.")] = None,
    style: Annotated[str | None, typer.Option("--style", "-s", help="sticker, flat, noto or twemoji.")] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", help="Pictures per prompt.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Picture i uses seed + i; random and printed without.")] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write. (default stickers)")] = None,
    size: Annotated[str | None, typer.Option("--size", help="Side of the file in pixels, or native. (default 512)")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="png or webp. (default png)")] = None,
    negative: Annotated[str | None, typer.Option("--negative", help="What to avoid.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Denoising steps.")] = None,
    guidance: Annotated[float | None, typer.Option("--guidance", help="How closely to follow the prompt.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="A model's name or folder. (default sticker-mini)")] = None,
    matting: Annotated[str | None, typer.Option("--matting", help="auto, none, or a matting model, for models without alpha.")] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="PICTURE", help="Repeat what a picture remembers.")] = None,
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
        "prompt": prompt, "prompts": prompts, "style": style, "count": count, "seed": seed, "output.folder": out,
        "output.size": size_in(size), "output.format": format_, "negative": negative, "sampling.steps": steps,
        "sampling.guidance": guidance, "model": model, "matting": matting, "device": device,
    }  # fmt: skip

    def work(messages: Messages) -> Report:
        from stickerforge.commands import generate as command
        from stickerforge.commands.recipes import settings_from
        from stickerforge.config.schema import GenerateConfig

        prepare_libraries(offline)
        remembered, made_with = settings_from(Path(from_)) if from_ else ({}, "")
        if from_ and "model" not in remembered and not model:
            raise InputError(f"{from_} was made with a model folder", "give it as --model FOLDER")
        resolved = settings(GenerateConfig, "generate", remembered, config, assignments, flags)
        if dry_run:
            from stickerforge.commands.dry_run import rehearsal

            return Report(*rehearsal(command.plan(resolved, messages, offline=True)))
        made = command.run(resolved, messages, offline=offline, made_with=made_with)
        result = {"outputs": made.outputs, "failed": made.failed, "seed": made.seed, "config": str(made.config)}
        result["sheet"] = str(made.sheet) if made.sheet else None
        skipped = sum(output["skipped"] for output in made.outputs)
        note = f"{len(made.outputs) - skipped} made, {skipped} already there" + (f"; see {made.sheet}" if made.sheet else "")
        lost = (
            PartlyDone(f"{len(made.failed)} pictures failed: {'; '.join(made.failed[:5])}", "the others are there") if made.failed else None
        )
        return Report(result, [output["path"] for output in made.outputs], note, lost)

    perform("generate", as_json, quiet, work)


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


@app.command()
def doctor(as_json: Json = False, offline: Offline = False, quiet: Quiet = False) -> None:
    """Check this installation: versions, devices, memory, weights, what is missing."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands.doctor import examined

        prepare_libraries(offline=True)
        return Report(*examined())

    perform("doctor", as_json, quiet, work)


def size_in(text: str | None) -> int | str | None:
    """The number of pixels of --size; 0 for "native"."""
    if text is None or text == "native":
        return None if text is None else 0
    return int(text) if text.isdecimal() and len(text) < 9 else text


def settings(kind: type[Any], command: str, remembered: dict[str, Any], config: str, assignments: list[str], flags: dict[str, Any]) -> Any:
    """The configuration in force: what a picture remembers < file < --set < flags."""
    from stickerforge.config.load import read_assignment, read_toml, resolve

    file = read_toml(Path(config), command) if config else {}
    given = {name: value for name, value in flags.items() if value is not None}
    return resolve(kind, remembered, file, dict(map(read_assignment, assignments)), given)


def prepare_libraries(offline: bool) -> None:
    """Environment of the libraries, before any of them is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with the contract's exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(args=arguments, prog_name="stickerforge", standalone_mode=False)
    except typer.TyperException as error:
        # an empty message: no command was given, and the help has been shown
        code = show_error(InputError(error.format_message().rstrip("."), "see --help"), as_json) if error.format_message() else 2
    except StickerforgeError as error:
        code = show_error(error, as_json)
    except MemoryError:
        code = show_error(EnvironmentFault("out of memory", "lower sampling.batch or the size"), as_json)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = show_error(EnvironmentFault(what, "check the path, its permissions and the disk"), as_json)
    except Exception:  # noqa: BLE001 - the one place where our bugs end: a file instead of a wall of text
        code = show_error(our_bug(), as_json)
    sys.exit(code if isinstance(code, int) else 0)


def show_error(error: StickerforgeError, as_json: bool, code: int | None = None) -> int:
    """Show an error as the call wants it; returns its exit code."""
    if as_json:
        show_json(failure(error, code))
    else:
        complain(error)
    return code or error.code


def our_bug() -> StickerforgeError:
    """The traceback, saved to a file, and what to do with it."""
    text = f"stickerforge {__version__}, Python {sys.version}\n{traceback.format_exc()}"
    with tempfile.NamedTemporaryFile("w", prefix="stickerforge-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(text)
    reason = traceback.format_exc().strip().splitlines()[-1][:200]
    return StickerforgeError(f"this is a bug of stickerforge: {reason}", f"please report it with {file.name}")


if __name__ == "__main__":
    main()
