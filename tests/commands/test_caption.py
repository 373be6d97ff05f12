"""Captions beside pictures: written once, never over what a person wrote, and changed on a page."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from stickerforge.captioning.caption_folder import plan_captions
from stickerforge.captioning.review_page import render_page, thumbnails
from stickerforge.commands.caption import caption, run
from stickerforge.config.resolve import resolve
from stickerforge.config.schema import CaptionConfig
from stickerforge.errors import Interrupted
from stickerforge.runtime.console import Console
from stickerforge.web.local_server import Server
from tests.conftest import one_line


@pytest.fixture
def toys(tmp_path):
    """A yellow thing on three grounds."""
    folder = tmp_path / "toys"
    folder.mkdir()
    for name, ground in (("one", "#4a86e2"), ("two", "#e23c3c"), ("three", "#5cb25c")):
        picture = Image.new("RGB", (96, 96), ground)
        picture.paste("#fcd450", (24, 24, 72, 72))
        picture.save(folder / f"{name}.png")
    return folder


def texts(folder):
    return {path.stem: path.read_text().strip() for path in folder.glob("*.txt")}


def record(folder):
    return {
        row["picture"]: row
        for row in map(json.loads, (folder / "captions.jsonl").read_text().splitlines())
    }


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


def test_an_interruption_keeps_what_is_captioned(toys, monkeypatch):
    from stickerforge.commands import caption as command

    config = resolve(CaptionConfig, {"pictures": str(toys), "subject": "duck"})

    def two(used, whole, which, check):
        yield "a duck"
        yield "a duck here"
        os.kill(os.getpid(), signal.SIGINT)
        check()

    monkeypatch.setattr(command, "captions", two)
    with pytest.raises(Interrupted):
        run(config, Console(quiet=True), offline=True)
    monkeypatch.undo()
    assert (
        set(texts(toys)) == set(name.partition(".")[0] for name in record(toys)) == {"one", "three"}
    )
    assert len(run(config, Console(quiet=True), offline=True).told) == 3
    assert texts(toys)["one"] == "a <duck>", "it was done"


def asked(url, body=None):
    with urllib.request.urlopen(
        urllib.request.Request(url, None if body is None else json.dumps(body).encode()), timeout=10
    ) as answer:
        return answer.read().decode()


def row(name, caption, was):
    return {"picture": name, "caption": caption, "was": was}


@pytest.fixture
def served(toys):
    """A page that is served, until it says that it is done."""
    made = caption(toys, settings={"subject": "duck"})
    with Server(made, thumbnails(made)) as server:
        thread = threading.Thread(
            target=lambda: [server.handle_request() for _ in iter(lambda: server.done, True)]
        )
        thread.start()
        yield server
        server.done = True
        thread.join(10)
        assert not thread.is_alive()


def test_the_page_saves_back(toys, served):
    before = texts(toys)
    assert "textarea" in asked(served.url)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(f"http://127.0.0.1:{served.server_address[1]}/")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(served.url + "x", {"rows": []})
    for nonsense in ({"nothing": 1}, {"rows": [3]}, {"rows": [row("one.png", None, "")]}, []):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            asked(served.url, nonsense)
    rows = [
        row("one.png", "my  <duck>\n swims", before["one"]),
        row("two.png", "no word", before["two"]),
        row("../x.png", "a <duck>", ""),
    ]
    answer = json.loads(asked(served.url, {"rows": rows, "done": True}))
    assert answer == {
        "refused": ["two.png: say <duck> once", "../x.png: no picture of this folder"],
        "wrong": "",
    }
    assert texts(toys) == before | {"one": "my <duck> swims"} and not served.done
    assert (
        record(toys)["one.png"]["source"] == "person"
        and record(toys)["two.png"]["source"] == "model"
    )
    assert (
        json.loads(asked(served.url, {"rows": [], "done": True})) == {"refused": [], "wrong": ""}
        and served.done
    )


def test_a_save_that_ends_after_the_page_was_closed_does_not_open_it_again(served):
    slow, body = (
        http.client.HTTPConnection(*served.server_address, timeout=10),
        json.dumps({"rows": []}).encode(),
    )
    slow.putrequest("POST", f"/{served.key}")
    slow.putheader("Content-Length", str(len(body)))
    slow.endheaders()
    time.sleep(0.3)  # until its own thread waits for the rest
    asked(served.url, {"rows": [], "done": True})
    slow.send(body)
    assert slow.getresponse().status == 200
    served.server_close()  # waits for every thread
    assert served.done


def test_the_page_never_overwrites_what_was_changed_elsewhere(toys, served):
    before = texts(toys)
    (toys / "one.txt").write_text("a <duck> by hand\n")
    answer = json.loads(
        asked(served.url, {"rows": [row("one.png", "a <duck> on the page", before["one"])]})
    )
    assert (
        "changed elsewhere meanwhile" in answer["refused"][0]
        and texts(toys)["one"] == "a <duck> by hand"
    )
    assert (
        json.loads(
            asked(
                served.url, {"rows": [row("one.png", "a <duck> on the page", "a <duck> by hand")]}
            )
        )["refused"]
        == []
    )
    assert texts(toys)["one"] == "a <duck> on the page"


def test_many_saves_at_once_lose_nothing(toys, served):
    before = texts(toys)
    wanted = {
        stem: {"rows": [row(f"{stem}.png", f"a <duck> named {stem}", before[stem])]}
        for stem in before
    }
    threads = [threading.Thread(target=asked, args=(served.url, rows)) for rows in wanted.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {line["source"] for line in record(toys).values()} == {"person"}
    assert (
        {line["caption"] for line in record(toys).values()}
        == set(texts(toys).values())
        == {f"a <duck> named {stem}" for stem in before}
    )


def test_what_could_not_be_written_is_not_called_saved(toys, served, monkeypatch):
    from stickerforge.captioning import edits
    from stickerforge.errors import EnvironmentFault

    def full(picture, text):
        raise EnvironmentFault("the disk is full", "free some space")

    before = texts(toys)
    monkeypatch.setattr(edits, "write_caption", full)
    wanted = {"rows": [row("one.png", "my <duck>", before["one"])], "done": True}
    assert "disk is full" in json.loads(asked(served.url, wanted))["wrong"]
    monkeypatch.undo()
    assert (
        json.loads(asked(served.url, wanted)) == {"refused": [], "wrong": ""}
        and texts(toys)["one"] == "my <duck>"
    )


def test_changes_saved_from_the_page_are_taken_and_nothing_else_is_done(cli, toys, blip, tmp_path):
    cli("caption", toys, "--subject", "duck", "--captioner", blip, "--style", "tags", "--quiet")
    before, saved = texts(toys), tmp_path / "saved.jsonl"
    saved.write_text(json.dumps(row("one.png", "my <duck> swims", before["one"])) + "\n")
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
        json.dumps(row("none.png", "a <duck>", "")): "none.png: no picture of this folder",
        json.dumps(row("two.png", "x", before["two"])): "say <duck> once",
        json.dumps(row("two.png", "a <duck> now", "something else")): "changed elsewhere",
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
    monkeypatch.setattr("stickerforge.commands.reviewing.reviewed", lambda made, messages: None)
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
    page = render_page(caption(toys, settings={"subject": "duck"}))
    assert "<b>" not in page and page.encode()


def test_a_caption_that_is_written_meanwhile_is_kept(toys, monkeypatch):
    from stickerforge.commands import caption as command

    def slow(used, whole, which, check):
        for number in which:
            (toys / "two.txt").write_text("a <duck> by hand\n")
            yield f"a duck, number {number}"

    monkeypatch.setattr(command, "captions", slow)
    made = caption(toys, settings={"subject": "duck"})
    assert texts(toys)["two"] == "a <duck> by hand" and made.failed == [
        "two.png: given a caption meanwhile"
    ]


def test_one_file_says_nothing_of_its_neighbours(cli, toys):
    cli("caption", toys, "--subject", "duck", "--quiet")
    ended = cli("caption", toys / "one.png", "--subject", "duck", "--json")
    assert ended.code == 0 and ended.json["warnings"] == [] and len(record(toys)) == 3


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_the_page_works_in_a_browser(toys, tmp_path):
    made = caption(toys, settings={"subject": "duck"})
    script = """<script>
    window.onerror = (message) => document.title = "ERROR " + message;
    const areas = () => [...document.querySelectorAll("textarea")];
    byId("from").value = "background"; byId("to").value = "ground"; byId("replace").click();
    const changed = document.querySelectorAll("li.changed").length;
    areas()[0].value = "no word"; areas()[0].dispatchEvent(new Event("input"));
    byId("save").click();
    document.title = JSON.stringify({ texts: areas().map((area) => area.value), changed, bad: document.querySelectorAll("li.bad").length,
      state: state.textContent, label: byId("save").textContent, hidden: byId("done").hidden });
    </script>"""
    page = tmp_path / "page.html"
    page.write_text(render_page(made).replace("</body>", script + "</body>"))
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=3000",
        "--dump-dom",
        page.as_uri(),
    ]
    started = time.monotonic()
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    found = json.loads(
        dom.split("<title>")[1]
        .split("</title>")[0]
        .replace("&quot;", '"')
        .replace("&lt;", "<")
        .replace("&gt;", ">")
    )
    assert (
        found["changed"] == 3
        and found["bad"] == 1
        and found["texts"][0] == "no word"
        and "ground" in found["texts"][1]
    )
    assert (
        found["state"] == "one.png: say <duck> once"
        and found["label"] == "Download the changes"
        and found["hidden"]
    )
    assert time.monotonic() - started < 60


def test_a_plan_knows_what_is_kept(toys):
    (toys / "one.txt").write_text("a <duck>")
    whole = plan_captions(
        resolve(CaptionConfig, {"pictures": str(toys), "subject": "duck"}), Console(quiet=True)
    )
    assert (
        whole.kept == {"one.png": "a <duck>"}
        and whole.pair("Duck on a duck pond").text == "<duck> on a duck pond"
    )
    assert (
        whole.pair("").text == "<duck>"
        and whole.pair("something yellow").base == "duck, something yellow"
    )


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


def test_a_kill_does_not_make_our_captions_a_persons(toys, monkeypatch):
    def killed(picture, caption):
        if picture.stem == "three":
            raise MemoryError  # as good as SIGKILL: nothing after it writes the record
        original(picture, caption)

    from stickerforge.commands import caption as command

    original, whole = command.write_caption, command.write_record
    monkeypatch.setattr(command, "write_caption", killed)
    monkeypatch.setattr(command, "write_record", lambda *_: None)
    with pytest.raises(MemoryError):
        caption(toys, settings={"subject": "duck"})
    monkeypatch.setattr(command, "write_caption", original)
    monkeypatch.setattr(command, "write_record", whole)
    assert (
        set(texts(toys)) == {"one"} and len((toys / "captions.jsonl").read_text().splitlines()) == 2
    )
    with (toys / "captions.jsonl").open("a") as file:
        file.write('{"picture": "tw')
    assert {row.source for row in caption(toys, settings={"subject": "duck"}).told} == {"model"}
    assert set(record(toys)) == {"one.png", "two.png", "three.png"}


def test_of_two_lines_that_of_the_text_counts(toys):
    caption(toys, settings={"subject": "duck"})
    first = (toys / "captions.jsonl").read_text().splitlines()[0]
    with (toys / "captions.jsonl").open(
        "a"
    ) as file:  # as a killed call leaves it, before it has written its text
        file.write(
            json.dumps(
                json.loads(first) | {"caption": "a <duck>", "base_caption": "a duck", "seal": ""}
            )
            + "\n"
        )
    assert caption(toys, settings={"subject": "duck"}).made == 0
    assert record(toys)["one.png"] == json.loads(first)


def test_what_is_not_said_again_is_taken_from_the_record(cli, toys, tmp_path, monkeypatch):
    monkeypatch.setattr("stickerforge.commands.reviewing.reviewed", lambda made, messages: None)
    cli("caption", toys, "--subject", "rex", "--class", "duck", "--quiet")
    before, saved = texts(toys), tmp_path / "saved.jsonl"
    saved.write_text(json.dumps(row("one.png", "my <rex> swims", before["one"])) + "\n")
    assert cli("caption", toys, "--take", saved, "--quiet").code == 0
    assert record(toys)["one.png"]["base_caption"] == "my duck swims"
    assert cli("caption", toys, "--review").code == 0 and texts(toys) == before | {
        "one": "my <rex> swims"
    }
    assert "add --subject rex" in one_line(cli("caption", toys, "--quiet"))


def test_a_review_puts_the_subject_into_captions_that_were_made_without(cli, toys, monkeypatch):
    monkeypatch.setattr("stickerforge.commands.reviewing.reviewed", lambda made, messages: None)
    cli("caption", toys, "--quiet")
    assert cli("caption", toys, "--subject", "duck", "--review").code == 0
    assert all(text.count("<duck>") == 1 for text in texts(toys).values())


def test_some_changes_are_taken(cli, toys, tmp_path):
    cli("caption", toys, "--subject", "duck", "--quiet")
    before, saved = texts(toys), tmp_path / "saved.jsonl"
    (toys / "three.txt").unlink()
    changes = [
        row("one.png", "my <duck>", before["one"]),
        row("two.png", "nothing", before["two"]),
        row("three.png", "a <duck>", ""),
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
    monkeypatch.setattr("stickerforge.commands.reviewing.reviewed", lambda made, messages: None)
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
    assert "U+0007" in one_line(cli("caption", toys, "--subject", "duck", "--quiet"))
