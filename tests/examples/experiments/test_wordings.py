"""The wordings bench."""

from examples.experiments.bench import (
    wording_items,
    wordings,
)


def test_wordings_are_compared_with_the_plain_name_subject_by_subject(monkeypatch):
    asked = [
        wording_items.WordingItem(f"{row}-{name}-{worded}", row, worded, "", "sticker", 1, name)
        for name in ("cat", "dog")
        for row, worded in (
            ("wording: {}", "{}"),
            ("wording: gimme a {}", "gimme a {}"),
            ("small", "{}"),
            ("small", "lovely {}"),
        )
    ]
    found = {each.id: float(each.worded == "{}" or each.subject == "cat") for each in asked}
    lines = {line["row"]: line["model 0"] for line in wordings.score_table(asked, [found], "dev")}
    assert set(lines) == {"wording: gimme a {}", "wording: never taught, all", "small"}
    small = lines["small"]
    assert (small["plain"], small["worded"]) == (1.0, 0.5)
    assert small["change"]["change"] == -0.5 and small["change"]["low"] is None  # two subjects
