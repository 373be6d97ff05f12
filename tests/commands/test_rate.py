"""`rate` without its page: ratings in and out, decisions, and what is refused."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import stickerforge
from stickerforge.data.captioned_pictures import read_captioned_pictures
from stickerforge.errors import InputError
from stickerforge.rating.ratings import write_ratings
from tests.command_line import one_line
from tests.rating.sets import rating, write_set

RATERS = ("Ann", "Bob", "Zoë")


@pytest.fixture
def folder(tmp_path):
    write_set(tmp_path / "set", 12)
    return tmp_path / "set"


def files(folder):
    """Every file with its content; but for the database, whose pages may move."""
    return {
        path.name: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "sqlite" not in path.name
    }


def votes(number):
    """Three raters: the first two pass what is even, the third everything."""
    return [number % 2 == 0, number % 2 == 0, True]


def write_votes(path, numbers=range(12), raters=RATERS, **more):
    write_ratings(
        path,
        [
            rating(f"pictures/{number:06}.png", answer, rater, **more)
            for number in numbers
            for rater, answer in zip(RATERS, votes(number), strict=True)
            if rater in raters
        ],
    )
    return path


def test_ratings_of_several_raters_become_a_table(cli, folder, tmp_path):
    ended = cli("rate", folder, "--ratings", write_votes(tmp_path / "all.jsonl"), "--json")
    assert ended.code == 0
    result = ended.json["result"]
    assert (result["passed"], result["rejected"], result["rated"], result["taken"]) == (
        6,
        6,
        12,
        36,
    )
    assert result["raters"] == dict.fromkeys(RATERS, 12)
    assert result["agreement"]["kind"] == "fleiss" and result["agreement"]["items"] == 12
    assert [row["path"] for row in result["outputs"]] == [
        str(folder / "ratings.jsonl"),
        str(folder / "content.jsonl"),
    ]
    rows = [json.loads(line) for line in (folder / "content.jsonl").read_text().splitlines()]
    assert [row["file_name"] for row in rows] == [f"pictures/{n:06}.png" for n in range(0, 12, 2)]
    assert {(row["passes"], row["fails"]) for row in rows} == {(3, 0)}
    assert len(read_captioned_pictures(folder / "content.jsonl").pictures) == 6


def test_raters_who_work_apart_are_brought_together(cli, folder, tmp_path):
    outs = []
    for rater in RATERS:
        out = tmp_path / f"{rater} out"
        part = write_votes(tmp_path / "part.jsonl", raters=[rater])
        exported = tmp_path / f"{rater}.jsonl"
        ended = cli("rate", folder, "--out", out, "--ratings", part, "--export", exported)
        assert ended.code == 0 and "12 ratings taken in" in ended.err
        outs.append(exported)
        accepted = (out / "content.jsonl").read_text().splitlines()
        assert all(json.loads(line)["file_name"].startswith("/") for line in accepted)
        assert len(read_captioned_pictures(out / "content.jsonl").pictures) == len(accepted)
    for _ in range(2):  # twice counts once
        for exported in outs:
            assert cli("rate", folder, "--ratings", exported).code == 0
    result = cli("rate", folder, "--export", "-", "--json").json["result"]
    assert (result["passed"], result["rejected"], len(result["ratings"])) == (6, 6, 36)


def test_export_to_stdout_comes_in_again(cli, folder, tmp_path):
    cli("rate", folder, "--ratings", write_votes(tmp_path / "all.jsonl"))
    text = cli("rate", folder, "--export", "-", "--quiet").out
    assert text == (folder / "ratings.jsonl").read_text()
    (tmp_path / "again.jsonl").write_text(text)
    assert "0 ratings taken in" in cli("rate", folder, "--ratings", tmp_path / "again.jsonl").err


def test_two_raters_have_cohens_kappa(cli, folder, tmp_path):
    file = write_votes(tmp_path / "two.jsonl", raters=RATERS[:2])
    ended = cli("rate", folder, "--ratings", file)
    assert "set: 6 of 12 pictures passed; 2 raters agree on 100% of 12" in ended.err
    assert "kappa 1.00 (cohen)" in ended.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 37"),
        ('{"picture": "pictures/000000.png"}', "line 37: there is no question"),
        (rating("pictures/000099.png", True), "line 37: set does not ask about pictures/000099"),
        (rating("/etc/passwd", True), "line 37: set does not ask about"),
        (rating("pictures/000000.png", True, question="style"), "line 37: .*--question style"),
        (rating("pictures/000000.png", True, sha256="0" * 64), "line 37: .* is another picture"),
    ],
)
def test_a_broken_file_changes_nothing(cli, folder, tmp_path, line, message):
    cli("rate", folder, "--ratings", write_votes(tmp_path / "first.jsonl", range(3)))
    before = files(folder)
    file = write_votes(tmp_path / "all.jsonl", time="2026-03-01T00:00:00Z")
    if not isinstance(line, str):
        write_ratings(tmp_path / "one.jsonl", [line])
        line = (tmp_path / "one.jsonl").read_text()
    file.write_text(file.read_text() + line)
    for more in ([], ["--dry-run"]):
        ended = cli("rate", folder, "--ratings", file, *more)
        assert ended.code == 2 and str(file) in one_line(ended)
        with pytest.raises(AssertionError, match=message):
            raise AssertionError(ended.err)
    assert files(folder) == before
    elsewhere = tmp_path / "elsewhere"
    assert cli("rate", folder, "--ratings", file, "--out", elsewhere).code == 2
    assert not elsewhere.exists()
    assert cli("rate", folder, "--export", "-", "--json").json["result"]["rated"] == 3


def test_pictures_that_were_drawn_anew_are_to_be_rated_again(cli, folder, tmp_path):
    """Also where the file of ratings says nothing of the pictures' content."""
    cli("rate", folder, "--ratings", write_votes(tmp_path / "all.jsonl"))
    for number in (0, 3):
        pixels = np.full((40, 40, 4), 7 + number, np.uint8)
        Image.fromarray(pixels).save(folder / f"pictures/{number:06}.png")
    ended = cli("rate", folder, "--export", "-", "--json")
    (warning,) = ended.json["warnings"]
    assert warning.startswith("6 answers about pictures that have changed since")
    assert len(ended.json["result"]["ratings"]) == 30 and ended.json["result"]["rated"] == 10
    assert not cli("rate", folder, "--export", "-", "--json").json["warnings"], "once"


