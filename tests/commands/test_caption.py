"""Captions beside pictures: written once, never over what a person wrote, and changed on a page."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from stickerforge import commands
from stickerforge.captioning.review_page import render_page, thumbnails
from stickerforge.commands.caption import caption
from tests.captioning.toys import edit, record, texts, write_toys
from tests.conftest import one_line


@pytest.fixture
def toys(tmp_path):
    return write_toys(tmp_path / "toys")


def test_every_picture_gets_a_caption_and_its_pair(cli, toys):
    ended = cli("caption", toys, "--subject", "duck", "--json")
    assert ended.code == 0, ended.out
    rows = ended.json["result"]["captions"]
    assert [row["picture"] for row in rows] == ["one.png", "three.png", "two.png"]
    for row in rows:
        assert row["caption"].count("<duck>") == 1 and row["base_caption"] == row[
            "caption"
        ].replace("<duck>", "duck")
        assert (
            row["source"] == "model"
            and row["model"].startswith("embedded@")
            and len(row["sha256"]) == 64
        )
    assert texts(toys)["two"] == rows[2]["caption"] and "on a red background" in rows[2]["caption"]
    assert list(record(toys).values()) == rows
    learned = cli(
        "customize",
        toys,
        "--subject",
        "duck",
        "--steps",
        2,
        "--rank",
        2,
        "--set",
        "preview.count=0",
        "--quiet",
        "--json",
    )
    assert learned.code == 0
    used = [
        json.loads(line)
        for line in (Path(learned.json["result"]["run"]) / "captions.jsonl")
        .read_text()
        .splitlines()
    ]
    assert {row["caption"] for row in used} == {row["caption"] for row in rows}


def test_what_a_person_wrote_is_never_overwritten(cli, toys):
    (toys / "one.txt").write_text("my <duck> in the bath\n")
    assert cli("caption", toys, "--subject", "duck", "--quiet").code == 0
    assert (
        texts(toys)["one"] == "my <duck> in the bath"
        and record(toys)["one.png"]["source"] == "person"
    )
    assert record(toys)["one.png"]["base_caption"] == "my duck in the bath"
    (toys / "two.txt").write_text("a <duck> at sunset\n")  # ours, changed by hand
    ended = cli("caption", toys, "--subject", "duck", "--style", "tags")
    assert ended.code == 0 and "2 by people left as they are" in ended.err
    assert texts(toys) == {
        "one": "my <duck> in the bath",
        "two": "a <duck> at sunset",
        "three": texts(toys)["three"],
    }
    assert (
        texts(toys)["three"].startswith("<duck>, ")
        and record(toys)["two.png"]["source"] == "person"
    )


def test_a_second_call_changes_nothing_and_a_new_picture_is_added(cli, toys):
    cli("caption", toys, "--subject", "duck", "--quiet")
    before = {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in toys.glob("*.txt")
    }
    shutil.copy(toys / "one.png", toys / "four.png")
    ended = cli("caption", toys, "--subject", "duck", "--json")
    assert ended.json["result"]["made"] == 1
    assert before == {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in toys.glob("*.txt")
        if path.stem != "four"
    }
    (toys / "one.png").unlink()
    gone = cli("caption", toys, "--subject", "duck", "--json")
    assert any("gone: one.png" in line for line in gone.json["warnings"])


def test_without_a_subject_what_is_seen_is_named(cli, toys):
    ended = cli("caption", toys, "--style", "short", "--quiet")
    assert ended.code == 0 and len(ended.out.splitlines()) == 3
    assert all("<" not in text for text in texts(toys).values())
    assert all(row["caption"] == row["base_caption"] for row in record(toys).values())


def test_a_dry_run_shows_five_and_writes_nothing(cli, toys):
    for number in range(4):
        shutil.copy(toys / "one.png", toys / f"more-{number}.png")
    ended = cli("caption", toys, "--subject", "rubber duck", "--dry-run", "--json")
    result = ended.json["result"]
    assert ended.code == 0 and len(result["captions"]) == 5 and len(result["writes"]) == 8
    assert all("<rubber-duck>" in text for text in result["captions"].values())
    assert all("rubber duck" in text for text in result["base_captions"].values())
    assert not list(toys.glob("*.txt")) and not list(toys.glob("*.jsonl"))


def test_a_dry_run_of_a_review_makes_only_what_is_missing(cli, toys):
    assert cli("caption", toys, "--style", "short", "--quiet").code == 0
    (toys / "one.txt").unlink()
    again = cli("caption", toys, "--style", "tags", "--dry-run", "--json").json["result"]
    review = cli("caption", toys, "--style", "tags", "--dry-run", "--review", "--json").json[
        "result"
    ]
    assert len(again["captions"]) == 3 and again["keeps"] == []
    assert list(review["captions"]) == ["one.png"] and review["keeps"] == ["three.png", "two.png"]
    assert sorted(review["writes"]) == sorted([str(toys / "one.txt"), str(toys / "captions.jsonl")])


def test_other_captioners(cli, toys, blip):
    ended = cli("caption", toys, "--subject", "duck", "--captioner", blip, "--json")
    assert ended.code == 0, ended.out
    assert all(row["model"].startswith("tiny-blip@") for row in ended.json["result"]["captions"])
    assert all(text.count("<duck>") == 1 for text in texts(toys).values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no pictures given"),
        (["toys", "--class", "dog"], "--class belongs to a subject"),
        (["nowhere"], "no folder nowhere"),
        (["toys", "--captioner", "nonsense"], "unknown captioner"),
        (["toys", "--style", "poem"], "choose one of long, short, tags"),
        (["toys", "--subject", "<dog>"], "is no name"),
        (["toys", "--take", "nowhere.jsonl"], "no file nowhere.jsonl"),
    ],
)
def test_what_cannot_be_captioned(cli, toys, arguments, said):
    ended = cli("caption", *arguments)
    assert ended.code == 2 and said in one_line(ended)


def test_bad_neighbours(cli, toys):
    (toys / "one.txt").write_text("a <duck> and a <duck>")
    assert "holds <duck> 2 times" in one_line(cli("caption", toys, "--subject", "duck"))
    (toys / "one.txt").unlink()
    (toys / "broken.png").write_bytes(b"not a picture")
    assert cli("caption", toys, "--subject", "duck", "--quiet").code == 4 and len(texts(toys)) == 3
    (toys / "captions.jsonl").write_text('{"picture": 3}\n')
    assert "is broken" in one_line(cli("caption", toys, "--subject", "duck"))
    (toys / "captions.jsonl").unlink()
    Image.new("RGB", (64, 64)).save(toys / "one.jpg")
    assert "share the caption one.txt" in one_line(cli("caption", toys, "--subject", "duck"))


def test_changes_saved_from_the_page_are_taken_and_nothing_else_is_done(cli, toys, blip, tmp_path):
    cli("caption", toys, "--subject", "duck", "--captioner", blip, "--style", "tags", "--quiet")
    before, saved = texts(toys), tmp_path / "saved.jsonl"
    saved.write_text(json.dumps(edit("one.png", "my <duck> swims", before["one"])) + "\n")
    ended = cli("caption", toys, "--subject", "duck", "--take", saved)
    assert (
        ended.code == 0
        and "0 captions written beside the pictures; 1 changed by you" in ended.err
        and "left as" not in ended.err
    )
    assert texts(toys) == before | {"one": "my <duck> swims"}, "no captioner was asked"
    assert {name: line["source"] for name, line in record(toys).items()} == {
        "one.png": "person",
        "two.png": "model",
        "three.png": "model",
    }
    wrong = {
        json.dumps(edit("none.png", "a <duck>", "")): "none.png: no picture of this folder",
        json.dumps(edit("two.png", "x", before["two"])): "say <duck> once",
        json.dumps(edit("two.png", "a <duck> now", "something else")): "changed elsewhere",
        "[]": "holds no changes",
        (toys / "captions.jsonl").read_text().splitlines()[0]: "holds no changes",
    }
    for text, said in wrong.items():
        saved.write_text(text + "\n")
        ended = cli("caption", toys, "--subject", "duck", "--take", saved, "--quiet")
        assert ended.code == 2 and said in one_line(ended)
    assert texts(toys) == before | {"one": "my <duck> swims"}


def test_a_review_leaves_other_captioners_captions_alone(cli, toys, blip, monkeypatch):
    cli("caption", toys, "--subject", "duck", "--captioner", blip, "--quiet")
    before = texts(toys)
    monkeypatch.setattr(commands.caption, "review", lambda captions, console: None)
    assert cli("caption", toys, "--subject", "duck", "--review").code == 0 and texts(toys) == before
    assert "leave --quiet out" in one_line(
        cli("caption", toys, "--subject", "duck", "--review", "--quiet")
    )


def test_another_name_of_the_subject(cli, toys):
    cli("caption", toys, "--subject", "duck", "--quiet")
    (toys / "one.txt").write_text("a duck by hand\n")
    assert cli("caption", toys, "--subject", "goose", "--class", "duck", "--quiet").code == 0
    assert texts(toys)["two"].count("<goose>") == 1 and texts(toys)["one"] == "a duck by hand"
    assert record(toys)["one.png"]["caption"] == "a <goose> by hand", (
        "the pair is what customize will make of it"
    )
    assert record(toys)["one.png"]["base_caption"] == "a duck by hand"


def test_odd_names_of_files(cli, toys):
    odd = ["caf\udce9.png", "line\u2028break.png", "<b>&x.png"]
    for name in odd:
        shutil.copy(toys / "one.png", toys / name)
    for _ in range(2):
        ended = cli("caption", toys, "--subject", "duck", "--json")
        assert ended.code == 0 and {*odd} <= {
            line["picture"] for line in ended.json["result"]["captions"]
        }
    assert ended.json["result"]["made"] == 0
    captions = caption(toys, settings={"subject": "duck"})
    page = render_page(captions, thumbnails(toys, [line.picture for line in captions.records]))
    assert "<b>" not in page and page.encode()


def test_one_file_says_nothing_of_its_neighbours(cli, toys):
    cli("caption", toys, "--subject", "duck", "--quiet")
    ended = cli("caption", toys / "one.png", "--subject", "duck", "--json")
    assert ended.code == 0 and ended.json["warnings"] == [] and len(record(toys)) == 3


def test_a_line_that_was_changed_by_hand_is_not_lost(cli, toys):
    cli("caption", toys, "--subject", "duck", "--quiet")
    path = toys / "captions.jsonl"
    changed = path.read_text().replace("<duck>", "my <duck>", 1)
    path.write_text(changed)
    ended = cli("caption", toys, "--subject", "duck", "--quiet")
    assert (
        ended.code == 2
        and "the line of one.png in captions.jsonl was changed by hand" in one_line(ended)
    )
    assert path.read_text() == changed


def test_what_is_not_said_again_is_taken_from_the_record(cli, toys, tmp_path, monkeypatch):
    monkeypatch.setattr(commands.caption, "review", lambda captions, console: None)
    cli("caption", toys, "--subject", "rex", "--class", "duck", "--quiet")
    before, saved = texts(toys), tmp_path / "saved.jsonl"
    saved.write_text(json.dumps(edit("one.png", "my <rex> swims", before["one"])) + "\n")
    assert cli("caption", toys, "--take", saved, "--quiet").code == 0
    assert record(toys)["one.png"]["base_caption"] == "my duck swims"
    assert cli("caption", toys, "--review").code == 0 and texts(toys) == before | {
        "one": "my <rex> swims"
    }
    assert "add --subject rex" in one_line(cli("caption", toys, "--quiet"))


def test_a_review_puts_the_subject_into_captions_that_were_made_without(cli, toys, monkeypatch):
    monkeypatch.setattr(commands.caption, "review", lambda captions, console: None)
    cli("caption", toys, "--quiet")
    assert cli("caption", toys, "--subject", "duck", "--review").code == 0
    assert all(text.count("<duck>") == 1 for text in texts(toys).values())


def test_some_changes_are_taken(cli, toys, tmp_path):
    cli("caption", toys, "--subject", "duck", "--quiet")
    before, saved = texts(toys), tmp_path / "saved.jsonl"
    (toys / "three.txt").unlink()
    changes = [
        edit("one.png", "my <duck>", before["one"]),
        edit("two.png", "nothing", before["two"]),
        edit("three.png", "a <duck>", ""),
    ]
    saved.write_text("".join(json.dumps(change) + "\n" for change in changes))
    rehearsed = cli("caption", toys, "--take", saved, "--dry-run", "--json").json["result"]
    assert (
        rehearsed["captions"] == {"one.png": "my <duck>"}
        and len(rehearsed["refused"]) == 2
        and texts(toys)["one"] == before["one"]
    )
    ended = cli("caption", toys, "--take", saved, "--json")
    assert ended.code == 4 and texts(toys)["one"] == "my <duck>"
    assert ended.json["result"]["failed"] == [
        "two.png: say <duck> once",
        "three.png: it has no caption any more",
    ]
    assert cli("caption", toys, "--take", tmp_path / "none.jsonl", "--dry-run").code == 2
    saved.write_text("".join(json.dumps(change) + "\n" for change in changes[1:]))
    for options in ((), ("--dry-run",)):
        ended = cli("caption", toys, "--take", saved, "--quiet", *options)
        assert ended.code == 2 and all(
            part in one_line(ended) for part in ("two.png", "three.png", "nothing was taken")
        )


def test_texts_whose_picture_has_another_name(cli, toys):
    cli("caption", toys, "--subject", "duck", "--quiet")
    before = texts(toys)
    (toys / "one.png").rename(toys / "first.png")
    (toys / "notes.txt").write_text("about these\n")
    ended = cli("caption", toys, "--subject", "duck", "--quiet")
    assert (
        ended.code == 2
        and "first.png was one.png" in one_line(ended)
        and "rename one.txt to first.txt" in one_line(ended)
    )
    (toys / "one.txt").rename(toys / "first.txt")
    said = cli("caption", toys, "--subject", "duck").err
    assert (
        "no picture has their names" in said
        and "notes.txt" in said
        and "names pictures that are gone: one.png" in said
    )
    assert texts(toys)["first"] == before["one"]


def test_a_review_does_not_guess_between_subjects(cli, toys, monkeypatch):
    monkeypatch.setattr(commands.caption, "review", lambda captions, console: None)
    cli("caption", toys, "--subject", "rex", "--quiet")
    (toys / "one.png").rename(toys.parent / "one.png")
    (toys / "one.txt").unlink()
    cli("caption", toys, "--subject", "rex", "--class", "duck", "--quiet")
    before = texts(toys)
    assert cli("caption", toys, "--review").code == 0 and texts(toys) == before, (
        "a picture that is gone has no say"
    )
    (toys.parent / "one.png").rename(toys / "one.png")
    (toys / "one.txt").write_text("<rex> by hand")
    ended = cli("caption", toys, "--review")
    assert (
        ended.code == 2
        and "of several subjects or classes" in one_line(ended)
        and texts(toys) == before | {"one": "<rex> by hand"}
    )


@pytest.mark.parametrize("text", ["یک <duck> می‌خواهد", "👩‍🚀 and <duck>"])
def test_joiners_are_letters(cli, toys, text):
    (toys / "one.txt").write_text(text, encoding="utf-8")
    assert cli("caption", toys, "--subject", "duck", "--quiet").code == 0
    assert texts(toys)["one"] == text
    (toys / "one.txt").write_text("a \x07 <duck>")
    ended = cli("caption", toys, "--subject", "duck", "--quiet")
    assert ended.code == 4 and "U+0007" in ended.err
