"""Pictures without labels, a reader's answers, and what they may be called."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from examples.experiments.bench import by_eye, by_eye_score
from examples.experiments.bench.bench_items import CLEAR, Item
from examples.experiments.bench.spoken_names import SpokenNames
from examples.recipes.mini.art import Subject
from examples.recipes.mini.scene import Thing, Truth

KEYWORDS = {
    "lady beetle": ("beetle", "insect", "ladybird"),
    "dog face": ("dog", "face", "pet"),
    "hot dog": ("frankfurter", "sausage"),
    "oncoming fist": ("fist", "hand"),
    "green apple": ("apple", "fruit", "green"),
    "crying face": ("cry", "face", "sad"),
    "bus": ("vehicle",),
    "snowman": ("cold", "snow"),
    "mouse face": ("mouse", "animal"),
    "waving hand": ("hand", "wave"),
    **{f"{word} hand": ("hand",) for word in ("left", "right", "open", "flat")},
}
SUBJECTS = [Subject(i, f"{i:x}", *row, "thing") for i, row in enumerate(KEYWORDS.items())]


@pytest.mark.parametrize(
    ("answer", "thing", "is_right"),
    [
        ("a bug", "lady beetle", False),
        ("Lady-Bird!", "lady beetle", True),
        ("two lady beetles", "lady beetle", True),
        ("puppy", "dog face", True),
        ("hot dogs", "dog face", False),
        ("hotdog", "hot dog", True),
        ("a fist?", "oncoming fist", True),
        ("a hand", "oncoming fist", False),  # there are too many
        ("green thing", "green apple", False),
        ("apples", "green apple", True),
        ("a face", "crying face", False),
        ("snow man", "snowman", True),
        ("double decker bus", "bus", True),
        ("mice", "mouse face", True),
        ("", "bus", False),
    ],
)
def test_what_a_thing_may_be_called(answer, thing, is_right):
    assert SpokenNames(SUBJECTS).is_named(answer, [thing]) == is_right


def test_another_drawing_of_the_same_word_is_right_too():
    assert SpokenNames(SUBJECTS).is_named("a fist", ["bus", "oncoming fist"])


def test_a_table_of_answers_must_be_whole(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text("number,what I see\n1,bus\n2,\n3,a fist, red\n", encoding="utf-8-sig")
    assert by_eye_score.read_answers(path, 3) == {1: "bus", 2: "", 3: "a fist, red"}
    for text in ("1,bus\n3,fist\n", "1,bus\n2,a\n3,b\n4,c\n", "1,bus\n1,dog\n2,a\n3,b\n"):
        path.write_text(text)
        with pytest.raises(SystemExit, match="every number from 1 to 3 once"):
            by_eye_score.read_answers(path, 3)


def rows_of(things, verdicts):
    pairs = enumerate(zip(things, verdicts, strict=True), 1)
    return [
        {
            "number": n,
            "id": str(n),
            "prompt": f"a {thing}",
            "group": thing,
            "things": [thing],
            "judge": passed,
        }
        for n, (thing, passed) in pairs
    ]


def test_shares_and_confusion_of_a_reader_and_the_judge(capsys):
    things = [
        "bus",
        "snowman",
        "crying face",
        "mouse face",
        "green apple",
        "dog face",
        "lady beetle",
    ]
    rows = rows_of(things, [True, True, True, True, True, False, False])
    answers = dict(enumerate(["bus", "snowman", "lump", "cloud", "", "dog", "bus"], 1))
    result = by_eye_score.score_answers(rows, answers, SpokenNames(SUBJECTS))
    assert result["confusion"] == {
        "judge right": {"reader right": 2, "reader wrong": 3},
        "judge wrong": {"reader right": 1, "reader wrong": 1},
    }
    reader = result["shares"]["the reader names"]
    assert (reader["passed"], reader["of"]) == (3, 7)
    z, n, p = 1.959964, 7, 3 / 7  # Wilson's interval
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = [(p + z**2 / (2 * n) + side) / (1 + z**2 / n) for side in (-half, half)]
    assert [reader["low"], reader["high"]] == pytest.approx(expected, abs=1e-5)
    passed = result["shares"]["of what the judge passes, the reader names"]
    assert passed["share"] == 0.4 and passed["low"] is None  # five prompts
    # "bus" twice: of 42 pairs of an answer and another picture one fits.
    assert result["chance"] == pytest.approx(1 / 42)
    printed = capsys.readouterr().out
    assert "do not quote it without the reader" in printed
    assert "3: 'a crying face' is seen as 'lump'; the judge passes" in printed


def test_where_both_agree_the_judge_may_be_quoted(capsys):
    rows = rows_of(["bus", "snowman"], [True, True])
    by_eye_score.score_answers(rows, {1: "bus", 2: "snowman"}, SpokenNames(SUBJECTS))
    assert "do not quote" not in capsys.readouterr().out


def test_two_models_are_compared_prompt_by_prompt(capsys):
    numbers = [str(n) for n in range(8)]
    results = {
        "old": {"named": {n: float(int(n) % 2) for n in numbers}},
        "new": {"named": dict.fromkeys(numbers, 1.0)},
    }
    by_eye_score.print_differences(results, {n: n for n in numbers})
    printed = capsys.readouterr().out
    assert printed.startswith("new - old: +50.0 points (+") and "8 prompts" in printed
    few = {n: str(int(n) % 2) for n in numbers}  # two combinations only
    by_eye_score.print_differences(results, few)
    assert "(-), p" in capsys.readouterr().out


def make_items():
    things = [Truth("noto", (Thing(subject),), "", CLEAR) for subject in SUBJECTS[:6]]
    return [
        Item(f"dev-single-{n:03d}", "single", f"a {t.things[0].subject.name}", n, str(n % 6), t)
        for n, t in enumerate(things * 3)
    ]


def test_all_combinations_are_drawn_equally_often():
    chosen = by_eye.choose_items(make_items(), 8)
    counts = [sum(item.group == group for item in chosen) for group in map(str, range(6))]
    assert sorted(counts) == [1, 1, 1, 1, 2, 2] and len({item.id for item in chosen}) == 8


def test_sheets_tell_nothing_and_the_key_tells_all(monkeypatch, tmp_path, capsys):
    def generate(items, out, options):
        (out / "pictures").mkdir(parents=True)
        shade = 40 if "second" in options else 160
        for item in items:
            picture = Image.new("RGBA", (64, 64), (shade, int(item.group) * 20, 0, 255))
            picture.save(out / "pictures" / f"{item.id}.png")

    class Judge:
        sha256 = "0"

    monkeypatch.setattr(by_eye, "generate_images", generate)
    monkeypatch.setattr(by_eye, "family_items", lambda *_: make_items())
    monkeypatch.setattr(by_eye, "load_judge", lambda name: Judge())
    monkeypatch.setattr(by_eye, "read_pictures", lambda pictures, judge: None)
    monkeypatch.setattr(by_eye, "is_thing", lambda item, *_: item.group == "0")
    monkeypatch.setattr(by_eye, "load_subjects", lambda version: (SUBJECTS, None))
    work, sheets = tmp_path / "work", tmp_path / "sheets"
    call(monkeypatch, "draw", work, "--sheets", str(sheets), *models(), "--count", "11")
    assert sorted(path.name for path in sheets.iterdir()) == [
        "answers.csv",
        "sheet-1.png",
        "sheet-2.png",
    ]
    for path in sheets.glob("*.png"):
        assert not Image.open(path).info
    key = json.loads((work / "key.json").read_text())["pictures"]
    assert len(key) == 22 == len((sheets / "answers.csv").read_text().splitlines()) - 1
    sheet = np.asarray(Image.open(sheets / "sheet-1.png"))
    for row in key[:20]:
        x, y = (row["number"] - 1) % 5 * 192 + 96, (row["number"] - 1) // 5 * 214 + 110
        shade = 40 if row["model"] == "second" else 160
        assert sheet[y, x].tolist() == [shade, int(row["group"]) * 20, 0]
    names = [row["model"] for row in key]
    assert names not in (sorted(names), sorted(names)[::-1])
    answers = tmp_path / "answers.csv"
    answers.write_text("".join(f"{row['number']},{row['things'][0]}\n" for row in key))
    capsys.readouterr()
    call(monkeypatch, "score", work, "--answers", str(answers))
    assert capsys.readouterr().out.count("100.0%") >= 2
    results = json.loads((work / "by-eye.json").read_text())
    assert {name: r["shares"]["the reader names"]["share"] for name, r in results.items()} == {
        "first": 1,
        "second": 1,
    }


def test_the_key_never_lies_where_the_reader_looks(monkeypatch, tmp_path):
    for sheets in (tmp_path / "work" / "sheets", tmp_path):
        with pytest.raises(SystemExit, match="give other folders"):
            call(monkeypatch, "draw", tmp_path / "work", "--sheets", str(sheets))


def models():
    return "--model", "first", "--model", "second"


def call(monkeypatch, command, work, *options):
    monkeypatch.setattr(sys, "argv", ["by_eye", command, "--work", str(work), *options])
    by_eye.main()
