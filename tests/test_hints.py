"""Hints lead on: each command and option that a hint of the source names is there."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

import stickerforge
from stickerforge.cli.app import app

ERRORS = {"InputError", "EnvironmentFault", "PartlyDone", "CheckFailed", "Interrupted"}
ROOT = Path(stickerforge.__file__).parent
COMMANDS = typer.main.get_command(app).commands
GROUPS = {name: each.commands for name, each in COMMANDS.items() if hasattr(each, "commands")}


def texts(node):
    """The texts that an expression may be, with X for what is known only then."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
        inner = [text for part in node.values for text in inner_texts(part)]
        return ["".join(parts), *inner]
    return inner_texts(node)


def inner_texts(node):
    return [text for child in ast.iter_child_nodes(node) for text in texts(child)]


def hints():
    """(file, hint) of every error, and of every text that is kept under a name for one."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
                arguments = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
                yield from ((path.name, text) for each in arguments for text in texts(each))
            if isinstance(node, ast.Assign) and "hint" in ast.unparse(node.targets[0]).lower():
                yield from ((path.name, text) for text in texts(node.value))


ALL = sorted(set(hints()))
OPTIONS = sorted(
    {(file, flag) for file, text in ALL for flag in re.findall(r"--[a-z][a-z-]*", text)}
)
CALLS = sorted(
    {
        call.strip("`")
        for _, text in ALL
        for call in re.findall(
            r"stickerforge (?:generate|caption|customize|merge|evaluate|adapters|models|doctor)"
            r"[^;,`]*",
            text,
        )
    }
)


def options_of(command):
    return {flag for parameter in command.params for flag in parameter.opts}


def test_the_hints_are_found():
    assert len(ALL) > 100 and len(OPTIONS) > 30 and len(CALLS) > 5


@pytest.mark.parametrize(("own", "flag"), OPTIONS)
def test_an_option_that_a_hint_names_is_there(own, flag):
    """In the command that the hint names, else in that of its file, else in any."""
    leaves = [*COMMANDS.values(), *(leaf for group in GROUPS.values() for leaf in group.values())]
    commands = [COMMANDS[own]] if own in COMMANDS and own not in GROUPS else leaves
    assert any(flag in options_of(command) | {"--help"} for command in commands)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_a_hint_names_can_be_parsed(call):
    """The parser takes its command, options and arguments; X stands for a name."""
    name, *arguments = shlex.split(call)[1:]
    command = COMMANDS[name]
    if name in GROUPS:
        first, *arguments = arguments
        command = GROUPS[name][first]
    command.make_context(name, list(arguments) or [], resilient_parsing=False)
