"""A provider dies under calls and comes back, over real connections: counted in calls, not in seconds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from services.router.circuits.settings import CircuitSettings
from services.router.tests.running_router import Stub, complete, prompt, router

CALLERS = 10


class Door:
    """A port that leads to an upstream while it is open, and refuses while it is shut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname, parts.port)
        self._path = parts.path
        self._port = 0
        self._server: asyncio.Server | None = None
        self._led: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}{self._path}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._led:
            writer.close()
        self._led.clear()
        await self._server.wait_closed()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._led.append(writer)
        there, back = await asyncio.open_connection(*self._behind)
        await asyncio.gather(self._pour(reader, back), self._pour(there, writer))

    async def _pour(self, source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                into.write(data)
        except OSError:
            pass
        finally:
            into.close()


@asynccontextmanager
async def two_upstreams(emulator: RunningEmulator, folder: Path) -> AsyncIterator[tuple[Stub, Door]]:
    """Run a router with a frail upstream whose model falls back to that of a sound one."""
    door = Door(emulator.openai_url)
    await door.open()
    models: dict[str, dict[str, Any]] = {
        "frail": {"id": "frail-model", "fallbacks": ["sound-model"]},
        "sound": {"id": "sound-model"},
    }
    common = {"uri": "toy-large", "window": 8192, "price": {"input": 0.1, "output": 0.2}}
    urls = {"frail": door.url, "sound": emulator.openai_url}
    file = folder / "upstreams.yaml"
    entries = [
        {"name": name, "base_url": urls[name], "api_key_env": "LOCAL_KEY", "models": [{**common, **model}]}
        for name, model in models.items()
    ]
    file.write_text(yaml.safe_dump({"upstreams": entries}))
    # Open for a moment only, so that the test need not wait: how long it really is, the state machine's tests say.
    circuits = CircuitSettings(open_s=0.2, longest_open_s=0.2, jitter=0.0)
    async with router(emulator, upstreams_file=file, circuits=circuits) as stub:
        yield stub, door
    await door.shut()


async def asked_together(stub: Stub, count: int) -> list[pb.CompleteResponse]:
    """Ask for the frail model by `CALLERS` at a time."""
    answers: list[pb.CompleteResponse] = []
    for _ in range(count // CALLERS):
        answers += await asyncio.gather(
            *(complete(stub, prompt("frail-model", "[[text:да]]"), deadline_s=60) for _ in range(CALLERS))
        )
    return answers


async def test_a_provider_dies_and_comes_back_and_no_caller_notices(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call is answered; the dead one is asked by the calls under way and by probes; it is used again at last."""
    monkeypatch.setenv("LOCAL_KEY", "sk-emulator")
    async with two_upstreams(emulator, tmp_path) as (stub, door):
        assert {answer.route.provider for answer in await asked_together(stub, CALLERS)} == {"frail"}

        await door.shut()
        during = await asked_together(stub, 20 * CALLERS)
        assert {answer.route.provider for answer in during} == {"sound"}
        reasons = Counter(attempt.reason for answer in during for attempt in answer.end.attempts)
        assert reasons["PROVIDER_UNAVAILABLE"] > 0
        assert reasons["SKIPPED_CIRCUIT_OPEN"] > reasons["PROVIDER_UNAVAILABLE"]

        await door.open()
        async with asyncio.timeout(60):
            while (await asked_together(stub, CALLERS))[-1].route.provider != "frail":
                await asyncio.sleep(0.02)
