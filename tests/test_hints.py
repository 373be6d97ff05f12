"""What the source tells people to call can be called: each command and each option is there."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

import stickerforge
from stickerforge.cli.app import app

ROOT = Path(stickerforge.__file__).parent
MAIN = typer.main.get_command(app)
COMMANDS = MAIN.commands
GROUPS = {name: each.commands for name, each in COMMANDS.items() if hasattr(each, "commands")}
PACKAGES = {  # whose errors are those of one command
    "training": "customize",
    "generation": "generate",
    "captioning": "caption",
    "evaluation": "evaluate",
    "rating": "rate",
}
ALPHA = re.compile(r"tailor_alpha|alpha_|sticker_pictures")
IMAGE = re.compile(r"tailor_image|image_(pairs|plan|estimate|validation|prompt_tuning)")
BAKE = re.compile(r"mixture_baking")
REWARD = re.compile(
    r"tailor_reward|scored_pictures|drawn_set|aspect|reward_(checks|estimate|guard|mixture|outcome|plan|prompts|result|rounds|sheets)"
)
STYLE = re.compile(r"tailor_style|style_|set_router|curation")
TAILOR = re.compile(r"tailor|tuning|captioned_source|reward_source|captioned_pictures")
ELSEWHERE = {  # what a taught adapter is used with
    ("customize", "--adapter"): "generate",
    ("tailor alpha", "--adapter"): "generate",
    ("tailor image", "--adapter"): "generate",
    ("tailor reward", "--adapter"): "generate",
    ("tailor image", "--image-prompt"): "generate",
    ("tailor style", "--adapter"): "generate",
    ("tailor style", "--style"): "generate",
}


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


def docstrings(tree):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    owners = (node for node in ast.walk(tree) if isinstance(node, kinds))
    return {id(node.body[0].value) for node in owners if isinstance(node.body[0], ast.Expr)}


def all_texts():
    """(file, text) of every text in the source that is no docstring: any may reach a person."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts |= {id(part) for part in ast.walk(node)} - {id(node)}
            if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in parts:
                yield from ((path.relative_to(ROOT), text) for text in texts(node))


def command_of(path, text):
    """The command that a text is about; "" where nothing tells."""
    if tailor := re.search(r"\b(tailor \w+) [^;,`]*--", text):
        return tailor[1]
    named = [name for name in COMMANDS if re.search(rf"\b{name} (\S+ )?--", text)]
    if BAKE.match(path.stem) and not named:
        return "adapters bake"
    if ALPHA.match(path.stem) and not named:
        return "tailor alpha"
    if IMAGE.match(path.stem) and not named:
        return "tailor image"
    if REWARD.match(path.stem) and not named:
        return "tailor reward"
    if STYLE.match(path.stem) and not named:
        return "tailor style"
    if TAILOR.match(path.stem) and not named:
        return "tailor prompt"
    if named or path.parts[0] in PACKAGES:
        return named[0] if named else PACKAGES[path.parts[0]]
    return path.stem if path.stem in COMMANDS.keys() - GROUPS.keys() else ""


ALL = sorted(set(all_texts()))
OPTIONS = sorted(
    {
        (str(path), command_of(path, text), flag)
        for path, text in ALL
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)
    }
)
CALLS = sorted(
    {
        call.strip("`. ")
        for _, text in ALL
        for call in re.findall(rf"stickerforge (?:{'|'.join(COMMANDS)})\b[^;,`]*", text)
    }
)


def options_of(command):
    return {flag for parameter in command.params for flag in parameter.opts}


def test_the_hints_are_found():
    assert len(ALL) > 1000 and len(OPTIONS) > 60 and len(CALLS) > 10


@pytest.mark.parametrize(("file", "command", "flag"), OPTIONS)
def test_an_option_that_a_text_names_is_there(file, command, flag):
    """In the command that the text names, else in that of its file, else in any."""
    leaves = [
        MAIN,
        *COMMANDS.values(),
        *(leaf for group in GROUPS.values() for leaf in group.values()),
    ]
    command = ELSEWHERE.get((command, flag), command)
    group, _, leaf = command.partition(" ")
    one = GROUPS[group][leaf] if leaf else COMMANDS.get(group)
    commands = [one] if one else leaves
    assert any(flag in options_of(each) | {"--help"} for each in commands)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_a_hint_names_can_be_parsed(call):
    """The parser takes its command, options and arguments; X stands for a name."""
    name, *arguments = shlex.split(call)[1:]
    command = COMMANDS[name]
    if name in GROUPS:
        first, *arguments = arguments
        command = GROUPS[name][first]
    command.make_context(name, list(arguments) or [], resilient_parsing=False)
