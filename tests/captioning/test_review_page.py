"""The page on which captions are changed: served, as a file, and in a browser."""

import http.client
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest

from stickerforge.captioning import edits
from stickerforge.captioning.review_page import Review, render_page, thumbnails
from stickerforge.commands.caption import caption
from stickerforge.errors import EnvironmentFault
from stickerforge.web.local_server import PageServer
from tests.captioning.toys import edit, record, texts, write_toys


@pytest.fixture
def toys(tmp_path):
    return write_toys(tmp_path / "toys")


def asked(url, body=None):
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, sent, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


@dataclass
class Served:
    """A page that is served."""

    review: Review
    server: PageServer

    @property
    def url(self):
        return self.server.url

    @property
    def done(self):
        return self.review.done


def images(captions):
    return thumbnails(captions.folder, [line.picture for line in captions.records])


@pytest.fixture
def served(toys):
    """A page that is served, until it says that it is done."""
    captions = caption(toys, settings={"subject": "duck"})
    review = Review(captions, images(captions))
    with PageServer(review.render, review.receive) as server:
        thread = threading.Thread(
            target=lambda: [server.handle_request() for _ in iter(lambda: review.done, True)]
        )
        thread.start()
        yield Served(review, server)
        review.done = True
        thread.join(10)
        assert not thread.is_alive()


def test_the_page_saves_back(toys, served):
    before = texts(toys)
    assert "textarea" in asked(served.url)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(f"http://127.0.0.1:{served.server.server_address[1]}/")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(served.url + "x", {"rows": []})
    for nonsense in ({"nothing": 1}, {"rows": [3]}, {"rows": [edit("one.png", None, "")]}, []):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            asked(served.url, nonsense)
    rows = [
        edit("one.png", "my  <duck>\n swims", before["one"]),
        edit("two.png", "no word", before["two"]),
        edit("../x.png", "a <duck>", ""),
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
        http.client.HTTPConnection(*served.server.server_address, timeout=10),
        json.dumps({"rows": []}).encode(),
    )
    slow.putrequest("POST", f"/{served.server.key}")
    slow.putheader("Content-Type", "application/json")
    slow.putheader("Content-Length", str(len(body)))
    slow.endheaders()
    time.sleep(0.3)  # until its own thread waits for the rest
    asked(served.url, {"rows": [], "done": True})
    slow.send(body)
    assert slow.getresponse().status == 200
    served.server.server_close()  # waits for every thread
    assert served.done


def test_the_page_never_overwrites_what_was_changed_elsewhere(toys, served):
    before = texts(toys)
    (toys / "one.txt").write_text("a <duck> by hand\n")
    answer = json.loads(
        asked(served.url, {"rows": [edit("one.png", "a <duck> on the page", before["one"])]})
    )
    assert (
        "changed elsewhere meanwhile" in answer["refused"][0]
        and texts(toys)["one"] == "a <duck> by hand"
    )
    assert (
        json.loads(
            asked(
                served.url, {"rows": [edit("one.png", "a <duck> on the page", "a <duck> by hand")]}
            )
        )["refused"]
        == []
    )
    assert texts(toys)["one"] == "a <duck> on the page"


def test_many_saves_at_once_lose_nothing(toys, served):
    before = texts(toys)
    wanted = {
        stem: {"rows": [edit(f"{stem}.png", f"a <duck> named {stem}", before[stem])]}
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
    def full(picture, text):
        raise EnvironmentFault("the disk is full", "free some space")

    before = texts(toys)
    monkeypatch.setattr(edits, "write_caption", full)
    wanted = {"rows": [edit("one.png", "my <duck>", before["one"])], "done": True}
    assert "disk is full" in json.loads(asked(served.url, wanted))["wrong"]
    monkeypatch.undo()
    assert (
        json.loads(asked(served.url, wanted)) == {"refused": [], "wrong": ""}
        and texts(toys)["one"] == "my <duck>"
    )


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_the_page_works_in_a_browser(toys, tmp_path):
    captions = caption(toys, settings={"subject": "duck"})
    script = """<script>
    window.onerror = (message) => document.title = "ERROR " + message;
    const areas = () => [...document.querySelectorAll("textarea")];
    byId("from").value = "background"; byId("to").value = "ground"; byId("replace").click();
    const changed = document.querySelectorAll("li.changed").length;
    areas()[0].value = "no word"; areas()[0].dispatchEvent(new Event("input"));
    byId("save").click();
    document.title = JSON.stringify({
      texts: areas().map((area) => area.value), changed,
      bad: document.querySelectorAll("li.bad").length, state: state.textContent,
      label: byId("save").textContent, hidden: byId("done").hidden });
    </script>"""
    page = tmp_path / "page.html"
    page.write_text(render_page(captions, images(captions)).replace("</body>", script + "</body>"))
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
