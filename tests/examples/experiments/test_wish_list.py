"""The wish list: pictures of two versions mixed, and verdicts that do not know which is which."""

import csv
import json
import sys

import pytest
from PIL import Image

from examples.experiments.bench import by_eye, wish_list

PROMPTS = ["corgi", "thumbs up", "a cup of tea", "moon", "lol", "taco", "sad frog", "bus"]


@pytest.fixture
def models(monkeypatch):
    """Two versions, each with a colour of its own; the second one draws nothing for "lol"."""

    def run(rows, folder, options):
        new = options[options.index("--model") + 1] == "new"
        (folder / "pictures").mkdir(parents=True)
        for number, row in enumerate(rows):
            if not (new and row["prompt"] == "lol"):
                colour = (10 * number, 200 if new else 0, 0, 255)
                Image.new("RGBA", (128, 128), colour).save(folder / "pictures" / f"{row['id']}.png")

    monkeypatch.setattr(wish_list, "run_generate", run)
    monkeypatch.setattr(wish_list, "read_prompts", lambda which: PROMPTS)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["wish_list", *map(str, arguments)])
    wish_list.main()


def draw(monkeypatch, tmp_path):
    places = ("--work", tmp_path / "work", "--sheets", tmp_path / "sheets")
    call(monkeypatch, "draw", *places, "--model", "old", "--model", "new")
    return wish_list.read_key(tmp_path / "work")


def fill(path, verdict_of):
    """Write verdicts into a table."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, wish_list.HEAD)
        table.writeheader()
        table.writerows(row | {"verdict": verdict_of(row)} for row in rows)


def test_sheets_and_tables_know_nothing_of_versions(monkeypatch, tmp_path, models):
    rows = draw(monkeypatch, tmp_path)
    assert sorted(row["number"] for row in rows) == [0, *range(1, 16)]
    order = [row["model"] for row in sorted(rows, key=lambda r: r["number"]) if row["number"]]
    assert order != sorted(order) and order != sorted(order, reverse=True)
    files = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert files == ["answers.csv", "sheet-1.png"]
    with Image.open(tmp_path / "sheets" / "sheet-1.png") as sheet:
        assert not sheet.info and not sheet.getexif()
        for row in rows:  # each number stands over its own picture
            if row["number"]:
                place = row["number"] - 1
                x = place % by_eye.COLUMNS * by_eye.SIDE + 90
                y = place // by_eye.COLUMNS * (by_eye.SIDE + by_eye.LINE) + 110
                colour = (10 * PROMPTS.index(row["prompt"]), 200 * (row["model"] == "new"), 0)
                assert sheet.getpixel((x, y)) == colour, row
    verdicts = tmp_path / "verdicts.csv"
    answers = ("--answers", tmp_path / "sheets" / "answers.csv", "--verdicts", verdicts)
    call(monkeypatch, "ask", "--work", tmp_path / "work", *answers)
    text = verdicts.read_text()
    assert "old" not in text and "new" not in text and "corgi" in text
    with pytest.raises(SystemExit, match="there already"):
        call(monkeypatch, "ask", "--work", tmp_path / "work", *answers)


def test_verdicts_are_counted_by_version_with_near_things_apart(
    monkeypatch, tmp_path, models, capsys
):
    rows = draw(monkeypatch, tmp_path)
    new = {str(row["number"]) for row in rows if row["model"] == "new"}
    verdicts = tmp_path / "verdicts.csv"
    answers = ("--answers", tmp_path / "sheets" / "answers.csv", "--verdicts", verdicts)
    call(monkeypatch, "ask", "--work", tmp_path / "work", *answers)

    def judge(row):
        if row["number"] not in new:
            return "wrong"
        return "near" if row["prompt"] == "corgi" else " Right "

    fill(verdicts, judge)
    call(monkeypatch, "score", "--work", tmp_path / "work", "--verdicts", verdicts)
    found = json.loads((tmp_path / "work" / "wish-list.json").read_text())
    shares = {
        m: {k: row["passed"] for k, row in v["shares"].items()}
        for m, v in found["versions"].items()
    }
    assert shares == {
        "old": {"right": 0, "near": 0, "wrong": 8, "none": 0},
        "new": {"right": 6, "near": 1, "wrong": 0, "none": 1},
    }
    changes = found["changes"]["new"]
    assert changes["right"]["change"] == 6 / 8 and changes["right or near"]["change"] == 7 / 8
    assert "6 of 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,corgi,dog,near\n2,moon,moon,\n", "number 2 has ''"),
        ("1,corgi,dog,perhaps\n2,moon,moon,right\n", "'perhaps'"),
        ("1,corgi,dog,near\n", "no verdict on 2"),
        ("1,corgi,dog,near\n1,corgi,dog,near\n", "there twice"),
        ("1,corgi,dog,near\n3,moon,moon,right\n", "of no picture"),
    ],
)
def test_tables_that_are_not_filled_are_refused(tmp_path, text, message):
    path = tmp_path / "verdicts.csv"
    path.write_text("number,prompt,seen,verdict\n" + text)
    with pytest.raises(SystemExit, match=message):
        wish_list.read_verdicts(path, [1, 2])


def test_few_wishes_have_no_interval():
    rows = [{"number": n, "model": "a", "id": f"wish-{n:03d}", "prompt": ""} for n in range(1, 6)]
    found = wish_list.score_verdicts(rows, dict.fromkeys(range(1, 6), "right"))
    assert found["a"]["shares"]["right"]["low"] is None
    more = [*rows, rows[0] | {"number": 6, "id": "wish-006"}]
    found = wish_list.score_verdicts(more, dict.fromkeys(range(1, 7), "right"))
    assert found["a"]["shares"]["right"]["low"] == pytest.approx(6 / (6 + 1.959964**2))


def test_the_key_does_not_lie_among_the_sheets(monkeypatch, tmp_path, models):
    with pytest.raises(SystemExit, match="other folders"):
        call(monkeypatch, "draw", "--work", tmp_path, "--sheets", tmp_path / "sheets")
    assert not list(tmp_path.iterdir())


def test_versions_are_called_by_their_labels():
    found = wish_list.labelled(["sticker-mini", "version 2.1=/some/folder/mini", "other/mini"])
    assert found == {
        "sticker-mini": "sticker-mini",
        "version 2.1": "/some/folder/mini",
        "mini": "other/mini",
    }
    with pytest.raises(SystemExit, match="called the same"):
        wish_list.labelled(["a/mini", "b/mini"])
