"""A page on 127.0.0.1: its key, what it posts, and what is answered."""

import contextlib
import http.client
import json
import threading

import pytest

from stickerforge.errors import EnvironmentFault
from stickerforge.web.local_server import MAX_BODY, PageServer


def double(message):
    """What a page of numbers posts is doubled."""
    if not isinstance(message, list):
        raise ValueError("no list")
    return [2 * number for number in message]


@pytest.fixture
def server():
    with PageServer(lambda key: f"<p>é {key}</p>", double) as server:
        stop = threading.Event()
        thread = threading.Thread(
            target=lambda: [server.handle_request() for _ in iter(stop.is_set, True)]
        )
        thread.start()
        yield server
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def ask(server, method, path, body=None, **headers):
    with contextlib.closing(
        http.client.HTTPConnection(*server.server_address, timeout=10)
    ) as connection:
        if method == "POST":
            headers = {"Content-Type": "application/json"} | headers
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def test_the_page_is_for_those_who_know_its_key(server):
    assert server.server_address[0] == "127.0.0.1" and len(server.key) > 20
    status, headers, text = ask(server, "GET", f"/{server.key}")
    assert (status, text) == (200, f"<p>é {server.key}</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    for path in ("/", f"/{server.key}x", f"/x/{server.key}"):
        assert ask(server, "GET", path)[0] == ask(server, "POST", path, b"[]")[0] == 404


def test_every_page_has_its_own_key(server):
    with PageServer(str, double) as other:
        assert other.key != server.key and other.url != server.url


def test_what_is_posted_is_handed_on_and_answered(server):
    status, headers, text = ask(server, "POST", f"/{server.key}", b"[1, 2.5]")
    assert (status, json.loads(text)) == (200, [2, 5.0])
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (421, {"Host": "evil.example"}),
        (421, {"Host": "evil.example:{port}"}),
        (421, {"Host": "127.0.0.1"}),
        (421, {"Host": "127.0.0.1:1"}),
        (421, {"Host": "127.0.0.1.evil.example:{port}"}),
        (421, {"Host": ""}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": "null"}),
        (403, {"Origin": "http://127.0.0.1:1"}),
        (403, {"Origin": "https://127.0.0.1:{port}"}),
        (403, {"Origin": "http://localhost:{port}"}),
        (403, {"Sec-Fetch-Site": "cross-site"}),
        (403, {"Sec-Fetch-Site": "same-site"}),
        (415, {"Content-Type": "text/plain"}),
        (415, {"Content-Type": "text/plain; application/json"}),
        (415, {"Content-Type": "application/x-www-form-urlencoded"}),
        (415, {"Content-Type": ""}),
        (200, {"Content-Type": "application/json; charset=utf-8"}),
        (200, {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}),
        (200, {"Host": "localhost:{port}", "Origin": "http://localhost:{port}"}),
    ],
)
def test_other_pages_are_refused_even_with_the_key(server, status, headers):
    port = server.server_address[1]
    sent = {name: text.format(port=port) for name, text in headers.items()}
    assert ask(server, "POST", f"/{server.key}", b"[1]", **sent)[0] == status
    read = ask(server, "GET", f"/{server.key}", **sent)[0]
    assert read == (421 if status == 421 else 200)


def test_the_page_is_in_no_frame_and_leaks_no_address(server):
    headers = ask(server, "GET", f"/{server.key}")[1]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("body", [b"{}", b"[1", b"nonsense", b"\xff\xfe", b"[" * 100_000])
def test_what_no_page_posts_is_a_bad_request(server, body):
    assert ask(server, "POST", f"/{server.key}", body)[0] == 400


@pytest.mark.parametrize(
    "length", ["", "-1", "\N{SUPERSCRIPT TWO}", "9" * 5000, "0", "x", str(MAX_BODY + 1)]
)
def test_a_length_that_cannot_be(server, length):
    headers = {"Content-Length": length} if length else {}
    assert ask(server, "POST", f"/{server.key}", None, **headers)[0] == 404
    assert ask(server, "POST", f"/{server.key}", b"[3]")[2] == "[6]", "it goes on"


def test_a_browser_that_goes_away_does_not_stop_it(server):
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.putrequest("POST", f"/{server.key}")
    connection.putheader("Content-Length", "100")
    connection.endheaders()
    connection.close()
    assert ask(server, "GET", f"/{server.key}")[0] == 200


@pytest.fixture
def pictures():
    """A page with a picture beside it."""
    found = {"picture/1": (b"\x89PNG", "image/png")}
    with PageServer(str, double, found.get) as server:
        stop = threading.Event()
        thread = threading.Thread(
            target=lambda: [server.handle_request() for _ in iter(stop.is_set, True)]
        )
        thread.start()
        yield server
        stop.set()
        thread.join(10)


def test_what_lies_beside_a_page_is_for_those_who_know_its_key(pictures):
    status, headers, text = ask_bytes(pictures, f"/{pictures.key}/picture/1")
    assert (status, headers["Content-Type"], text) == (200, "image/png", b"\x89PNG")
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    for path in (
        "/picture/1",
        f"/x{pictures.key[1:]}/picture/1",
        f"/{pictures.key}/",
        f"/{pictures.key}/picture/2",
        f"/{pictures.key}/picture/1/",
        f"/{pictures.key}/../{pictures.key}/picture/1",
        f"/{pictures.key}//picture/1",
        f"/{pictures.key}/picture/1?x",
    ):
        assert ask_bytes(pictures, path)[0] == 404, path
    evil = {"Host": "evil.example"}
    assert ask_bytes(pictures, f"/{pictures.key}/picture/1", **evil)[0] == 421
    assert ask(pictures, "POST", f"/{pictures.key}/picture/1", b"[1]")[0] == 404
    assert ask(pictures, "POST", f"/{pictures.key}", b"[1]")[2] == "[2]"


def ask_bytes(server, path, **headers):
    with contextlib.closing(
        http.client.HTTPConnection(*server.server_address, timeout=10)
    ) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def test_a_port_may_be_chosen_unless_it_is_in_use():
    with PageServer(str, double) as first:
        port = first.server_address[1]
        with pytest.raises(EnvironmentFault, match=f"port {port}: another program has it"):
            PageServer(str, double, port=port)
    with PageServer(str, double, port=port) as second:
        assert second.server_address == ("127.0.0.1", port)
