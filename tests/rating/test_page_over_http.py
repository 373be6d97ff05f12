"""The page without a browser: what it posts, what it is answered, and what stays of it."""

import hashlib
import io
import json
import signal
import sqlite3
import threading
import time

import numpy as np
import pytest
from PIL import Image

from stickerforge.config.schema import RateConfig
from stickerforge.rating.answer_store import STORE, AnswerStore
from stickerforge.rating.plan import plan_rating
from stickerforge.rating.rating_page import RatingSession
from stickerforge.rating.ratings import write_ratings
from stickerforge.stickers.image_files import encode_image
from stickerforge.web.local_server import PageServer
from tests.rating.serving import get, post, serving
from tests.rating.sets import rating, write_set


@pytest.fixture
def session(tmp_path):
    """A session of nine pictures, which is not served."""
    write_set(tmp_path / "set", 9)
    task = plan_rating(RateConfig(run=str(tmp_path / "set")))
    with AnswerStore(tmp_path / STORE) as store:
        yield RatingSession(task, store, "")


def opened(session, rater="Ann"):
    return session.receive({"action": "open", "rater": rater})


def act(session, action, state, rater="Ann", **more):
    message = {"action": action, "rater": rater, "item": state["items"][0]["id"], **more}
    return session.receive(message)


def file_name(session, item):
    return session.pictures[item["pictures"][0]]


def test_answers_advance_and_can_be_taken_back(session):
    first = opened(session)
    assert (first["answered"], first["total"], first["undo"], first["wrong"]) == (0, 9, False, "")
    second = act(session, "answer", first, answer=True)
    assert (
        second["answered"] == 1
        and second["undo"]
        and second["items"] == first["items"][1:] + second["items"][-1:]
    )
    assert session.receive({"action": "undo", "rater": "Ann"})["items"] == first["items"]
    assert not session.store.ratings("match"), "it is history only"
    again = session.receive({"action": "undo", "rater": "Ann"})
    assert again["items"] == first["items"] and not again["undo"], "nothing is left to take back"


def test_a_session_after_a_restart_goes_on_where_it_was(session):
    state = opened(session)
    for answer in (True, False, True):
        state = act(session, "answer", state, answer=answer)
    state = act(session, "skip", state)
    later = RatingSession(session.task, session.store, "")
    found = opened(later)
    names = [file_name(later, item) for item in found["items"]]
    assert names == [file_name(session, item) for item in state["items"]]
    assert (found["answered"], found["undo"]) == (3, True)
    back = later.receive({"action": "undo", "rater": "Ann"})  # the skip
    assert back["answered"] == 3 and file_name(later, back["items"][0]) not in names[:1]
    assert later.receive({"action": "undo", "rater": "Ann"})["answered"] == 2


def test_what_was_skipped_comes_again_at_the_end(session):
    state = opened(session)
    skipped = state["items"][0]["id"]
    state = act(session, "skip", state)
    assert state["answered"] == 0 and state["items"][0]["id"] != skipped
    for _ in range(8):
        assert not state["items"][0]["again"]
        state = act(session, "answer", state, answer=True)
    (last,) = state["items"]
    assert (last["id"], last["again"]) == (skipped, True)
    state = act(session, "skip", state)
    assert state["items"][0]["id"] == skipped, "the only one that is left comes at once"
    state = act(session, "answer", state, answer=True)
    assert state["items"] == [] and state["answered"] == 9


def test_each_rater_has_an_order_of_their_own_and_keeps_it(session):
    orders = {}
    for rater in ("Ann", "Bob", "Zoë"):
        state, names = opened(session, rater), []
        while state["items"]:
            names.append(file_name(session, state["items"][0]))
            state = act(session, "answer", state, rater, answer=True)
        orders[rater] = names
    assert len({tuple(names) for names in orders.values()}) == 3
    assert all(sorted(names) == sorted(session.task.paths) for names in orders.values())
    assert {row.rater for row in session.store.ratings("match")} == set(orders)


def test_the_page_tells_nothing_of_files_seeds_and_models(session):
    text = session.render("k") + json.dumps(opened(session))
    for secret in ("00000", "pictures/0", "aaaaaaaa", "bbbbbbbb", "seed"):
        assert secret not in text


def test_a_picture_is_sent_without_its_metadata(session):
    path = session.task.paths["pictures/000000.png"]
    pixels = np.full((2048, 400, 4), 200, np.uint8)
    path.write_bytes(encode_image(pixels, {"prompt": "a secret cat", "seed": 77}, "x", "png"))
    token = session.picture_tokens["pictures/000000.png"]
    content, kind = session.resource(f"picture/{token}")
    assert kind == "image/png" and b"secret" not in content and b"seed" not in content
    assert Image.open(io.BytesIO(content)).size == (200, 1024), "no larger than it is shown"
    for name in ("", "picture/", f"picture/{token}x", token, "picture/../set.json"):
        assert session.resource(name) is None


