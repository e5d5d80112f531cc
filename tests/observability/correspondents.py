"""Whom the suite writes to: a mail server that may refuse, and receivers of webhooks that may keep it waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from servicekit.testing.smtp_server import SmtpServer
from tools.servers.ports import LOOPBACK

# More recipients than one run of all alarms writes to.
MANY: Final = 100_000


@dataclass(slots=True)
class Correspondents:
    """Both of them; each does as it should until it is told otherwise."""

    mail: SmtpServer
    hook_url: str = ""
    answers: threading.Event = field(default_factory=threading.Event)

    def refuse_mails(self) -> None:
        """Take no mail for now: whoever sends one is asked to try again."""
        self.mail.answers = ["451 try again later"] * MANY

    def take_mails(self) -> None:
        """Take mails again."""
        self.mail.answers = []


class _Server(ThreadingHTTPServer):
    # All receivers of one fault are called at once.
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def running_correspondents() -> Iterator[Correspondents]:
    """Listen for the block."""
    with _mail_server() as mail:
        correspondents = Correspondents(mail)
        correspondents.answers.set()
        with _receivers(correspondents):
            yield correspondents
        correspondents.answers.set()


@contextmanager
def _mail_server() -> Iterator[SmtpServer]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = SmtpServer()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def _receivers(correspondents: Correspondents) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            correspondents.answers.wait()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server((LOOPBACK, 0), Handler)
    correspondents.hook_url = f"http://{LOOPBACK}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
