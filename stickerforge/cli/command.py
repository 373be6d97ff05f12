"""A command with settings: from its function to what Typer runs."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Signature, signature
from pathlib import Path
from typing import Any, Generic, TypeVar

from stickerforge.cli.options import options_from, settings_from
from stickerforge.cli.output import Report, run_command
from stickerforge.config.resolve import resolve
from stickerforge.config.toml import parse_toml, read_assignment
from stickerforge.config.user_paths import user_path
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_shell_pipe, read_text
from stickerforge.runtime.console import Console

Config = TypeVar("Config")

MAX_BYTES = 1_000_000  # a file of settings that is longer is a mistake


@dataclass(frozen=True)
class Call(Generic[Config]):
    """A call of a command.

    Args:
        kind: the command's configuration.
        flags: {dotted name: value} of the settings that are given as options.
        config_file: path of a TOML file of settings; "" for none.
        assignments: the texts of `--set`.
        dry_run: whether to say what would be done, and do nothing.
        offline: whether no connection may be opened.
    """

    command: str
    kind: type[Config]
    flags: dict[str, Any]
    config_file: str
    assignments: list[str]
    dry_run: bool
    offline: bool
    console: Console

    def resolve(self, remembered: Mapping[str, Any] | None = None) -> Config:
        """The configuration in force.

        Args:
            remembered: settings that weigh less than those of the call, as those of a picture.

        Raises:
            InputError: something given cannot be read, is unknown, or out of bounds.
        """
        file = read_settings_file(self.config_file, self.command) if self.config_file else {}
        assigned = dict(map(read_assignment, self.assignments))
        return resolve(
            self.kind, remembered or {}, file, assigned, self.flags, warn=self.console.warn
        )


def command(
    kind: type[Config], order: Sequence[str] = (), name: str = ""
) -> Callable[[Callable[..., Report]], Callable[..., None]]:
    """Makes a function of a `Call` a command whose options are its settings'.

    The function's further parameters are the options that are no settings.

    Args:
        kind: the command's configuration.
        order: names of settings and parameters in the order of `--help`; the others follow.
        name: as people type it ("tailor prompt"); "" for that of the function.
    """

    def decorate(function: Callable[..., Report]) -> Callable[..., None]:
        title = name or function.__name__
        own = list(signature(function).parameters.values())[1:]

        # Typer passes whatever the signature below lists: options are not known before.
        def invoke(**arguments: Any) -> None:
            def work(console: Console) -> Report:
                prepare_libraries(arguments["offline"])
                call = Call(
                    title,
                    kind,
                    settings_from(kind, arguments),
                    arguments["config"],
                    arguments["assignments"],
                    arguments["dry_run"],
                    arguments["offline"],
                    console,
                )
                return function(call, **{item.name: arguments[item.name] for item in own})

            run_command(title, arguments["as_json"], arguments["quiet"], work)

        invoke.__name__, invoke.__doc__ = function.__name__, function.__doc__
        invoke.__signature__ = Signature(options_from(kind, own, order))  # type: ignore[attr-defined]
        return invoke

    return decorate


def read_settings_file(file: str, command: str) -> dict[str, Any]:
    """The settings of a TOML file as {dotted name: value}.

    Raises:
        InputError: the file is missing, no file, too long, not TOML, or was saved by another
            command.
    """
    path = Path(user_path(file))
    try:
        piped = read_shell_pipe(path, MAX_BYTES)
        text = read_text(path, MAX_BYTES) if piped is None else piped
        return parse_toml(text, path, command)
    except FileNotFoundError:
        raise InputError(f"no configuration file {path}", "check the path") from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", "give a TOML file of settings"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not TOML: it is no UTF-8 ({error})", "save it so") from None


def prepare_libraries(offline: bool) -> None:
    """Set the environment of the libraries, before any of them is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
        # urllib3 opens a socket when it is imported, to learn whether there is IPv6.
        socket.has_ipv6 = False
