"""The tables of RESULTS.md, from what the benches saved."""

import json
import sys

import pytest

from examples.experiments.bench import results

FIGURE = {"made": 0.625, "low": 0.305, "high": 0.863, "chance": 0.05, "real": 1.0}


def record(scores, **changed):
    few = FIGURE | {"low": None, "high": None, "chance": None, "prompts": 4, "pictures": 4}
    figures = {"single: subject": FIGURE | {"prompts": 8, "pictures": 24}, "worn": few}
    groups = {each: each for rows in scores.values() for each in rows}
    base = {"model": "sticker-mini", "adapters": [], "settings": [], "lists": "dev", "world": 3}
    base |= {"quick": False, "judge": "0123456789abcdef0123", "figures": figures}
    return base | {"scores": scores, "groups": groups} | changed


def save(path, what):
    path.write_text(json.dumps(what))
    return path


def rewrite(monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["results", *map(str, options)])
    results.main()


def test_only_what_lies_between_the_markers_is_rewritten(monkeypatch, tmp_path, capsys):
    into = tmp_path / "RESULTS.md"
    into.write_text(f"# Title\n\n{results.BEGIN}\nold\n{results.END}\n\n## Older\n| a |\n")
    bench = save(tmp_path / "bench.json", record({"single: subject": {"a": 1.0}}))
    for _ in range(2):  # and a second time comes to the same
        rewrite(monkeypatch, "--bench", bench, "--into", into)
    text = into.read_text()
    assert text.startswith(f"# Title\n\n{results.BEGIN}\n\n`python -m ")
    assert text.endswith(f"\n\n{results.END}\n\n## Older\n| a |\n") and "old\n" not in text
    assert "sticker_bench --world 3 --lists dev`, judge 0123456789abcdef." in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[:4] == [
        "| | share | 95 % interval | chance | real renders | prompts |",
        "| --- | --- | --- | --- | --- | --- |",
        "| single: subject | 62.5 % | 30.5 to 86.3 | 5.0 % | 100.0 % | 8 (24 pictures) |",
        "| worn | 62.5 % | - | - | 100.0 % | 4 |",
    ]


def test_another_run_stands_beside_by_paired_differences(tmp_path):
    ours = {"single: subject": {str(n): 1.0 for n in range(8)}, "worn": {"a": 1.0}}
    theirs = {"single: subject": {str(n): float(n % 2) for n in range(8)}, "worn": {"a": 0.5}}
    other = save(tmp_path / "other.json", record(theirs))
    text = results.bench_block(record(ours), {"version 2": other})
    head, _, first, second = text.splitlines()[-4:]
    assert head.endswith("| prompts | than version 2 |")
    assert "| +50.0 (+" in first and second.endswith("| +50.0 (-) |")
    strange = save(tmp_path / "strange.json", record(theirs, world=2))
    with pytest.raises(SystemExit, match="cannot be compared"):
        results.bench_block(record(ours), {"other": strange})


def test_the_reader_stands_beside_the_judge():
    shares = {
        "the reader names": {"share": 0.55, "low": 0.42, "high": 0.67, "passed": 33, "of": 60},
        "the judge passes": {"share": 0.85, "low": 0.74, "high": 0.92, "passed": 51, "of": 60},
    }
    confusion = {
        "judge right": {"reader right": 32, "reader wrong": 19},
        "judge wrong": {"reader right": 1, "reader wrong": 8},
    }
    found = {"sticker-mini": {"shares": shares, "confusion": confusion, "chance": 0.01}}
    text = results.eye_block(found)
    assert "| the reader names | 55.0 % | 42.0 to 67.0 | 33 of 60 |" in text
    assert "| answers of other pictures: chance | 1.0 % | - | - |" in text
    assert "| judge right | 32 | 19 |\n| judge wrong | 1 | 8 |" in text
    assert text.endswith("the judge's share is not quoted without the reader's.")
    shares["the reader names"]["share"] = 0.8
    assert "not quoted" not in results.eye_block(found)


def test_near_things_have_a_column_of_their_own():
    kinds = {"right": 20, "near": 11, "wrong": 40, "none": 4}
    shares = {
        kind: {"share": n / 75, "low": 0.1, "high": 0.3, "passed": n, "of": 75}
        for kind, n in kinds.items()
    }
    change = {"change": 0.08, "low": 0.01, "high": 0.15, "p": 0.03, "prompts": 75}
    record = {
        "versions": {"v2": {"shares": shares}, "v3": {"shares": shares}},
        "changes": {"v3": {"right": change, "right or near": change | {"low": None}}},
    }
    head, _, old, new = results.wishes_block(record).splitlines()[-4:]
    assert "| drawn as a near thing | wrong | no picture | right, than v2 |" in head
    assert "11 of 75 (10.0 to 30.0)" in old and old.endswith("| - | - |")
    assert new.endswith("| +8.0 (+1.0 to +15.0) | +8.0 (-) |")


def test_what_the_classifier_of_greys_is_worth_is_said():
    grey = {"accuracy": {"noto": 0.7, "flat": 0.9}, "tested": 600}
    text = results.bench_block(record({}, grey=grey), {})
    assert "In grey styles are read rightly in 80% of 600 other renders." in text
    assert "grey" not in results.bench_block(record({}), {})


@pytest.mark.parametrize("text", [None, "{", "no JSON"])
def test_what_cannot_be_read_is_said(monkeypatch, tmp_path, text):
    path, before = tmp_path / "bench.json", results.RESULTS.read_text()
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit, match="cannot read .*bench.json"):
        rewrite(monkeypatch, "--bench", path)
    assert results.RESULTS.read_text() == before


@pytest.mark.parametrize("text", ["none", f"{results.END}\n{results.BEGIN}", results.BEGIN * 2])
def test_a_file_without_one_pair_of_markers_is_left_alone(text):
    with pytest.raises(SystemExit, match="there must be one line"):
        results.replace_block(text, "new")


def test_the_file_that_ships_has_its_markers():
    assert results.replace_block(results.RESULTS.read_text(), "new").count("new")


def test_every_story_has_its_own_table():
    row = {"made": 0.5, "low": None, "high": None, "chance": 0.1, "real": 1, "prompts": 4}
    names = ("single: subject", "single: style in grey", "wording: subject", "diversity")
    figures = {name: row | {"pictures": 4} for name in names}
    text = results.bench_block(record({}) | {"figures": figures, "scores": {}}, {})
    assert text.count("real renders |") == 3
    things, style, wording = (text.index(each) for each in results.STORIES.values())
    assert things < text.index("diversity") < style < text.index("in grey |") < wording


@pytest.mark.parametrize("model", ["/some/where/mini", "mini"])
def test_no_place_on_a_machine_is_written(model):
    text = results.bench_block(record({}) | {"model": model, "adapters": ["/a/b.safetensors"]}, {})
    assert "--model mini --adapter b.safetensors" in text and "/some" not in text
