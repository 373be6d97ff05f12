"""Subjects, and which of them are withheld."""

from examples.recipes.mini import (
    art,
)
from examples.recipes.mini.settings import HERE


def test_nothing_withheld_is_learned():
    learned, withheld = set(art.learned_kinds()), art.withheld_names()
    assert len(learned) == 273 and len(withheld) > 60
    assert not learned & withheld
    held_out = (HERE / "held_out_subjects.tsv").read_text().splitlines()[1:]
    assert len(held_out) == 60


def test_version_3_learns_what_was_held_out_and_keeps_its_own_apart():
    learned, before, hidden = art.learned_kinds(3), art.learned_kinds(2), art.withheld_names(3)
    assert set(before) < set(learned) and 400 < len(learned) < 500 and not set(learned) & hidden
    rows = (HERE / "held_out_subjects_3.tsv").read_text().splitlines()[1:]
    assert len(rows) == 30 and {row.split("\t")[1] for row in rows} <= hidden < art.withheld_names(
        2
    )
    assert {"whale", "banana", "party popper"} <= set(learned)