def test_what_is_kept_says_who_what_when_and_of_which_picture(session):
    state = opened(session)
    name = file_name(session, state["items"][0])
    act(session, "answer", state, answer=False)
    (row,) = session.store.ratings("match")
    assert (row.picture, row.answer, row.rater, row.question) == (name, False, "Ann", "match")
    assert row.sha256 == hashlib.sha256(session.task.paths[name].read_bytes()).hexdigest()
    assert row.model == next(one.model for one in session.task.candidates if one.file_name == name)
    assert abs(row.moment.timestamp() - time.time()) < 60 and row.time.endswith("Z")


def test_a_picture_that_has_gone_or_is_broken_can_be_skipped_only(session):
    state = opened(session)
    gone, broken = (file_name(session, item) for item in state["items"][:2])
    session.task.paths[gone].unlink()
    session.task.paths[broken].write_bytes(b"no picture")
    for name in (gone, broken, gone):
        assert session.resource(f"picture/{session.picture_tokens[name]}") is None
    assert [line.partition(":")[0].split("/")[-1] for line in session.task.failed] == [
        gone.split("/")[-1],
        broken.split("/")[-1],
    ]
    refused = act(session, "answer", state, answer=True)
    assert refused["wrong"] == "this has gone: skip it" and refused["answered"] == 0
    assert act(session, "skip", state)["items"][0]["id"] == state["items"][1]["id"]


@pytest.mark.parametrize(
    "message",
    [
        [],
        "x",
        {"action": "open"},
        {"action": "open", "rater": 3},
        {"action": "fly", "rater": "Ann"},
        {"action": "answer", "rater": "Ann"},
        {"action": "answer", "rater": "Ann", "item": "nothing", "answer": True},
        {"action": "answer", "rater": "Ann", "item": 0, "answer": "left"},
        {"action": "answer", "rater": "Ann", "item": 0, "answer": 1},
        {"action": "skip", "rater": "Ann", "item": ["x"]},
    ],
)
def test_what_no_page_posts_is_refused(session, message):
    if isinstance(message, dict) and message.get("item") == 0:
        message["item"] = session.tokens[0]
    with pytest.raises(ValueError, match="rater|message|answer"):
        session.receive(message)


@pytest.mark.parametrize("name", ["", "  \n", "\u200b", "x" * 81, "a\x1b[31m", "a\u202eb"])
def test_a_name_that_is_none_is_refused_with_a_line(session, name):
    answer = opened(session, name)
    assert "name of the rater" in answer["wrong"] and "items" not in answer


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Ann \t Lee ", "Ann Lee"),
        ("Zoe\u0308", "Zoë"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'; DROP TABLE answers; --", "'; DROP TABLE answers; --"),
        ("名前", "名前"),
    ],
)
def test_odd_names_are_names(session, given, kept):
    state = opened(session, given)
    assert state["rater"] == kept
    act(session, "answer", state, given, answer=True)
    assert [row.rater for row in session.store.ratings("match")] == [kept]
    assert opened(session, kept)["answered"] == 1


def test_what_could_not_be_kept_is_said_and_not_counted(session):
    state = opened(session)
    session.store.connection.execute("PRAGMA query_only = 1")
    refused = act(session, "answer", state, answer=True)
    assert "cannot write" in refused["wrong"] and refused["answered"] == 0
    assert refused["items"] == state["items"]
    session.store.connection.execute("PRAGMA query_only = 0")
    assert act(session, "answer", state, answer=True)["answered"] == 1


def test_an_answer_that_is_sent_twice_counts_once(session):
    state = opened(session)
    for _ in range(2):
        found = act(session, "answer", state, answer=True)
    assert found["answered"] == 1 and len(session.store.ratings("match")) == 1


