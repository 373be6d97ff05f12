"""The page in a real browser, with real keys and touches."""

import hashlib
import json
import signal
import time

import pytest
from PIL import Image

from tests.browser import DESKTOP, PHONE, browser, needs_chromium
from tests.command_line import one_line
from tests.rating.serving import serving
from tests.rating.sets import write_set

pytestmark = needs_chromium
READY = "document.querySelector('#count').textContent === '{} of {}' && shown && !busy"


def wait_for(page, answered, total):
    page.wait(READY.format(answered, total))


def name_of_shown(page):
    return page.run("item.text")


def begin(page, url, rater, total):
    page.open(url)
    page.wait("document.activeElement.id === 'name'")
    page.write(rater)
    page.key("Enter")
    wait_for(page, 0, total)


def wait_for_file(path):
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_thirty_ratings_by_keys_the_server_killed_between(tmp_path):
    folder = tmp_path / "home" / "sets" / "fluent" / "content"
    write_set(folder, 30, guideline="Pass <b>all</b> & more.")
    arguments = (tmp_path / "home", "fluent")
    with browser(tmp_path) as page:
        page.size(*DESKTOP)
        with serving(*arguments) as server:
            begin(page, server.url, "Ann", 30)
            assert "Pass <b>all</b> & more." in page.text()
            for number, key in enumerate(("j", "f", "ArrowRight", "ArrowLeft", "J")):
                wait_for(page, number, 30)
                page.key(key)
            wait_for(page, 5, 30)
            page.key("Backspace")
            wait_for(page, 4, 30)
            page.reload()
            wait_for(page, 4, 30)
            page.key("u")  # also after a reload
            wait_for(page, 3, 30)
            before = page.run("item.id")
            page.key("s")
            page.wait(f"item.id !== {json.dumps(before)} && shown && !busy")
            for number in range(3, 14):
                page.key("j")
                wait_for(page, number + 1, 30)
            server.end(signal.SIGKILL)
            page.key("j")
            page.wait("document.querySelector('#state.bad')")
            assert "was not saved" in page.text() and "14 of 30" in page.text()
        killed = page.faults()
        assert all("net::ERR_" in str(fault) for fault in killed), killed
        page.events.clear()
        with serving(*arguments) as server:
            page.open(server.url)
            page.wait("document.activeElement.id === 'name'")  # another address, another page
            page.write(" Ann ")
            page.key("Enter")
            for number in range(14, 30):
                wait_for(page, number, 30)
                page.key("f")
            page.wait("document.body.innerText.includes('All 30 decided')")
            page.run("byId('close').click()")
            page.wait("document.body.innerText.includes('This page can be closed')")
            assert server.process.wait(20) == 0
            assert "13 of 30 pictures passed" in server.process.stderr.read()
        assert not page.faults()
        assert {url.split("/")[2] for url in page.requested() if url.startswith("http")} == {
            server.url.split("/")[2]
        }
    rows = rows_of(folder / "ratings.jsonl")
    answers = [row["answer"] for row in rows]
    assert answers == [True, False, True] + [True] * 11 + [False] * 16
    assert len({row["picture"] for row in rows}) == 30 and {row["rater"] for row in rows} == {"Ann"}
    assert len(rows_of(folder / "content.jsonl")) == 13


def test_two_raters_take_turns_in_one_tab_and_a_picture_that_has_gone_is_skipped(tmp_path):
    candidates = write_set(tmp_path / "set", 3)
    with browser(tmp_path) as page, serving(tmp_path / "home", tmp_path / "set") as server:
        page.size(*DESKTOP)
        page.open(server.url)
        page.wait("document.activeElement.id === 'name'")
        page.key("Enter")  # without a name nothing begins
        page.write("<b>Ann</b>")
        page.key("Enter")
        wait_for(page, 0, 3)
        assert "<b>Ann</b>" in page.text()
        page.key("j")
        wait_for(page, 1, 3)
        (tmp_path / "set" / candidates[0].file_name).unlink()
        page.reload()
        page.wait("document.querySelector('#count').textContent === '1 of 3' && !busy")
        page.run("byId('who').click()")
        page.wait("document.activeElement.id === 'name'")
        page.write("u j s f")  # letters of a name are no keys
        page.key("Enter")
        for _ in range(3):
            page.wait("item && !busy && (shown || document.querySelector('#state.bad'))")
            page.key("j")  # does nothing to what is not shown
            if page.run("!shown"):
                assert "this cannot be shown: skip it" in page.text()
                page.key("s")
        page.wait("document.querySelector('#count').textContent === '2 of 3'")
        code, _, _ = server.end()
    assert code == 130
    raters = [row["rater"] for row in rows_of(tmp_path / "set" / "ratings.jsonl")]
    assert raters == ["<b>Ann</b>", "u j s f", "u j s f"]


