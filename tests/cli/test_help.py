"""Help is fast: it loads none of the large libraries."""

import subprocess
import sys

import pytest

COMMANDS = (
    [],
    ["generate"],
    ["caption"],
    ["customize"],
    ["tailor"],
    ["tailor", "prompt"],
    ["tailor", "alpha"],
    ["tailor", "image"],
    ["tailor", "reward"],
    ["merge"],
    ["rate"],
    ["evaluate"],
    ["adapters"],
    ["adapters", "list"],
    ["adapters", "show"],
    ["adapters", "export"],
    ["adapters", "bake"],
    ["adapters", "remove"],
    ["models"],
    ["models", "list"],
    ["models", "show"],
    ["doctor"],
)
CALLS = [["--version"], *([*words, "--help"] for words in COMMANDS)]
SCRIPT = """
import sys
from stickerforge.cli.app import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
heavy = {"torch", "numpy", "PIL", "diffusers", "transformers", "peft", "huggingface_hub"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


@pytest.mark.parametrize("arguments", CALLS, ids=" ".join)
def test_help_loads_no_heavy_library(arguments):
    call = [sys.executable, "-c", SCRIPT, *arguments]
    result = subprocess.run(call, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout
