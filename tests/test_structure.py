"""The rules of the code itself: imports point down, files stay short, nothing prints."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stickerforge

ROOT = Path(stickerforge.__file__).parent
LAYERS = [  # top to bottom; names on one line may not import each other
    {"cli"},
    {"commands"},
    {"training", "curation"},  # generate class images, previews, pictures to be rated
    {"generation", "captioning", "evaluation", "rating"},
    {"adapters"},  # are attached to a loaded model
    {"models", "data"},
    {"sampling", "objectives", "stickers", "web"},
    {"config", "runtime"},
    {"errors", "version"},
]
HEIGHT = {name: -depth for depth, names in enumerate(LAYERS) for name in names}
PURE = {"sampling", "objectives", "stickers"}
BARRED_FROM_PURE = {"config", "runtime", "diffusers", "transformers", "peft", "typer"}
MAX_LINES = {"commands": 200}  # of other packages 300
MAX_LATE_IMPORTS = 41  # where a light module starts heavy work
SOURCES = sorted(ROOT.rglob("*.py"))


def package(path: Path) -> str:
    """First-level name of a file of ours: "models"."""
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported(tree: ast.AST, path: Path) -> Iterator[str]:
    """Full names that are imported anywhere in a part of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports out in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def late_imports(path: Path) -> set[str]:
    """Imports of our own modules within functions, each with its place."""
    return {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(name.split(".")[0] == ROOT.name for name in imported(node, path))
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    unit = package(path)
    if unit in {"__init__", "__main__"}:
        return
    assert unit in HEIGHT, f"give {unit} a layer"
    for name in imported(ast.parse(path.read_text(encoding="utf-8")), path):
        first, *rest = name.split(".")
        other = rest[0] if first == ROOT.name else first
        if first == ROOT.name and other in HEIGHT and other != unit:
            assert HEIGHT[other] < HEIGHT[unit], f"{unit} may not import {other}"
        assert not (unit in PURE and other in BARRED_FROM_PURE), f"{unit} is pure; {other} is not"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_short_and_print_nothing(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_LINES.get(package(path), 300)
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]


def test_the_formatter_decides_everywhere():
    files = [*SOURCES, *Path(__file__).parent.rglob("*.py")]
    marker = "# fmt: " + "skip"
    assert not [str(path) for path in files if marker in path.read_text(encoding="utf-8")]


def test_modules_import_at_their_top():
    late = sorted(place for path in SOURCES for place in late_imports(path))
    assert len(late) <= MAX_LATE_IMPORTS, late


def test_the_public_names_are_complete_and_sorted():
    assert stickerforge.__all__ == sorted(stickerforge.__all__)
    for name in stickerforge.__all__:
        assert getattr(stickerforge, name)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = stickerforge.nonsense


def test_commands_are_modules_that_are_loaded_when_used():
    from stickerforge import commands

    files = {path.stem for path in (ROOT / "commands").glob("*.py")} - {"__init__"}
    assert set(commands.__all__) == files
    for name in files:
        assert getattr(commands, name).__name__ == f"stickerforge.commands.{name}"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = commands.nonsense
