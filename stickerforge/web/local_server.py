"""A page served to this machine's browser alone."""

import errno
import json
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from stickerforge.errors import EnvironmentFault
from stickerforge.runtime.json_text import parse_json

MAX_BODY = 20_000_000  # bytes that a page may post
HTML, JSON = "text/html; charset=utf-8", "application/json"
PORT_FAULTS = {  # what a system says of a port that cannot be had
    errno.EADDRINUSE: "another program has it",
    errno.EACCES: "only an administrator may open it",
}


def no_resource(name: str) -> None:
    """For pages that are one file: there is nothing beside them."""


class PageServer(ThreadingHTTPServer):
    """Serves one page on 127.0.0.1 to whoever knows its key, and takes JSON from it.

    A key may leak, in a history or a screenshot: other pages of the browser are refused even so, by
    the name they reached us under (which keeps off those that rebind their own to this address),
    the origin of what they post, and its content type, which no form can send.

    `handle_request` waits a fifth of a second for a request, so that a loop of it hears Ctrl-C;
    every request is answered in a thread of its own.

    Args:
        render: makes the page's HTML, given the key under which it is served.
        receive: takes what the page posts, as parsed JSON, and returns what is answered, likewise;
            raises ValueError where a page cannot have posted that. Called by several threads.
        resource: (content, its type) of what the page names below its own address, as
            "picture/3"; None where there is none. Called by several threads.
        port: where to listen; 0 for a port that is free.

    Raises:
        EnvironmentFault: the port cannot be had.
    """

    daemon_threads = False  # a request that has begun is finished, also after Ctrl-C

    def __init__(
        self,
        render: Callable[[str], str],
        receive: Callable[[Any], Any],
        resource: Callable[[str], tuple[bytes, str] | None] = no_resource,
        port: int = 0,
    ) -> None:
        try:
            super().__init__(("127.0.0.1", port), PageHandler)
        except OSError as error:
            reason = PORT_FAULTS.get(error.errno or 0) or error.strerror or str(error)
            raise EnvironmentFault(
                f"cannot listen on port {port}: {reason}",
                "give another --port, or none for one that is free",
            ) from None
        self.render, self.receive, self.resource = render, receive, resource
        self.key = secrets.token_urlsafe(16)
        self.timeout = 0.2

    @property
    def hosts(self) -> tuple[str, str]:
        """What a browser on this machine calls us."""
        port = self.server_address[1]
        return f"127.0.0.1:{port}", f"localhost:{port}"

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.hosts[0]}/{self.key}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error."""


class PageHandler(BaseHTTPRequestHandler):
    """Answers the page's requests."""

    server: PageServer
    timeout = 10  # seconds that a browser may leave a connection open without a word

    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        """The page, or what lies beside it."""
        if fault := self.fault():
            self.send_error(fault)
        elif not self.resource_name:
            self.respond(self.server.render(self.server.key).encode(), HTML)
        elif found := self.server.resource(self.resource_name):
            self.respond(*found)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:  # noqa: N802
        """Hand posted JSON on, and answer with what comes back."""
        length = self.headers.get("Content-Length", "")
        if fault := self.fault() or self.fault_of_post():
            self.send_error(fault)
            return
        if not re.fullmatch("[0-9]{1,9}", length) or not 0 < int(length) <= MAX_BODY:
            self.send_error(404)
            return
        try:
            answer = self.server.receive(parse_json(self.rfile.read(int(length))))
        except ValueError:
            self.send_error(400)
            return
        self.respond(json.dumps(answer).encode(), JSON)

    @property
    def resource_name(self) -> str:
        """What is asked for below the page's address: "picture/3"; "" for the page itself."""
        return self.path[1:].partition("/")[2]

    def fault(self) -> HTTPStatus | None:
        """Why a request is not one of our page's browser, if it is none."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            return HTTPStatus.MISDIRECTED_REQUEST
        key, slash, name = self.path[1:].partition("/")
        if not secrets.compare_digest(key.encode(), self.server.key.encode()):
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.NOT_FOUND if bool(slash) != bool(name) else None

    def fault_of_post(self) -> HTTPStatus | None:
        """Why our page has not posted this, if it has not; browsers say from which page it is."""
        if self.resource_name:
            return HTTPStatus.NOT_FOUND
        own = f"http://{self.headers['Host'].lower()}"
        if any(origin != own for origin in self.headers.get_all("Origin", [])):
            return HTTPStatus.FORBIDDEN
        if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return HTTPStatus.FORBIDDEN
        if self.headers.get_content_type() != "application/json" or (
            len(self.headers.get_all("Content-Type", [])) != 1
        ):
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        return None

    def respond(self, body: bytes, content_type: str) -> None:
        """Send a page, an answer or a picture."""
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "same-origin")  # its address holds the key
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""