def test_on_a_phone_all_is_seen_and_touched(tmp_path):
    write_set(tmp_path / "set", 6, question="style", side=512)
    with browser(tmp_path) as page, serving(tmp_path / "home", tmp_path / "set") as server:
        page.size(*PHONE)
        begin(page, server.url, "Bob", 6)
        assert page.run("document.documentElement.scrollWidth") <= 390
        assert page.run("document.documentElement.scrollHeight") <= 844
        for selector in ("#answers .yes", "#answers .no", "#undo", "#skip", "#grounds button"):
            box = page.run(
                f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
            )
            assert box["height"] >= 44 and box["width"] >= 44, "large enough for a finger"
            assert 0 <= box["left"] and box["right"] <= 390 and box["bottom"] <= 844
        assert page.run("document.querySelector('figure img').getBoundingClientRect().width") > 300
        page.tap("#answers .yes")
        wait_for(page, 1, 6)
        page.tap("#answers .no")
        wait_for(page, 2, 6)
        page.tap("#undo")
        wait_for(page, 1, 6)
        page.tap("#grounds button:last-child")
        page.wait("document.body.dataset.ground === 'dark'")
        page.screenshot(tmp_path / "phone.png")
        assert Image.open(tmp_path / "phone.png").size == (390, 844)
        box = page.run("document.querySelector('figure').getBoundingClientRect().toJSON()")
        corner = int(box["left"]) + 20, int(box["top"]) + 4  # beside the picture
        assert Image.open(tmp_path / "phone.png").convert("RGB").getpixel(corner) == (23, 23, 27)
        server.end()
    assert [row["answer"] for row in rows_of(tmp_path / "set" / "ratings.jsonl")] == [True]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pairs_are_blind_and_the_side_does_not_count(tmp_path, size):
    """Whoever always prefers the first model, on whichever side it is, makes it the stronger."""
    candidates = write_set(tmp_path / "set", 12, question="pair", side=64)
    for candidate in candidates:
        color = "#c00" if candidate.model.startswith("a") else "#00c"
        Image.new("RGB", (64, 64), color).save(tmp_path / "set" / candidate.file_name)
    red = """(() => { const canvas = document.createElement('canvas');
      const pen = canvas.getContext('2d');
      pen.drawImage(document.querySelectorAll('figure img')[0], 0, 0);
      return pen.getImageData(9, 9, 1, 1).data[0] > 100; })()"""
    with (
        browser(tmp_path) as page,
        serving(tmp_path / "home", tmp_path / "set", "--rater", "Ann") as server,
    ):
        page.size(*size)
        page.open(server.url)
        sides, total = [], 12
        for number in range(total):
            wait_for(page, number, total)
            sides.append(page.run(red))
            if number % 2:
                page.key("1" if sides[-1] else "2")
            else:
                page.tap(f"figure:nth-child({1 if sides[-1] else 2})")
        page.wait("document.body.innerText.includes('All 12 decided')")
        page.run("byId('close').click()")
        out = server.process.communicate(timeout=20)[0]
    assert len(set(sides)) == 2, "it is shown on either side"
    rows = [line.split("\t") for line in out.splitlines()]
    assert [(row[0], row[3], row[4]) for row in rows] == [
        ("aaaaaaaa", "12", "12"),
        ("bbbbbbbb", "0", "12"),
    ]


def test_offline_a_file_does_without_a_server(tmp_path, cli):
    write_set(tmp_path / "a set", 5)
    assert cli("rate", tmp_path / "a set", "--offline").code == 0
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with browser(tmp_path, downloads) as page:
        page.size(*PHONE)
        address = (tmp_path / "a set" / "rate.html").as_uri()
        begin(page, address, "Zoë", 5)
        for number, key in enumerate("jjf"):
            wait_for(page, number, 5)
            page.key(key)
        wait_for(page, 3, 5)
        page.key("u")
        wait_for(page, 2, 5)
        page.key("s")
        page.wait("item.id !== undefined && shown && !busy")
        page.reload()
        wait_for(page, 2, 5)
        page.key("f")
        wait_for(page, 3, 5)
        page.run("byId('close').click()")
        page.wait("document.body.innerText.includes('saved as a download')")
        assert not page.faults() and all(
            url.startswith(("file:", "data:", "blob:")) for url in page.requested()
        )
        file = downloads / "ratings-Zoë.jsonl"
        wait_for_file(file)
    for row in rows_of(file):
        content = (tmp_path / "a set" / row["picture"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
    ended = cli("rate", tmp_path / "a set", "--ratings", file, "--json")
    assert ended.code == 0, ended.out
    assert ended.json["result"]["raters"] == {"Zoë": 3} and ended.json["result"]["passed"] == 2
    file.write_text(file.read_text() + "{\n")
    assert f"{file} line 4" in one_line(cli("rate", tmp_path / "a set", "--ratings", file))
