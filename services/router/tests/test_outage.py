"""A provider dies under calls and comes back, over real connections: counted in calls, not in seconds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import yaml
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit.errors import ServiceError
from servicekit.testing.relay import Relay
from services.router.circuits.settings import CircuitSettings
from services.router.tests.running_router import Stub, complete, prompt, router, stream, text_of

CALLERS = 10


@asynccontextmanager
async def two_upstreams(emulator: RunningEmulator, folder: Path) -> AsyncIterator[tuple[Stub, Relay]]:
    """Run a router with a frail upstream whose model falls back to that of a sound one."""
    sound = urlsplit(emulator.openai_url)
    door = Relay(str(sound.hostname), int(sound.port or 0))
    frail = sound._replace(netloc=f"127.0.0.1:{await door.open()}")
    models: dict[str, dict[str, Any]] = {
        "frail": {"id": "frail-model", "fallbacks": ["sound-model"]},
        "sound": {"id": "sound-model"},
    }
    common = {"uri": "toy-large", "window": 8192, "price": {"input": 0.1, "output": 0.2}}
    urls = {"frail": urlunsplit(frail), "sound": emulator.openai_url}
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
    door.shut()


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

        door.shut()
        during = await asked_together(stub, 20 * CALLERS)
        assert {answer.route.provider for answer in during} == {"sound"}
        reasons = Counter(attempt.reason for answer in during for attempt in answer.end.attempts)
        assert reasons["PROVIDER_UNAVAILABLE"] > 0
        assert reasons["SKIPPED_CIRCUIT_OPEN"] > reasons["PROVIDER_UNAVAILABLE"]

        await door.open()
        async with asyncio.timeout(60):
            while (await asked_together(stub, CALLERS))[-1].route.provider != "frail":
                await asyncio.sleep(0.02)


async def test_a_model_whose_answers_break_off_is_left_out(stub: Stub, emulator: RunningEmulator) -> None:
    """No fallback can save such an answer, so the fewer begin the better; a stream that ends well counts."""
    asked = prompt("gigachat-pro", "[[chunks:5]] [[gap:10]]", candidates=["gigachat-pro", "yandexgpt:latest"])
    consecutive = CircuitSettings().consecutive
    for times in (consecutive - 1, consecutive):
        assert text_of(await stream(stub, asked))
        for _ in range(times):
            assert (await complete(stub, asked)).route.model == "gigachat-pro", "a whole answer says nothing of streams"
            await emulator.control.fail("mid_stream_error", operation="chat", provider="gigachat", after=2)
            with pytest.raises(ServiceError):
                await stream(stub, asked)

    parts = await stream(stub, asked)

    assert [each.reason for each in parts[-1].end.attempts] == ["SKIPPED_CIRCUIT_OPEN", ""]
