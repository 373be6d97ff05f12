"""What the commands' options share: their types, the settings in force, the environment of the libraries."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON object, also for errors.", rich_help_panel="Common"
    ),
]
ConfigFile = Annotated[
    str,
    typer.Option(
        "--config", metavar="FILE", help="A TOML file of settings.", rich_help_panel="Common"
    ),
]
Assignments = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting; may be given again.",
        rich_help_panel="Common",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done, do nothing.", rich_help_panel="Common"),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Open no connection.", rich_help_panel="Common")
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", help="auto, cpu, cuda, cuda:1 or mps. (default auto)", rich_help_panel="Common"
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Results and errors only.", rich_help_panel="Common")
]


def parse_number(text: str | None) -> float | str | None:
    """The number of an option that takes a word as well."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def resolve_settings(
    kind: type[Any],
    command: str,
    remembered: dict[str, Any],
    config: str,
    assignments: list[str],
    flags: dict[str, Any],
) -> Any:
    """The configuration in force: what a picture remembers < file < --set < flags."""
    from stickerforge.config.resolve import resolve
    from stickerforge.config.toml import read_assignment, read_toml

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
