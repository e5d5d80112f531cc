"""Whoever drives a page goes elsewhere when what was pressed is there; nobody does it another way."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import pytest

from tests.browser.visiting import DESK, Visitor, context_of, running_chromium
from tools.stack.home import REPOSITORY

# Playwright's own ways to leave a page, which do not wait.
OWN_WAYS: Final = {"goto", "reload", "go_back", "go_forward"}
DRIVERS: Final = ("tests", "tools", "bench")
FORM: Final = b'<!DOCTYPE html><title>form</title><form method="post" action="/answer"><button>Send</button></form>'
ANSWER: Final = b'<!DOCTYPE html><title>answer</title><img src="/late.png" alt="">'
# How long a picture lets wait for itself when nobody leaves before.
LATE_S: Final = 0.2


class Site(ThreadingHTTPServer):
    """A form whose answer has a picture that comes late, and the order in which all was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.events: list[str] = []
        self.has_left = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(ANSWER)

    def do_GET(self) -> None:
        if self.path == "/late.png":
            self.server.has_left.wait(LATE_S)
        elif self.path != "/form":
            self.server.has_left.set()
        self._answer(FORM)

    def _answer(self, body: bytes) -> None:
        self.server.events.append(self.path)
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, in threads of its own."""
    with Site() as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_a_page_is_left_when_what_was_pressed_is_there(site: Site) -> None:
    """An address and the same page anew: both after the last part of the answer."""
    with running_chromium() as chromium, context_of(chromium, "en", DESK) as context:
        visitor = Visitor(context, site.url, "", "going")
        visitor.open("/form")
        visitor.page.locator("button").click()
        visitor.open("/elsewhere#part")
        assert visitor.page.title() == "form"
        visitor.page.evaluate("window.isOld = true")
        visitor.reopen()

        assert not visitor.page.evaluate("window.isOld === true")
    assert [event for event in site.events if "favicon" not in event] == [
        "/form", "/answer", "/late.png", "/elsewhere", "/elsewhere"
    ]  # fmt: skip


def test_nobody_leaves_a_page_by_another_way() -> None:
    """A click returns when the answer has begun: whoever goes on by Playwright's own methods has luck or has not."""
    found = [
        f"{file.relative_to(REPOSITORY)}:{node.lineno}"
        for folder in DRIVERS
        for file in (REPOSITORY / folder).rglob("*.py")
        if "playwright" in (text := file.read_text()) or "visiting" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in OWN_WAYS
    ]

    assert found
    assert {place.partition(":")[0] for place in found} == {"tools/browser/chromium.py"}
