"""Servers that live as long as one test process: a folder, a lock on it, and the processes in it."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import psutil

from tools.servers import postgres, redis
from tools.servers.errors import ServerError
from tools.servers.ports import free_port

MEMORY: Final = Path("/dev/shm")
# Six test processes at once, each with a PostgreSQL, and the suites that they share.
ROOM_BYTES: Final = 6 * 2**30
ATTEMPTS = 3
STOP_DEADLINE_S = 10


def quick_place() -> Path:
    """Return where a test's servers keep their data: in memory where there is room, for nothing there outlives a run.

    To make and drop a database is to make and remove four hundred files: 24 ms of the processor's time there, 210 on a
    disk, and thousands of tests do it. TMPDIR, when it is set, is taken instead.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return Path(tempfile.gettempdir())
    room_bytes = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    return MEMORY if room_bytes >= ROOM_BYTES else Path(tempfile.gettempdir())


@contextlib.contextmanager
def session_folder(place: Path | None = None) -> Iterator[Path]:
    """Yield a folder of this test process; what killed test processes left behind is removed first.

    Args:
        place: where it is made; None: where temporary files are.
    """
    root = (place or Path(tempfile.gettempdir())) / f"razvilka-tests-{os.getuid()}"
    root.mkdir(mode=0o755, exist_ok=True)
    with contextlib.ExitStack() as ours:
        # One at a time: a folder that is made and not yet locked looks abandoned.
        with root.with_suffix(".lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            for left in root.iterdir():
                _remove_if_abandoned(left)
            folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
            ours.enter_context(_locked(folder))
        # Another user than ours may have to enter: PostgreSQL started by root may run as nobody.
        folder.chmod(0o755)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[IO[str]]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that name the folder in their command line or environment, or stand in it."""
    return [process for process in psutil.process_iter() if any(str(folder) in text for text in _traces(process))]


def _traces(process: psutil.Process) -> list[str]:
    try:
        # Redis and PostgreSQL write over the first two, but stand in their data folder.
        return [*process.cmdline(), process.environ().get("RAZVILKA_STACK", ""), process.cwd()]
    except (psutil.Error, OSError):
        return []


def _remove_if_abandoned(folder: Path) -> None:
    try:
        with _locked(folder):
            # Again until there is none: a supervisor restarts what is killed before it.
            while found := processes_in(folder):
                for process in found:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
                psutil.wait_procs(found, timeout=1)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # locked by a living test process, or just being made or removed by one


@contextlib.contextmanager
def throwaway_postgres(folder: Path, *settings: str) -> Iterator[str]:
    """Run PostgreSQL in the folder and yield its superuser's DSN; `settings` (`name=value`) outdo those of tests."""
    password = "throwaway"
    for attempt in range(1, ATTEMPTS + 1):
        # Between choosing a free port and listening on it somebody else may take it: choose again.
        server = postgres.prepare(folder / "postgres", free_port())
        server.initialise(password, durable=False)
        with _running(
            server.command(*postgres.THROWAWAY, *settings), folder / "postgres.log", signal.SIGINT
        ) as process:
            try:
                postgres.wait_until_ready(server.dsn(password), process_ended=lambda: process.poll() is not None)
            except ServerError:
                if attempt == ATTEMPTS:
                    raise
                continue
            yield server.dsn(password)
            return


@contextlib.contextmanager
def throwaway_redis(folder: Path) -> Iterator[str]:
    """Run Redis in the folder and yield the URL of its database 0."""
    for attempt in range(1, ATTEMPTS + 1):
        server = redis.prepare(folder / "redis", free_port())
        with _running(server.command(durable=False), folder / "redis.log", signal.SIGTERM) as process:
            try:
                redis.wait_until_ready(server.url, process_ended=lambda: process.poll() is not None)
            except ServerError:
                if attempt == ATTEMPTS:
                    raise
                continue
            yield server.url
            return


@contextlib.contextmanager
def _running(command: list[str], log: Path, stop_signal: signal.Signals) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        # An own process group: Ctrl-C in a terminal must reach pytest only, which then stops the server in order.
        process = subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=postgres.neutral_environment(),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
