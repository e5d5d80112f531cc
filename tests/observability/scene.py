"""What a fault needs: the suite, its providers, its database, and what goes on while an alarm is waited for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from tests.integration.providers import Providers
from tests.observability.correspondents import Correspondents
from tests.observability.load import ask
from tests.observability.lying_upstream import Liar
from tools.stack.environments import DATABASE
from tools.stack.running_stack import RunningStack


def _nothing() -> None:
    """Nothing goes on."""


@dataclass(slots=True)
class Scene:
    """One running suite, and what is done in it while an alarm is waited for.

    `meanwhile` is called again and again, until the alarm rings and, after the fault was mended, until it has ended.
    """

    stack: RunningStack
    providers: Providers
    liar: Liar
    correspondents: Correspondents
    backup_stamp: Path
    archive: Path
    meanwhile: Callable[[], object] = field(default=_nothing)

    def ask(self, model: str, *, stream: bool = False) -> int:
        """Ask for a completion; return the status, 0 when there was no answer at all."""
        try:
            return ask(self.stack, model, stream=stream).status_code
        except httpx.HTTPError:
            return 0

    def ask_at_once(self, count: int, model: str) -> list[int]:
        """Ask so many times side by side; return the statuses."""
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self.ask(model), range(count)))

    def order(self, path: str, body: dict[str, Any] | None = None, *, method: str = "POST") -> None:
        """Give an administrator's order."""
        headers = {"authorization": f"Bearer {self.stack.admin_key}"}
        answer = httpx.request(
            method, f"{self.stack.url}/v1/admin/{path}", json=body, headers=headers, timeout=30, trust_env=False
        )
        assert answer.status_code < 300, answer.text

    def bring_back(self, provider: str) -> None:
        """Let the emulator answer as it should, and have the gateway forget what it thinks of the provider."""
        self.providers.reset()
        self.order(f"providers/{provider}/reset", {})

    def metrics(self, service: str) -> str:
        """Return what Prometheus would scrape now."""
        return httpx.get(self.stack.metrics_url(service), trust_env=False, timeout=30).text

    @contextmanager
    def deployed(
        self, program: str, *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> Iterator[None]:
        """Run a program with more environment, or from another folder's source, for the block."""
        file = self.stack.parts.home.run / f"{program}.json"
        before = file.read_text()
        described = json.loads(before)
        described["environment"] |= environment or {}
        described["directory"] = str(folder or described["directory"])
        try:
            self._restart(program, file, json.dumps(described))
            yield
        finally:
            self._restart(program, file, before)

    def _restart(self, program: str, file: Path, description: str) -> None:
        self.stack.stop(program)
        file.write_text(description)
        self.stack.start(program)
        self.stack.wait_until_ready()

    def sql(self, *statements: str) -> None:
        """Change the database by hand, as its superuser."""
        asyncio.run(_execute(self.stack.parts.admin_dsn(DATABASE), statements))


async def _execute(dsn: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: what it makes ring, what is done, and how its runbook mends it.

    `happen` does the harm, yields, and mends it.
    """

    alerts: tuple[str, ...]
    done: str
    mended: str
    happen: Callable[[Scene], Iterator[None]]


FAULTS: Final[list[Fault]] = []


def fault(
    *alerts: str, done: str, mended: str
) -> Callable[[Callable[[Scene], Iterator[None]]], Callable[[Scene], Iterator[None]]]:
    """Note a fault: a generator that does harm, yields, and mends it."""

    def note(happen: Callable[[Scene], Iterator[None]]) -> Callable[[Scene], Iterator[None]]:
        FAULTS.append(Fault(alerts, done, mended, happen))
        return happen

    return note
