"""A durable PostgreSQL of its own, and what it says of its work."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tools.servers import postgres
from tools.servers.ports import free_port

PASSWORD: Final = "bench"
# As the local suite's, but that each statement is logged with its duration.
_LOGGED: Final = ("log_min_duration_statement=0", "log_line_prefix=", "log_checkpoints=off")
_LINE: Final = re.compile(r"duration: ([0-9.]+) ms  (?:statement|execute [^:]*):\s+(.{1,80})", re.DOTALL)
# What a statement is for, by how it begins; the first that fits.
_KINDS: Final = {
    "COPY": r"COPY ",
    "indexes of months": r"SELECT usage\.index_month_apart",
    "sums of months": r"\s*WITH hours",
    "attaching months": r"SELECT usage\.attach_month_apart",
    "rows of batches with their indexes": r"INSERT INTO usage\.usage",
    "sums of batches": r"WITH counted",
    "commit": r"COMMIT",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: psutil.Process
    dsn: str
    log: Path

    def cpu_s(self) -> float:
        """Return the CPU seconds of all its processes, those that ended too."""
        own = self.process.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self.process.children():
            with suppress(psutil.NoSuchProcess):
                total += sum(child.cpu_times()[:2])
        return total

    def seconds_by_kind(self, since: int) -> Mapping[str, float]:
        """Return how long statements took that were logged behind a place of the log."""
        found: dict[str, float] = defaultdict(float)
        with self.log.open("rb") as file:
            file.seek(since)
            text = file.read().decode(errors="replace")
        for duration, statement in _LINE.findall(text):
            found[_kind(statement)] += float(duration) / 1_000
        return found


def _kind(statement: str) -> str:
    return next((kind for kind, begin in _KINDS.items() if re.match(begin, statement)), "other")


@contextmanager
def durable_server() -> Iterator[Server]:
    """Yield a server as `make up` starts one; its data is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="razvilka-bench-"))
    folder.chmod(0o755)  # the server may run as another user
    described = postgres.prepare(folder / "data", free_port())
    described.initialise(PASSWORD, durable=True)
    log = folder / "log"
    with log.open("wb") as output:
        command = described.command(*_LOGGED)
        running = subprocess.Popen(  # noqa: S603 - ours
            command, cwd="/", env=postgres.neutral_environment(), stdout=output, stderr=output, start_new_session=True
        )
    try:
        dsn = described.dsn(PASSWORD)
        postgres.wait_until_ready(dsn, process_ended=lambda: running.poll() is not None)
        yield Server(_postmaster(running.pid), dsn, log)
    finally:
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGINT)
        running.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _postmaster(pid: int) -> psutil.Process:
    """Return the server itself; what demotes it to another user may stand before it."""
    process = psutil.Process(pid)
    while process.name() != "postgres":
        (process,) = process.children()
    return process
