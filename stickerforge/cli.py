"""The command line: every option there is. Commands are imported when they run; errors become exit codes."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from stickerforge import __version__
from stickerforge.errors import EnvironmentFault, InputError, PartlyDone, StickerforgeError
from stickerforge.reporting import Report, our_bug, perform, show_error
from stickerforge.runtime.messages import Messages

app = typer.Typer(
    name="stickerforge",
    help="Transparent stickers from a sentence; teach it your subject and your style.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
adapters_app = typer.Typer(help="What was taught: the adapters there are.", no_args_is_help=True)
app.add_typer(adapters_app, name="adapters")
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
    style: Annotated[
        str | None, typer.Option("--style", "-s", help="sticker, flat, noto, twemoji, or the name of a style adapter.")
    ] = None,
    subject: Annotated[
        list[str] | None, typer.Option("--subject", metavar="NAME", help="A taught subject, meant by its class word in the prompt.")
    ] = None,
    adapter: Annotated[
        list[str] | None, typer.Option("--adapter", metavar="NAME|FILE[:SCALE]", help="An adapter or LoRA file; may be given again.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", help="Pictures per prompt.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Picture i uses seed + i; random and printed without.")] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write. (default stickers)")] = None,
    size: Annotated[str | None, typer.Option("--size", help="Side of the file in pixels, or native. (default 512)")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="png or webp. (default png)")] = None,
    negative: Annotated[str | None, typer.Option("--negative", help="What to avoid.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Denoising steps.")] = None,
    guidance: Annotated[float | None, typer.Option("--guidance", help="How closely to follow the prompt.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model's name or folder. (default: the adapters' base, else sticker-mini)")
    ] = None,
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
        "prompt": prompt, "prompts": prompts, "style": style, "subject": subject, "adapter": adapter, "count": count, "seed": seed,
        "output.folder": out, "output.size": size_in(size), "output.format": format_, "negative": negative, "sampling.steps": steps,
        "sampling.guidance": guidance, "model": model, "matting": matting, "device": device,
    }  # fmt: skip

    def work(messages: Messages) -> Report:
        from stickerforge.commands import generate as command
        from stickerforge.commands.recipes import settings_from
        from stickerforge.config.schema import GenerateConfig

        prepare_libraries(offline)
        remembered, repeated = settings_from(Path(from_)) if from_ else ({}, {})
        resolved = settings(GenerateConfig, "generate", remembered, config, assignments, flags)
        if from_ and not resolved.model:
            raise InputError(f"{from_} was made with a model folder", "give it as --model FOLDER")
        if dry_run:
            from stickerforge.commands.dry_run import rehearsal

            return Report(*rehearsal(command.plan(resolved, messages, offline=True)))
        made = command.run(resolved, messages, offline=offline, repeated=repeated)
        result = {"outputs": made.outputs, "failed": made.failed, "seed": made.seed, "config": str(made.config)}
        result["sheet"] = str(made.sheet) if made.sheet else None
        skipped = sum(output["skipped"] for output in made.outputs)
        note = f"{len(made.outputs) - skipped} made, {skipped} already there" + (f"; see {made.sheet}" if made.sheet else "")
        lost = (
            PartlyDone(f"{len(made.failed)} pictures failed: {'; '.join(made.failed[:5])}", "the others are there") if made.failed else None
        )
        return Report(result, [output["path"] for output in made.outputs], note, lost)

    perform("generate", as_json, quiet, work)


@app.command()
def customize(
    pictures: Annotated[str | None, typer.Argument(help="A folder of pictures of one subject, or in one style.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="NAME", help="Teach a subject; <NAME> will mean it.")] = None,
    style: Annotated[str | None, typer.Option("--style", "-s", metavar="NAME", help="Teach a style; --style NAME will apply it.")] = None,
    words: Annotated[
        str | None, typer.Option("--class", metavar="WORDS", help="What kind of thing the subject is. (default its name)")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the adapter. (default that of the subject or style)")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Pictures per step.")] = None,
    rank: Annotated[int | None, typer.Option("--rank", help="Rank of the LoRA.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate.")] = None,
    beta: Annotated[float | None, typer.Option("--beta", help="Of DCO: larger stays closer to the base model.")] = None,
    objective: Annotated[str | None, typer.Option("--objective", help="dco, or plain for ordinary LoRA training.")] = None,
    resolution: Annotated[int | None, typer.Option("--resolution", help="Side of the training pictures in pixels.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="A model's name or folder. (default sticker-mini)")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Decides all randomness. (default 0)")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter or run of this name.")] = False,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Teach a subject or a style from a few pictures."""
    flags = {
        "pictures": pictures, "subject": subject, "style": style, "words": words, "name": name, "training.steps": steps,
        "training.batch": batch, "training.rank": rank, "training.lr": lr, "training.beta": beta, "training.objective": objective,
        "training.resolution": resolution, "model": model, "seed": seed, "device": device,
    }  # fmt: skip

    def work(messages: Messages) -> Report:
        from stickerforge.commands import customize as command
        from stickerforge.config.schema import CustomizeConfig

        prepare_libraries(offline)
        resolved = settings(CustomizeConfig, "customize", {}, config, assignments, flags)
        if dry_run:
            return Report(*command.rehearsed(resolved, messages, force=force, resume=resume))
        made = command.run(resolved, messages, offline=offline, force=force, resume=resume)
        lost = (
            PartlyDone(f"{len(made.failed)} pictures could not be used: {'; '.join(made.failed[:5])}", "the others were")
            if made.failed
            else None
        )
        return Report(made.result(), [str(made.adapter.path)], made.note(), lost)

    perform("customize", as_json, quiet, work)