def test_a_rating_remembers_of_which_picture_it_is(cli, folder, tmp_path):
    cli("rate", folder, "--ratings", write_votes(tmp_path / "all.jsonl"))
    for row in map(json.loads, (folder / "ratings.jsonl").read_text().splitlines()):
        content = (folder / row["picture"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()


def test_pairs_become_strengths(cli, tmp_path):
    for name in ("one", "two", "three"):
        write_set(tmp_path / name, 8)
    rows = [
        rating(
            f"{a}/pictures/{n:06}.png", answer, question="pair", other=f"{b}/pictures/{n:06}.png"
        )
        for n in range(8)
        for a, b, answer in (
            ("one", "two", "left" if n % 4 else "right"),
            ("three", "two", "tie" if n % 2 else "right"),
            ("one", "three", "left" if n else "right"),
        )
    ]
    write_ratings(tmp_path / "pairs.jsonl", rows)
    call = ("rate", "one", "--against", "two", "--against", "three", "--ratings", "pairs.jsonl")
    ended = cli(*call, "--json")
    result = ended.json["result"]
    assert [row["name"] for row in result["strengths"]] == ["one", "two", "three"]
    first = result["strengths"][0]
    assert (first["wins"], first["comparisons"]) == (13, 16)
    assert first["low"] < first["log_strength"] < first["high"]
    assert not ended.json["warnings"] and result["taken"] == 24
    again = cli(*call)
    assert [line.split("\t")[0] for line in again.out.splitlines()] == ["one", "two", "three"]
    assert "24 of 24 pairs rated" in again.err
    folder = next((tmp_path / "home" / "ratings").iterdir())
    assert sorted(path.name for path in folder.iterdir() if "sqlite" not in path.name) == [
        "rating.lock",
        "ratings.jsonl",
    ], "nothing is written beside the pictures"


def test_groups_that_were_never_compared_and_one_sided_results_are_said(cli, tmp_path):
    write_set(tmp_path / "set", 6, question="pair")
    rows = [
        rating("pictures/000000.png", "left", question="pair", other="pictures/000003.png"),
    ]
    write_ratings(tmp_path / "pairs.jsonl", rows)
    ended = cli("rate", "set", "--ratings", "pairs.jsonl", "--json")
    assert "tied once" in ended.json["warnings"][0]
    assert [row["name"] for row in ended.json["result"]["strengths"]] == ["a" * 8, "b" * 8]


@pytest.mark.parametrize("offline", [False, True])
def test_a_dry_run_writes_nothing(cli, folder, tmp_path, offline):
    before, more = files(folder), ["--offline"] if offline else []
    file = write_votes(tmp_path / "all.jsonl")
    ended = cli("rate", folder, "--dry-run", "--json", *more)
    assert ended.code == 0 and ended.json["result"]["items"] == 12
    assert (str(folder / "rate.html") in ended.json["result"]["writes"]) == offline
    assert (
        cli("rate", folder, "--dry-run", "--ratings", file, "--json").json["result"]["takes"] == 36
    )
    assert files(folder) == before and not (folder / "ratings.sqlite").exists()


def test_offline_writes_a_page_that_asks_nothing_of_others(cli, folder):
    ended = cli("rate", folder, "--offline", "--rater", "Ann")
    assert ended.code == 0 and str(folder / "rate.html") in ended.err
    page = (folder / "rate.html").read_text()
    assert "http:" not in page and "https:" not in page and page.count("pictures/0000") == 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quiet"], "--quiet would keep it secret"),
        (["--rater", "x" * 99], "give at most 80"),
        (["--rater", "a\tb\x00"], "not seen"),
        (["--ratings", "."], "it is a folder"),
        (["--export", "."], "no file that can be written"),
        (["--out", "file.txt"], "give --out FOLDER"),
        (["--port", "-1"], "out of range"),
    ],
)
def test_what_is_refused_in_one_line(cli, folder, tmp_path, arguments, message):
    (tmp_path / "file.txt").write_text("x")
    ended = cli("rate", folder, *arguments)
    assert ended.code == 2 and message in one_line(ended)


