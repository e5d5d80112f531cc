"""ClickHouse's engine as a package (chdb) behind ClickHouse's HTTP interface, for tests and benches on one machine.

What speaks to it is the same client, and what answers is the same engine as with a server. One statement at a time; no
users, no TLS, no compression.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from aiohttp import web

from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK, free_port

# What of the address is no setting of a statement.
_NOT_SETTINGS: Final = frozenset(
    {
        *("query", "database", "default_format", "session_id", "session_timeout", "query_id"),
        *("client_protocol_version",),
        *("enable_http_compression", "http_headers_progress_interval_ms", "send_progress_in_http_headers"),
        *("cancel_http_readonly_queries_on_client_close", "wait_end_of_query"),
    }
)
_BODY_BYTES: Final = 1 << 30
DEADLINE_S: Final = 60.0


class Engine:
    """A database of the engine in this process; there can be one only."""

    def __init__(self, folder: Path) -> None:
        from chdb.session import Session  # 3 s, and nobody but this process needs it

        self._session: Any = Session(str(folder))  # type: ignore[no-untyped-call]
        self._settings: dict[str, str] = {}
        # The engine's connection is of one thread at a time.
        self._thread = ThreadPoolExecutor(1)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one statement as ClickHouse does: the query in the address or in the body, or both."""
        asked, body = dict(request.query), b""
        if request.content_type == "multipart/form-data":
            # Parameters that are too long for an address.
            asked |= {name: str(value) for name, value in (await request.post()).items()}
        else:
            body = await request.read()
        statement = "\n".join(part for part in (asked.get("query", ""), body.decode()) if part)
        if not statement:
            return web.Response(text="Ok.\n")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, self._run, statement, asked)
        except Exception as exc:  # whatever the engine says is what the caller wants to know
            return web.Response(status=500, text=f"{exc}\n", headers={"X-ClickHouse-Exception-Code": "1"})
        return web.Response(body=found, headers={"X-ClickHouse-Format": asked.get("default_format", "TabSeparated")})

    def _run(self, statement: str, asked: Mapping[str, str]) -> bytes:
        settings = {name: value for name, value in asked.items() if not _is_other(name)}
        parameters = {name.removeprefix("param_"): value for name, value in asked.items() if name.startswith("param_")}
        if database := asked.get("database"):
            self._session.query(f"USE `{database}`")
        self._set(settings)
        found = self._session.query(statement, asked.get("default_format", "TabSeparated"), params=parameters or None)
        return bytes(found.bytes()) if found is not None else b""

    def _set(self, settings: Mapping[str, str]) -> None:
        """Set what the statement asks for, and nothing that one before it asked for."""
        for name in self._settings.keys() - settings.keys():
            self._session.query(f"SET {name} = DEFAULT")
            del self._settings[name]
        for name, value in settings.items():
            if self._settings.get(name) != value:
                self._session.query(f"SET {name} = {_quoted(value)}")
                self._settings[name] = value


def _is_other(name: str) -> bool:
    return name in _NOT_SETTINGS or name.startswith("param_")


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextmanager
def running_engine(folder: Path) -> Iterator[str]:
    """Run the engine in the folder and yield the address of its HTTP interface.

    Raises:
        ServerError: it did not answer within the deadline, or its process ended.
    """
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "engine.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.servers.column_engine", str(folder / "data"), str(port)],
            stdout=log,
            stderr=log,
        )
    try:
        _wait_until_ready(port, process, time.monotonic() + DEADLINE_S)
        yield f"http://default@{LOOPBACK}:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], give_up_at: float) -> None:
    while True:
        try:
            urlopen(f"http://{LOOPBACK}:{port}/ping", timeout=2).close()
        except OSError as exc:
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise ServerError(f"the column engine does not answer: {exc}") from exc
            time.sleep(0.02)
        else:
            return


def main(arguments: Iterable[str]) -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m tools.servers.column_engine", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    asked = parser.parse_args(list(arguments))
    logging.getLogger("aiohttp.access").disabled = True
    app = web.Application(client_max_size=_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", Engine(asked.folder).answer)
    web.run_app(app, host=LOOPBACK, port=asked.port, print=None, access_log=None)


if __name__ == "__main__":
    main(sys.argv[1:])
