"""Whoever is woken: a webhook that Alertmanager tells what rings and what has ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tools.servers.ports import LOOPBACK


class Receiver:
    """Knows the last thing that was said of each alarm; one alarm may ring for several series."""

    def __init__(self) -> None:
        self.url = ""
        self._ringing: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def hear(self, told: list[dict[str, object]]) -> None:
        """Take in what Alertmanager says."""
        with self._lock:
            for alert in told:
                labels = alert["labels"]
                assert isinstance(labels, dict)
                series = self._ringing.setdefault(str(labels["alertname"]), set())
                (series.add if alert["status"] == "firing" else series.discard)(str(alert["fingerprint"]))

    def ringing(self) -> set[str]:
        """Return the names of the alarms that ring now."""
        with self._lock:
            return {name for name, series in self._ringing.items() if series}


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Listen for the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.hear(json.loads(body)["alerts"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    receiver.url = f"http://{LOOPBACK}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
