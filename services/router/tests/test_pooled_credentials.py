"""Two folders of one provider: a refused or drained one is not used, and no caller notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from razvilka.router.v1 import admin_pb2 as pb
from razvilka.router.v1 import admin_pb2_grpc

from emulator.testing import RunningEmulator
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing.ready_channel import ready_channel
from services.router.circuits.settings import CircuitSettings
from services.router.providers.credential_file import credential_name
from services.router.server import running
from services.router.tests.adapters import router_settings, yandex_settings
from services.router.tests.running_router import Stub, complete, prompt, stub_of
from services.router.tests.test_admin_rpc import Administrator
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn
from tools.testing.redis_clients import redis_settings

MODEL = "yandexgpt-5.1"
SECOND = pb.ProviderScope(provider="yandexgpt", credential=credential_name("b1gsecond"))


class TwoFolders:
    """A router with two folders, of which the second has most slots, and what the provider has seen of it."""

    def __init__(self, stub: Stub, admin: Administrator, emulator: RunningEmulator) -> None:
        self._stub = stub
        self.admin = admin
        self._emulator = emulator

    async def ask(self) -> list[list[str]]:
        """Ask four times at once, and return how each one's attempts ended."""
        asked = prompt(MODEL, "[[text:да]] [[latency:50]]", allowed_models=[MODEL])
        answers = await asyncio.gather(*(complete(self._stub, asked, deadline_s=60) for _ in range(4)))
        return [[attempt.reason for attempt in answer.end.attempts] for answer in answers]

    async def seen(self, status: int = 200) -> list[str]:
        """Return the digests of the keys of calls that ended so, in order."""
        entries = await self._emulator.control.ground_truth(operation="chat")
        return [entry["credential_sha256"] for entry in entries if entry["status"] == status]

    async def ask_until_both_answer(self) -> None:
        async with asyncio.timeout(60):
            before = len(await self.seen())
            while len(set((await self.seen())[before:])) < 2:
                await self.ask()


@pytest.fixture
def second_folder(tmp_path: Path) -> Path:
    file = tmp_path / "more.yaml"
    file.write_text("- {api_key: AQVN-second, folder_id: b1gsecond, concurrency: 3}\n")
    return file


@asynccontextmanager
async def two_folders(emulator: RunningEmulator, redis_url: str, dsn: str, file: Path) -> AsyncIterator[TwoFolders]:
    settings = router_settings(
        emulator,
        yandex=yandex_settings(emulator, concurrency=2, more_credentials_file=file),
        redis=redis_settings(redis_url),
        postgres=postgres_settings(dsn),
        # No probe comes between.
        circuits=CircuitSettings(open_s=3600.0, longest_open_s=3600.0),
    )
    async with (
        running(settings, SystemClock()) as port,
        ready_channel(port) as channel,
        stub_of(channel) as stub,
    ):
        yield TwoFolders(stub, Administrator(admin_pb2_grpc.RouterAdminServiceStub(channel)), emulator)


async def test_the_other_folder_answers_while_the_key_of_one_is_refused_or_drained(
    emulator: RunningEmulator, redis_url: str, make_database_dsn: MakeDatabaseDsn, second_folder: Path
) -> None:
    """Callers see no error; administrators see the circuit of that key; after a reset both are used."""
    dsn = await make_database_dsn("router")
    async with two_folders(emulator, redis_url, dsn, second_folder) as folders:
        assert ["PROVIDER_CREDENTIALS", ""] in await folders.ask()
        refused = len(await folders.seen(401))
        assert await folders.ask() == [[""]] * 4
        assert len(await folders.seen(401)) == refused
        circuits = (await folders.admin.ask(pb.ListCircuitsRequest())).circuits
        assert {each.target.credential for each in circuits if each.state == "open"} == {SECOND.credential}

        await emulator.control.add_credential("yandex_api_key", key="AQVN-second", folder="b1gsecond")
        assert SECOND.credential in {
            each.credential for each in (await folders.admin.ask(pb.ResetCircuitsRequest(scope=SECOND))).reset
        }
        await folders.ask_until_both_answer()

        await folders.admin.drain(SECOND, drained=True)
        before = len(await folders.seen())
        await folders.ask()
        assert len(set((await folders.seen())[before:])) == 1
        await folders.admin.drain(SECOND, drained=False)
        await folders.ask_until_both_answer()

        with pytest.raises(ServiceError) as caught:
            await folders.admin.drain(pb.ProviderScope(provider="yandexgpt", credential="b1gsecond"), drained=True)
        assert (caught.value.reason, caught.value.param) == (ErrorReason.NOT_FOUND, "credential")
        assert SECOND.credential in caught.value.message
