"""A PostgreSQL of the campaign's own, which can be killed and comes back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.servers import postgres
from tools.servers.errors import ServerError
from tools.servers.ports import free_port

PASSWORD: Final = "throwaway"
BACK_WITHIN_S: Final = 60.0


class KillableServer:
    """A server in a folder. What is killed loses its memory, not its disk: so no setting of durability matters here."""

    def __init__(self, folder: Path) -> None:
        self._server = postgres.prepare(folder / "postgres", free_port())
        self._server.initialise(PASSWORD, durable=False)
        self._log = folder / "postgres.log"
        self._process = self._started()

    @property
    def admin_dsn(self) -> str:
        """Return a superuser's DSN."""
        return self._server.dsn(PASSWORD)

    def kill(self) -> None:
        """Kill the server, at once and without a word; its children see it and end."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Start it again; while children of the killed one live, it refuses.

        Raises:
            ServerError: it did not come back.
        """
        give_up_at = time.monotonic() + BACK_WITHIN_S
        while True:
            with contextlib.suppress(ServerError):
                self._process = self._started()
                return
            if time.monotonic() > give_up_at:
                raise ServerError("PostgreSQL did not come back")

    def stop(self) -> None:
        """End it in order."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                self._server.command(*postgres.THROWAWAY),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=postgres.neutral_environment(),
                start_new_session=True,
            )
        postgres.wait_until_ready(self.admin_dsn, process_ended=lambda: process.poll() is not None)
        return process


@contextlib.contextmanager
def killable_server(folder: Path) -> Iterator[KillableServer]:
    """Yield a server that ends with the block."""
    server = KillableServer(folder)
    try:
        yield server
    finally:
        server.stop()
