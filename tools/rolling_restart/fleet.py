"""Several processes of each service with the settings of one suite, ended and started one at a time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from servicekit.probe import is_ready
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.environments import PREFIXES, SERVICES
from tools.stack.errors import StackError
from tools.stack.home import REPOSITORY
from tools.stack.up import Stack

READY_S: Final = 120.0
END_S: Final = 120.0
BEHIND: Final = ("auth", "router", "usage")


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout and the Python that has its packages."""

    root: Path
    python: str

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the settings without those that this tree does not know: an unknown one of a group is refused."""
        known = (self.root / ".env.example").read_text()
        prefixes = tuple(PREFIXES[service] for service in SERVICES)
        # What runs migrations is given by whoever deploys, and no setting of a program that serves.
        return {
            name: value
            for name, value in given.items()
            if not name.startswith(prefixes) or name.endswith("_MIGRATIONS_DSN") or f"{name}=" in known
        }


OURS: Final = Tree(REPOSITORY, sys.executable)


@dataclass(slots=True)
class Instance:
    """One process of a service; it keeps its ports and its journal when it is started again, also from another tree."""

    service: str
    number: int
    port: int
    environment: dict[str, str] = field(repr=False)
    log: Path
    tree: Tree = OURS
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Return what people call it: `gateway-1`."""
        return f"{self.service}-{self.number}"

    @property
    def address(self) -> str:
        """Return where it listens."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it; it is ready some time later."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [self.tree.python, "-m", f"services.{self.service}", "serve"],
                cwd=self.tree.root,
                env=self.tree.environment(self.environment),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def signal(self) -> None:
        """Tell it to end, as an orchestrator does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> float:
        """Return, in seconds, how long it took to end.

        Raises:
            StackError: it does not.
        """
        began = time.monotonic()
        while self.process is not None and self.process.poll() is None:
            if time.monotonic() - began > END_S:
                raise StackError(f"{self.name} does not end within {END_S:.0f} s: see {self.log}")
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def ready(self) -> None:
        """Return when it says that it can serve.

        Raises:
            StackError: it ended, or takes too long.
        """
        give_up_at = time.monotonic() + READY_S
        while not await self._is_ready():
            if self.process is None or self.process.poll() is not None or time.monotonic() > give_up_at:
                raise StackError(f"{self.name} does not become ready: see {self.log}")
            await asyncio.sleep(0.1)

    async def _is_ready(self) -> bool:
        if self.service != "gateway":
            return await is_ready(f"{self.service}@{self.address}", self.environment)
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
                return (await client.get(f"http://{self.address}/ready")).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


def make_fleet(stack: Stack, sizes: Mapping[str, int], settings: Mapping[str, str]) -> list[Instance]:
    """Return the instances of every service, none of them started; those that others call come first.

    Args:
        stack: whose stores, secrets and certificates they use.
        sizes: how many of each service.
        settings: of all of them, beside the suite's own.
    """
    behind = [_instance(stack, service, n, settings) for service in BEHIND for n in range(sizes[service])]
    targets = {f"GATEWAY_{service.upper()}_TARGET": _target(behind, service) for service in BEHIND}
    gateways = [_instance(stack, "gateway", n, {**settings, **targets}) for n in range(sizes["gateway"])]
    return [*behind, *gateways]


def _target(instances: list[Instance], service: str) -> str:
    return "ipv4:" + ",".join(each.address for each in instances if each.service == service)


def _instance(stack: Stack, service: str, number: int, settings: Mapping[str, str]) -> Instance:
    prefix, port = service.upper(), free_port()
    own = {f"{prefix}_PORT" if service == "gateway" else f"{prefix}_GRPC_PORT": str(port)}
    own |= {f"{prefix}_METRICS_PORT": str(free_port())}
    if service == "gateway":
        # One journal a replica, as on the volumes of a StatefulSet.
        own["GATEWAY_JOURNAL_DIR"] = str(stack.home.root / "journals" / str(number))
    mine = {name: value for name, value in settings.items() if name.startswith(prefix)}
    # The suite's mark: what an aborted run leaves is found and ended by the next.
    environment = {**stack.environments.of(service), **own, **mine, "RAZVILKA_STACK": str(stack.home.root)}
    return Instance(service, number, port, environment, stack.home.logs / f"{service}-{number}.log")


@contextmanager
def running_fleet(instances: list[Instance]) -> Iterator[list[Instance]]:
    """Start every instance for the block; afterwards none of them runs."""
    try:
        for each in instances:
            each.start()
        yield instances
    finally:
        for each in reversed(instances):
            each.signal()
        for each in reversed(instances):
            _end(each)


def _end(instance: Instance) -> None:
    if instance.process is None:
        return
    try:
        instance.process.wait(END_S)
    except subprocess.TimeoutExpired:
        os.kill(instance.process.pid, signal.SIGKILL)
        instance.process.wait()
