"""An own PostgreSQL: make its data folder, say how to start it, wait until it answers."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from tools.servers import binaries, demotion
from tools.servers.errors import ServerError
from tools.servers.ports import LOOPBACK

SUPERUSER: Final = "postgres"
# Losing the machine may lose a test's database: a third of the time of a run, measured, is otherwise waiting for disks.
THROWAWAY: Final = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_wal_size=256MB",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server that lives in one data folder and listens on one loopback port."""

    bin_dir: Path
    data_dir: Path
    port: int
    demoted: demotion.Demotion

    def command(self, *settings: str) -> list[str]:
        """Return the command line that runs the server in the foreground."""
        fixed = (f"listen_addresses={LOOPBACK}", f"port={self.port}", "unix_socket_directories=", "timezone=UTC")
        options = [part for setting in (*fixed, *settings) for part in ("-c", setting)]
        return [*self.demoted.prefix, str(self.bin_dir / "postgres"), "-D", str(self.data_dir), *options]

    def dsn(self, password: str, *, user: str = SUPERUSER, database: str = "postgres") -> str:
        """Return a connection URL."""
        return f"postgresql://{user}:{quote(password, safe='')}@{LOOPBACK}:{self.port}/{database}"

    def initialise(self, password: str, *, durable: bool) -> None:
        """Make the data folder unless it is there.

        Raises:
            ServerError: initdb failed (the disk is full, the folder is not writable ...).
        """
        if (self.data_dir / "PG_VERSION").exists():
            return
        # Not in TMPDIR: the server's user may have no way into it, into the data's parent it has.
        password_file = self.data_dir.with_name(f"{self.data_dir.name}.password")
        try:
            password_file.touch(mode=0o600)
            password_file.write_text(password)
            self.demoted.own(password_file)
            self._initdb(password_file, *([] if durable else ["--no-sync"]))
        finally:
            password_file.unlink(missing_ok=True)

    def _initdb(self, password_file: Path, *more: str) -> None:
        options = ["--auth=scram-sha-256", f"--username={SUPERUSER}", f"--pwfile={password_file}", "--encoding=UTF8"]
        options += ["--locale=C.UTF-8", "--no-instructions", *more]
        if binaries.major_version(self.bin_dir / "postgres") >= 17:
            # Correct Cyrillic case rules without ICU, which the wheel lacks.
            options.append("--locale-provider=builtin")
            options.append("--builtin-locale=C.UTF-8")
        command = [*self.demoted.prefix, str(self.bin_dir / "initdb"), "-D", str(self.data_dir), *options]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, env=neutral_environment())
        if done.returncode != 0:
            raise ServerError(f"PostgreSQL could not make its data folder: {_last_line(done.stderr)}")


def prepare(data_dir: Path, port: int) -> PostgresServer:
    """Return a server description for this machine and this user; its folder is made, nothing is started.

    Raises:
        ServerError: no suitable PostgreSQL, or no way to run it.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    way = demotion.choose(data_dir)
    bin_dir = demotion.reachable_programs(binaries.postgres_bin_dir(), way)
    return PostgresServer(bin_dir, data_dir, port, way)


def wait_until_ready(dsn: str, *, deadline_s: float = 60.0, process_ended: Callable[[], bool] = lambda: False) -> None:
    """Return when the server accepts a query.

    Raises:
        ServerError: it did not within the deadline, or its process ended.
    """
    give_up_at = time.monotonic() + deadline_s
    while True:
        try:
            with psycopg.connect(dsn, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError as exc:
            if process_ended() or time.monotonic() > give_up_at:
                raise ServerError(f"PostgreSQL does not answer: {_last_line(str(exc))}") from exc
            time.sleep(0.02)


def neutral_environment() -> dict[str, str]:
    """Return the caller's environment without what would redirect PostgreSQL's programs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    fatal = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (fatal or lines or ["no message"])[-1]
