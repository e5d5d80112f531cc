"""More gateways, routers and usage services beside the suite's own, that a test may kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from servicekit.probe import is_ready
from tests.integration.caller import TRUST
from tests.integration.waiting import wait_until
from tools.servers.ports import LOOPBACK, free_port, is_free
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import RunningStack
from tools.testing.redis_clients import PATIENT_MS

START_S: Final = 120.0
END_S: Final = 40.0


@dataclass(slots=True)
class ServiceProcess:
    """One process of a service, and where it listens."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    environment: dict[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """Where a gateway listens."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def target(self) -> str:
        """Where a gRPC service listens."""
        return f"{LOOPBACK}:{self.port}"

    def kill(self) -> None:
        """SIGKILL: no handlers, no flush."""
        self.process.kill()
        self.process.wait(END_S)

    def wait_until_killed(self) -> None:
        """Return when it has died of SIGKILL, at its failpoint."""
        assert self.process.wait(END_S) == -signal.SIGKILL

    def stop(self) -> None:
        """End it in order."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Processes:
    """Starts service processes with the suite's settings and a test's own; stops what is left."""

    def __init__(self, stack: RunningStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._started: list[ServiceProcess] = []

    def gateway(self, *, journal: str = "journal", failpoint: str = "", **settings: str) -> ServiceProcess:
        """Start a gateway with a journal of its own and return it ready; the same name is the same journal."""
        # One whose Redis is late decides alone, which is right and not what a test counts on a machine that is busy.
        own = {
            "GATEWAY_JOURNAL_DIR": str(self.journal(journal)),
            "GATEWAY_REDIS_TIMEOUT_MS": str(PATIENT_MS),
            **settings,
        }
        return self.start("gateway", own, failpoint=failpoint)

    def journal(self, name: str) -> Path:
        """Return the folder of a journal."""
        return self._folder / name

    def start(
        self, service: str, settings: dict[str, str] | None = None, *, port: int = 0, failpoint: str = ""
    ) -> ServiceProcess:
        """Start a service and return when it is ready."""
        port = port or free_port()
        prefix = service.upper()
        listens = {f"{prefix}_PORT" if service == "gateway" else f"{prefix}_GRPC_PORT": str(port)}
        environment = (
            self._stack.parts.environments.of(service) | listens | {f"{prefix}_METRICS_PORT": str(free_port())}
        )
        log = self._folder / f"{service}-{port}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}", "serve"],
                cwd=REPOSITORY,
                env=environment | self._marks(failpoint) | (settings or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started = ServiceProcess(service, port, process, log, environment)
        self._started.append(started)
        wait_until(lambda: _is_up(started), within_s=START_S)
        return started

    def stop_all(self) -> None:
        """End every process that runs."""
        for started in self._started:
            if started.process.poll() is None:
                started.process.terminate()
        for started in self._started:
            started.stop()

    def _marks(self, failpoint: str) -> dict[str, str]:
        # The mark of the suite's own processes: whoever cleans up after an aborted run finds these too.
        marks = {"RAZVILKA_STACK": str(self._stack.parts.home.root)}
        return marks | ({"RAZVILKA_FAILPOINT": failpoint, "RAZVILKA_FAILPOINTS_ALLOWED": "1"} if failpoint else {})


def _is_up(started: ServiceProcess) -> bool:
    if started.process.poll() is not None:
        raise AssertionError(f"{started.name} ended at once: {started.log.read_text()[-2000:]}")
    # Seconds are spent loading; to ask by HTTP or gRPC all that time costs as much again.
    if is_free(started.port):
        return False
    if started.name != "gateway":
        return asyncio.run(is_ready(f"{started.name}@{started.target}", started.environment))
    try:
        return (
            httpx.get(f"{started.url}/ready", timeout=10.0, trust_env=False, verify=TRUST).status_code == httpx.codes.OK
        )
    except httpx.HTTPError:
        return False


@contextmanager
def running_processes(stack: RunningStack, folder: Path) -> Iterator[Processes]:
    """Yield the starter; afterwards nothing of it runs."""
    processes = Processes(stack, folder)
    try:
        yield processes
    finally:
        processes.stop_all()


def pause(*pids: int) -> None:
    """SIGSTOP: the processes hang, their sockets stay open."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)


def resume(*pids: int) -> None:
    """SIGCONT."""
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
