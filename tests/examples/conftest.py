"""What the tests of the recipes share."""

import sys
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "examples" / "mini"


@pytest.fixture
def recipe_on_path(monkeypatch):
    """The scripts of the recipe as modules, forgotten afterwards: their names are common ones."""
    monkeypatch.syspath_prepend(str(RECIPE))
    yield
    for name in [path.stem for path in RECIPE.glob("*.py")]:
        sys.modules.pop(name, None)