@app.command()
def merge(
    parents: Annotated[
        list[str] | None, typer.Argument(metavar="NAME[:WEIGHT]...", help="The adapters, for example dog crayon:0.8.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the merged adapter.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option("--rename", metavar="PARENT:OLD=NEW", help="Another placeholder, where two parents share one.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an adapter of this name.")] = False,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Make one adapter of several, for example of a subject and a style."""

    def work(messages: Messages) -> Report:
        from stickerforge.commands import merge as command
        from stickerforge.config.schema import MergeConfig

        resolved = settings(MergeConfig, "merge", {}, config, assignments, {"parents": parents, "name": name, "rename": rename})
        if dry_run:
            return Report(*command.rehearsal(resolved, force=force))
        made = command.run(resolved, force=force)
        tokens = f", {' '.join(made.tokens)}" if made.tokens else ""
        return Report(
            command.result(made), [str(made.path)], f"merged into {made.name!r}{tokens}{f', {made.phrase}' if made.phrase else ''}"
        )

    perform("merge", as_json, quiet, work)


@app.command()
def evaluate(
    pictures: Annotated[str | None, typer.Argument(help="A folder of stickers.")] = None,
    prompts: Annotated[str | None, typer.Option("--prompts", metavar="FILE", help="What was asked for; ids are file names.")] = None,
    reference: Annotated[str | None, typer.Option("--reference", metavar="FOLDER", help="Pictures of the subject.")] = None,
    style_reference: Annotated[str | None, typer.Option("--style-reference", metavar="FOLDER", help="Pictures in the style.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", metavar="FOLDER", help="Stickers for the same prompts.")] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME|FOLDER", help="judge, second, clip, siglip, dinov2 or a folder. (default judge)"),
    ] = None,
    metrics: Annotated[list[str] | None, typer.Option("--metrics", help="Only these, for example cutout,alignment.")] = None,
    reward: Annotated[
        list[str] | None, typer.Option("--reward", metavar="KIND[=PLACE]", help="pickscore, aesthetic, vqascore, ...")
    ] = None,
    fail_under: Annotated[
        list[str] | None, typer.Option("--fail-under", metavar="METRIC=VALUE", help="Exit 5 where a figure is worse; may be given again.")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None, typer.Option("--compare", metavar="A.json B.json", help="Two reports side by side; measures nothing.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write the report. (default evaluation)")
    ] = None,
    as_json: Json = False,
    config: ConfigFile = "",
    assignments: Assignments = [],  # noqa: B006 - typer reads it, nothing writes it
    dry_run: DryRun = False,
    offline: Offline = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    """Measure stickers: do they fit their prompts, are they cut out well, do they differ."""
    flags = {
        "pictures": pictures, "prompts": prompts, "reference": reference, "style_reference": style_reference, "baseline": baseline,
        "encoder": encoder, "metrics": metrics, "reward": reward, "fail_under": fail_under, "out": out, "device": device,
    }  # fmt: skip

    def work(messages: Messages) -> Report:
        from stickerforge.commands import evaluate as command
        from stickerforge.config.schema import EvaluateConfig

        prepare_libraries(offline)
        if compare:
            if any(value is not None for value in flags.values()):
                raise InputError("--compare takes two reports and measures nothing", "leave the other options out")
            result, lines = command.compared(Path(compare[0]), Path(compare[1]))
            return Report({"figures": result}, lines)
        resolved = settings(EvaluateConfig, "evaluate", {}, config, assignments, flags)
        if dry_run:
            return Report(*command.rehearsed(resolved))
        made = command.run(resolved, messages, offline=offline)
        return Report(made.result(), command.lines_of(made), f"see {made.page}", made.error(), command.rows_of(made))

    perform("evaluate", as_json, quiet, work)


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


if __name__ == "__main__":
    main()