def test_raters_at_once_lose_nothing(session):
    names = [f"rater {number}" for number in range(4)]

    def rate_all(name):
        state = opened(session, name)
        while state["items"]:
            state = act(session, "answer", state, name, answer=True)

    threads = [threading.Thread(target=rate_all, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(session.store.ratings("match")) == 9 * 4


def test_a_guideline_is_text_and_never_a_part_of_the_page(tmp_path):
    guideline = "</script><script>alert(1)</script><img src=x onerror=alert(1)><!--data-->"
    write_set(tmp_path / "<b>set", guideline=guideline)
    task = plan_rating(RateConfig(run=str(tmp_path / "<b>set")))
    with AnswerStore(tmp_path / STORE) as store:
        page = RatingSession(task, store, "<i>Ann").render("k")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img src" not in page and "onerror=alert" in page and "<b>set" not in page
    assert "http:" not in page and "https:" not in page and "//cdn" not in page


def test_thirty_answers_a_kill_between_and_nothing_is_lost(tmp_path):
    write_set(tmp_path / "home" / "sets" / "fluent" / "content", 30)
    given, state = {}, None
    for part in (13, 17):
        with serving(tmp_path / "home", "fluent", "--rater", "Ann") as server:
            assert get(server.url)[0] == 200
            state = server.post(action="open", rater="")
            assert state["answered"] == len(given)
            for _ in range(part):
                item, answer = state["items"][0], len(given) % 3 > 0
                status, headers, content = get(f"{server.url}/picture/{item['pictures'][0]}")
                assert (status, headers["Content-Type"]) == (200, "image/png")
                assert Image.open(io.BytesIO(content)).size == (40, 40)
                state = server.post(action="answer", rater="", item=item["id"], answer=answer)
                given[len(given)] = answer
            if part == 13:
                server.end(signal.SIGKILL)
            else:
                assert state["items"] == []
                server.post(action="close")
                out, err = server.process.communicate(timeout=20)
    assert server.process.returncode == 0 and "20 of 30 pictures passed" in err
    content, ratings = (
        tmp_path / "home/sets/fluent/content" / name for name in ("content.jsonl", "ratings.jsonl")
    )
    assert out.splitlines() == [str(ratings), str(content)]
    rows = [json.loads(line) for line in ratings.read_text().splitlines()]
    assert [row["answer"] for row in rows] == list(given.values())
    assert len({row["picture"] for row in rows}) == 30 and {row["rater"] for row in rows} == {"Ann"}
    assert len(content.read_text().splitlines()) == 20


def test_ctrl_c_keeps_what_was_decided_and_says_130(tmp_path):
    write_set(tmp_path / "set")
    with serving(tmp_path / "home", tmp_path / "set", "--json") as server:
        state = server.post(action="open", rater="Ann")
        server.post(action="answer", rater="Ann", item=state["items"][0]["id"], answer=True)
        code, out, _ = server.end()
    assert code == 130 and json.loads(out)["error"]["code"] == 130
    assert len((tmp_path / "set" / "content.jsonl").read_text().splitlines()) == 1


def test_a_second_server_says_where_the_first_one_is(tmp_path, cli):
    write_set(tmp_path / "set")
    with serving(tmp_path / "home", tmp_path / "set") as server:
        write_ratings(tmp_path / "x.jsonl", [rating("pictures/000001.png", True)])
        for more in ([], ["--ratings", "x.jsonl"], ["--export", "-"]):
            ended = cli("rate", tmp_path / "set", *more)
            assert ended.code == 2 and server.url in ended.err
            assert f"process {server.process.pid}" in ended.err
        mode = (tmp_path / "set" / "rating-page.json").stat().st_mode
        assert mode & 0o077 == 0, "the key is for its owner"
        server.end(signal.SIGKILL)
    assert cli("rate", tmp_path / "set", "--export", "-").code == 0, "the lock ended with it"


def test_a_port_in_use_is_one_line(tmp_path, cli):
    write_set(tmp_path / "set")
    with PageServer(str, list) as other:
        port = other.server_address[1]
        ended = cli("rate", tmp_path / "set", "--port", port)
    assert ended.code == 3 and len(ended.err.strip().splitlines()) == 1
    assert f"port {port}" in ended.err and "another program has it" in ended.err
    assert cli("rate", tmp_path / "set", "--port", 99_999).code == 2


def test_under_50_ms_an_answer_with_10000_pictures(tmp_path):
    folder = tmp_path / "set"
    (candidate, *_) = write_set(folder, 1, side=512)
    rows = [{"file_name": f"pictures/{n}.png", "text": f"a cat {n}"} for n in range(10_000)]
    for row in rows:
        (folder / row["file_name"]).hardlink_to(folder / candidate.file_name)
    (folder / "candidates.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with serving(tmp_path / "home", folder) as server:
        state, seconds = server.post(action="open", rater="Ann"), []
        assert len(get(server.url)[2]) < 100_000, "the page does not grow with the set"
        for number in range(200):
            item = state["items"][0]
            started = time.perf_counter()
            state = post(
                server.url, {"action": "answer", "rater": "Ann", "item": item["id"], "answer": True}
            )
            seconds.append(time.perf_counter() - started)
            if number % 10 == 0:
                get(f"{server.url}/picture/{state['items'][0]['pictures'][0]}")
        server.end(signal.SIGKILL)
    p50, p95 = (1000 * float(np.percentile(seconds, share)) for share in (50, 95))
    print(f"an answer with 10,000 pictures: median {p50:.1f} ms, 95 % within {p95:.1f} ms")
    best = min(float(np.percentile(seconds[at : at + 50], 95)) for at in range(0, 200, 50))
    assert best < 0.05, "also where the machine has other work for a while"
    with sqlite3.connect(folder / STORE) as connection:
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (200,)
    connection.close()
