"""Options: those that all commands share, and those that are made from a command's settings."""

from collections.abc import Mapping, Sequence
from inspect import Parameter
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from stickerforge.cli.completion import COMPLETIONS
from stickerforge.config.reference import CONFIGS
from stickerforge.config.setting import Setting, settings_of

COMMON = "Common"  # heading of the shared options in --help

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object, also for errors.", rich_help_panel=COMMON),
]
ConfigFile = Annotated[
    str,
    typer.Option(
        "--config", metavar="FILE", help="A TOML file of settings.", rich_help_panel=COMMON
    ),
]
Assignments = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting; may be given again.",
        rich_help_panel=COMMON,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be done, do nothing.", rich_help_panel=COMMON),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Open no connection.", rich_help_panel=COMMON)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Results and errors only.", rich_help_panel=COMMON)
]


def options_from(
    kind: type, own: Sequence[Parameter] = (), order: Sequence[str] = ()
) -> list[Parameter]:
    """The parameters of a command as Typer reads them: its settings' and its own, then the common.

    Args:
        kind: the command's configuration; each setting with a flag becomes an option.
        own: parameters that are no settings.
        order: names of settings and own parameters that come first; the others follow as declared.

    Raises:
        KeyError: `order` names something that is neither.
    """
    by_name = {setting.name: parameter_of(setting) for setting in flagged(kind)}
    by_name |= {parameter.name: parameter for parameter in own}
    shared = {setting.name for setting in flagged(kind) if setting.panel == COMMON}
    names = dict.fromkeys([*order, *(name for name in by_name if name not in shared)])
    return [
        *(by_name[name] for name in names),
        keyword("as_json", Json, False),
        keyword("config", ConfigFile, ""),
        keyword("assignments", Assignments, []),
        keyword("dry_run", DryRun, False),
        keyword("offline", Offline, False),
        *(by_name[name] for name in by_name if name in shared),
        keyword("quiet", Quiet, False),
    ]


def settings_from(kind: type, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """{dotted name: value} of the settings that were given as options, from Typer's arguments."""
    return {
        setting.name: option_value(setting, value)
        for setting in flagged(kind)
        if (value := arguments[identifier(setting)]) is not None
    }


def flagged(kind: type) -> list[Setting]:
    """The settings that are options or positional arguments, as declared."""
    return [setting for setting in settings_of(kind).values() if setting.flag or setting.argument]


def identifier(setting: Setting) -> str:
    """Name of the setting's parameter: "sampling_steps"."""
    return setting.name.replace(".", "_")


def keyword(name: str, annotation: Any, default: Any) -> Parameter:
    """A parameter that is passed by name."""
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def parameter_of(setting: Setting) -> Parameter:
    """The setting as a parameter; None stands for "not given", which leaves it to other sources."""
    default = setting.default_in_words
    text = f"{setting.help} (default {default})" if default else setting.help
    metavar, complete = setting.metavar or None, COMPLETIONS.get(setting.name)
    if setting.argument:
        declaration = typer.Argument(metavar=metavar, help=text, autocompletion=complete)
    else:
        flags = [flag for flag in (setting.flag, setting.short) if flag]
        declaration = typer.Option(
            *flags,
            metavar=metavar,
            help=text,
            rich_help_panel=setting.panel or None,
            autocompletion=complete,
        )
    return keyword(identifier(setting), Annotated[option_type(setting) | None, declaration], None)


def option_type(setting: Setting) -> Any:
    """What Typer reads: a number, texts, or one text, which `resolve` checks."""
    kinds = [kind for kind in get_args(setting.annotation) if kind is not NoneType]
    if get_origin(setting.annotation) is tuple:
        return list[str]
    if takes_words(setting) or get_origin(setting.annotation) is Literal:
        return str
    return kinds[0] if kinds else setting.annotation


def takes_words(setting: Setting) -> bool:
    """Whether the option takes a number or a word, as "native" or "auto"."""
    literals = [kind for kind in get_args(setting.annotation) if get_origin(kind) is Literal]
    return bool(setting.words or literals)


def option_value(setting: Setting, value: Any) -> Any:
    """The value for `resolve`: of options that take a number or a word, the number in the text."""
    if not takes_words(setting):
        return value
    if value in setting.words:
        return setting.words[value]
    number = int if setting.annotation is int else float
    try:
        return number(value)
    except ValueError:
        return value


def usage_hint(error: typer.TyperException) -> str:
    """What to do about a wrong use; where a setting has no option of its own, how to give it."""
    path = getattr(getattr(error, "ctx", None), "command_path", "")
    kind = CONFIGS.get(path.partition(" ")[2])
    wanted = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    names = [
        name
        for name, setting in (settings_of(kind) if kind and wanted else {}).items()
        if name.rpartition(".")[2] == wanted and not setting.flag
    ]
    return (
        f"give --set {' or --set '.join(f'{name}=VALUE' for name in names)}"
        if names
        else "see --help"
    )