@pytest.mark.skipif(os.name == "nt", reason="devices")
def test_a_device_is_not_replaced_by_an_export(cli, folder):
    before = os.stat("/dev/null").st_rdev
    assert cli("rate", folder, "--export", "/dev/null").code == 2
    assert os.stat("/dev/null").st_rdev == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_needs_out(cli, folder, tmp_path):
    folder.chmod(0o500)
    try:
        ended = cli("rate", folder, "--export", "-")
        assert ended.code == 2 and "permission denied" in one_line(ended)
        assert cli("rate", folder, "--export", "-", "--out", tmp_path / "out").code == 0
    finally:
        folder.chmod(0o700)


def test_a_broken_database_is_one_line_and_stays(cli, folder):
    (folder / "ratings.sqlite").write_bytes(b"nonsense" * 1000)
    ended = cli("rate", folder, "--export", "-")
    assert ended.code == 2 and "ratings.sqlite is broken" in one_line(ended)
    assert (folder / "ratings.sqlite").read_bytes() == b"nonsense" * 1000


def test_a_picture_that_has_gone_costs_exit_4(cli, folder):
    (folder / "pictures" / "000003.png").unlink()
    ended = cli("rate", folder, "--export", "-", "--json")
    assert ended.code == 4 and ended.json["result"]["failed"] == [
        "pictures/000003.png: it has gone"
    ]
    assert ended.json["result"]["items"] == 11


def test_from_python(folder, tmp_path):
    write_votes(tmp_path / "all.jsonl")
    outcome = stickerforge.rate(folder, ratings=tmp_path / "all.jsonl")
    assert len(outcome.decision.accepted) == 6 and (folder / "content.jsonl").exists()
    outcome = stickerforge.rate(folder, settings={"question": "style"})
    assert outcome.decision.num_rated == 0 and (folder / "style.jsonl").read_text() == ""
    with pytest.raises(InputError, match="neither a set"):
        stickerforge.rate(tmp_path / "gone")


def test_the_file_says_which_set_of_a_name_it_is_about(cli, tmp_path):
    home = tmp_path / "home" / "sets" / "fluent"
    write_set(home / "content", 2)
    write_set(home / "style", 2, question="style")
    for question, folder in (("style", "style"), ("match", "content")):
        write_ratings(Path("x.jsonl"), [rating("pictures/000001.png", True, question=question)])
        ended = cli("rate", "fluent", "--ratings", "x.jsonl")
        assert ended.code == 0 and f"fluent/{folder}: 1 of 2 pictures passed" in ended.err
        assert (home / folder / f"{folder}.jsonl").exists()
    assert f"fluent/{folder}" in cli("rate", "fluent", "--export", "-").err, "still open"


def test_settings_of_the_page_do_nothing_without_it(cli, folder):
    ended = cli("rate", folder, "--export", "-", "--port", "80", "--json")
    assert ended.json["warnings"] == [
        "port is about the page: it does nothing with --ratings or --export"
    ]
