"""The rules of the code itself: imports point down, files stay short, help stays fast, nothing names what it should not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stickerforge

ROOT = Path(stickerforge.__file__).parent
LAYERS = [  # top to bottom; names on one line may not import each other
    {"cli"},
    {"reporting", "commands"},
    {"training"},
    {"models", "data"},
    {"adapters", "evaluation"},
    {"sampling", "stickers", "objectives"},
    {"config", "runtime"},
    {"errors"},
]
HEIGHT = {name: -depth for depth, names in enumerate(LAYERS) for name in names}
PURE = {"sampling", "stickers", "objectives", "evaluation"}
BARRED_FROM_PURE = {"config", "runtime", "diffusers", "transformers", "peft", "typer"}
COMMANDS = (
    [],
    ["generate"],
    ["caption"],
    ["customize"],
    ["merge"],
    ["evaluate"],
    ["adapters"],
    ["adapters", "list"],
    ["adapters", "show"],
    ["adapters", "remove"],
    ["models"],
    ["models", "list"],
    ["models", "show"],
    ["doctor"],
)
HELPS = [["--version"], *([*words, "--help"] for words in COMMANDS)]
SOURCES = sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """First-level names imported anywhere in a file: of our package, or of others."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports out in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {(name.split(".") + [""])[name.startswith(f"{ROOT.name}.")] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    unit = path.relative_to(ROOT).with_suffix("").parts[0]
    if unit in {"__init__", "__main__"}:
        return
    assert unit in HEIGHT, f"give {unit} a layer"
    for name in imported(path) - {unit}:
        if name in HEIGHT:
            assert HEIGHT[name] < HEIGHT[unit], f"{unit} may not import {name}"
        assert not (unit in PURE and name in BARRED_FROM_PURE), f"{unit} is pure; {name} is not"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_short_and_print_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize("arguments", HELPS)
def test_help_loads_no_heavy_library(arguments):
    script = (
        "import sys\nfrom stickerforge.cli import main\ntry:\n main(sys.argv[1:])\nexcept SystemExit as end:\n assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'PIL', 'diffusers', 'transformers', 'peft', 'huggingface_hub'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


def test_the_public_names_are_complete_and_sorted():
    assert stickerforge.__all__ == sorted(stickerforge.__all__)
    for name in stickerforge.__all__:
        assert getattr(stickerforge, name)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = stickerforge.nonsense


COMMON = {"--json", "--config", "--set", "--dry-run", "--offline", "--quiet"}
OPTIONS = {
    "generate": {
        "--prompts",
        "--style",
        "--subject",
        "--adapter",
        "--count",
        "--seed",
        "--out",
        "--size",
        "--format",
        "--negative",
        "--steps",
        "--guidance",
        "--consistency",
        "--model",
        "--matting",
        "--from",
        "--force",
        "--device",
    },
    "customize": {
        "--subject",
        "--style",
        "--class",
        "--name",
        "--steps",
        "--batch",
        "--rank",
        "--lr",
        "--beta",
        "--objective",
        "--mask",
        "--resolution",
        "--model",
        "--seed",
        "--keep",
        "--resume",
        "--force",
        "--device",
    },
    "caption": {"--subject", "--class", "--captioner", "--style", "--review", "--take", "--device"},
    "merge": {"--name", "--rename", "--force"},
}


@pytest.mark.parametrize("command", OPTIONS)
def test_options_are_frozen(command):
    """An option is a promise: add it here together with its documentation."""
    from typer.main import get_command

    from stickerforge.cli.app import app

    found = {
        name
        for parameter in get_command(app).commands[command].params
        for name in parameter.opts
        if name.startswith("--")
    }
    assert found == OPTIONS[command] | COMMON


def test_the_help_names_every_style():
    from typer.main import get_command

    from stickerforge.cli.app import app
    from stickerforge.config.style_presets import style_presets

    said = next(
        parameter.help
        for parameter in get_command(app).commands["generate"].params
        if parameter.name == "style"
    )
    assert all(name in said for name in style_presets())
