"""docs/settings.md is what the settings say."""

from pathlib import Path

from stickerforge.config.reference import CONFIGS, reference
from stickerforge.config.setting import settings_of

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_document_is_current():
    assert DOCS.read_text(encoding="utf-8") == reference()


def test_every_setting_has_a_row_with_as_many_cells_as_the_head():
    rows = [line for line in reference().splitlines() if line.startswith("| ")]
    assert {row.replace(r"\|", "").count("|") for row in rows} == {6}
    names = [name for kind in CONFIGS.values() for name in settings_of(kind)]
    assert [row.split("`")[1] for row in rows if row.startswith("| `")] == names


def test_no_cell_holds_a_tag():
    assert not [line for line in reference().splitlines() if line.startswith("|") and "<" in line]
