"""A provider's key is changed in its file while the router serves: nothing is restarted and nothing is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from emulator.testing import YANDEX_FOLDER, RunningEmulator
from servicekit import lifecycle, redis
from servicekit.clock import SystemClock
from servicekit.configuration.environment import is_in_file
from servicekit.errors import ErrorReason, ServiceError
from servicekit.settings import RedisSettings
from services.router.catalog.document import UpstreamEntry
from services.router.providers.key_renewal import KeyRenewal
from services.router.providers.registry import Dependencies, ProviderSettings, built_in_providers, file_store
from services.router.providers.table import ProviderTable, file_ids, upstream_of
from services.router.providers.transport.http import open_http
from services.router.providers.transport.settings import WebImageSettings
from services.router.providers.transport.web_images import open_web_images
from services.router.tests.adapters import (
    IDS,
    NOBODY_REDIS,
    PATIENT,
    UPSTREAM,
    Heard,
    MemoryDeferred,
    MemoryShare,
    ask,
    call_for,
    gigachat_settings,
    hear,
    lonely_lines,
    obtain,
    yandex_settings,
)

OLD, NEW = "AQVN-old-key", "AQVN-new-key"


@dataclass(slots=True)
class Renewed:
    """A table of providers whose keys lie in files of one folder."""

    table: ProviderTable
    renewal: KeyRenewal
    folder: Path

    def write(self, name: str, key: str) -> None:
        (self.folder / name).write_text(key)

    async def answer(self, provider: str = "yandexgpt", dialect: str = "native") -> str:
        heard = await obtain(self.table.providers[provider], ask("[[text:да]]"), call_for(dialect), stream=False)
        return heard.text

    async def refusal(self, provider: str = "yandexgpt", dialect: str = "native") -> ErrorReason:
        with pytest.raises(ServiceError) as caught:
            await self.answer(provider, dialect)
        return caught.value.reason


@asynccontextmanager
async def renewed(
    emulator: RunningEmulator, folder: Path, upstream: UpstreamEntry = UPSTREAM
) -> AsyncIterator[Renewed]:
    """Yield a table that was built with the key OLD, which lies in a file; the emulator knows it."""
    await emulator.control.add_credential("yandex_api_key", key=OLD, folder=YANDEX_FOLDER)
    (folder / "yandex").write_text(OLD)
    environment = {
        "ROUTER_YANDEX_API_KEY_FILE": str(folder / "yandex"),
        "ROUTER_GIGACHAT_CREDENTIALS_FILE": str(folder / "gigachat"),
        "LOCAL_KEY_FILE": str(folder / "upstream"),
    }
    gigachat = gigachat_settings(emulator)
    (folder / "gigachat").write_text(gigachat.credentials.get_secret_value())
    settings = ProviderSettings(yandex=yandex_settings(emulator, api_key=OLD), gigachat=gigachat)
    clock = SystemClock()
    async with (
        open_http(PATIENT) as http,
        lifecycle.background(grace_s=1.0) as tasks,
        lifecycle.background() as jobs,
        open_web_images(WebImageSettings()) as images,
        redis.open_redis(RedisSettings(url=NOBODY_REDIS)) as client,
    ):
        lines = lonely_lines(jobs, client)
        made = file_ids(SecretStr("a key of tests, thirty-two bytes"), settings)
        needs = Dependencies(http, IDS, MemoryShare(), tasks, clock, uuid4, images, made, lines, MemoryDeferred())
        table = ProviderTable(built_in_providers(settings, needs), http, IDS, clock, lines)
        table.take_over([upstream])
        yield Renewed(table, KeyRenewal(settings, needs, table, environment), folder)


async def test_the_next_call_uses_the_new_key(emulator: RunningEmulator, tmp_path: Path) -> None:
    """The old one ends at the provider, and nobody notices."""
    await emulator.control.add_credential("yandex_api_key", key=NEW, folder=YANDEX_FOLDER)
    async with renewed(emulator, tmp_path) as router:
        assert await router.answer() == "да"
        router.write("yandex", f"{NEW}\n")
        await router.renewal.look()
        await emulator.control.revoke_credential(OLD)

        assert await router.answer() == "да"


async def test_a_call_under_way_ends_with_the_key_it_began_with(emulator: RunningEmulator, tmp_path: Path) -> None:
    """A stream whose key is changed in the middle comes whole."""
    await emulator.control.add_credential("yandex_api_key", key=NEW, folder=YANDEX_FOLDER)
    async with renewed(emulator, tmp_path) as router:
        prompt = ask("[[text:раз два три четыре пять шесть семь восемь девять десять]]")
        stream = router.table.providers["yandexgpt"].stream(prompt, call_for("native"))
        batches = [await anext(stream)]
        router.write("yandex", NEW)
        await router.renewal.look()
        await emulator.control.revoke_credential(OLD)
        batches += [batch async for batch in stream]

        assert whole(hear(batches)).endswith("десять")
        assert await router.answer() == "да"


def whole(heard: Heard) -> str:
    assert heard.finish is not None
    return heard.text


@pytest.mark.parametrize("bad", ["", "\n"])
async def test_an_empty_file_takes_no_key_away(emulator: RunningEmulator, tmp_path: Path, bad: str) -> None:
    """As it is for a moment while somebody writes it; also when it is gone."""
    async with renewed(emulator, tmp_path) as router:
        router.write("yandex", bad)
        await router.renewal.look()
        assert await router.answer() == "да"
        (tmp_path / "yandex").unlink()
        await router.renewal.look()

        assert await router.answer() == "да"


async def test_gigachat_gets_tokens_for_the_new_key(emulator: RunningEmulator, tmp_path: Path) -> None:
    """Tokens of the old key are not used any more: another key may be another contract."""
    key = "bmV3OmtleQ=="
    await emulator.control.add_credential("gigachat", key=key, scope="GIGACHAT_API_PERS")
    async with renewed(emulator, tmp_path) as router:
        assert await router.answer("gigachat", "gigachat") == "да"
        router.write("gigachat", key)
        files_before = file_store(router.table.providers)
        await router.renewal.look()
        assert await router.answer("gigachat", "gigachat") == "да"
        assert file_store(router.table.providers) is not files_before
        await emulator.control.revoke_credential(key)
        router.write("gigachat", "bm9ib2R5OmtleQ==")
        await router.renewal.look()

        assert await router.refusal("gigachat", "gigachat") is ErrorReason.PROVIDER_CREDENTIALS


async def test_what_has_not_changed_is_left_alone(emulator: RunningEmulator, tmp_path: Path) -> None:
    """A provider keeps its tokens and its pace."""
    async with renewed(emulator, tmp_path) as router:
        before = dict(router.table.providers)
        await router.renewal.look()

        assert router.table.providers == before


async def test_an_upstream_gets_its_new_key(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that its catalogue names may be a file as well."""
    file = tmp_path / "upstream"
    file.write_text("sk-not-yet")
    monkeypatch.setenv("LOCAL_KEY_FILE", str(file))
    entry = UPSTREAM.model_copy(update={"base_url": emulator.openai_url, "api_key_env": "LOCAL_KEY"})
    async with renewed(emulator, tmp_path, entry) as router:
        refused = await router.refusal("upstream", "upstream")
        file.write_text("sk-emulator")
        await router.renewal.look()
        answered = await router.answer("upstream", "upstream")
        file.write_text("")
        await router.renewal.look()

        assert (refused, answered) == (ErrorReason.PROVIDER_CREDENTIALS, "да")
        assert await router.answer("upstream", "upstream") == "да"


async def test_a_key_that_is_being_written_stays_when_another_upstream_is_added(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was gone until the next look, and for ever if its file could not be read any more; of another host it is."""
    file = tmp_path / "upstream"
    file.write_text("sk-emulator")
    monkeypatch.setenv("LOCAL_KEY_FILE", str(file))
    entry = UPSTREAM.model_copy(update={"base_url": emulator.openai_url, "api_key_env": "LOCAL_KEY"})
    async with renewed(emulator, tmp_path, entry) as router:
        for damage in ("", None):
            file.unlink() if damage is None else file.write_text(damage)
            router.table.take_over([entry, entry.model_copy(update={"name": f"another-{damage}"})])
            assert await router.answer("upstream", "upstream") == "да"

        router.table.take_over([entry.model_copy(update={"base_url": f"{emulator.openai_url}/elsewhere"})])
        assert await router.refusal("upstream", "upstream") is ErrorReason.PROVIDER_CREDENTIALS


async def test_an_upstream_that_changed_while_its_key_was_read_is_not_brought_back(
    emulator: RunningEmulator, tmp_path: Path
) -> None:
    """Both are looked at every few seconds: calls would go where they went before, or to one that was taken out."""
    entry = UPSTREAM.model_copy(update={"base_url": emulator.openai_url, "api_key_env": "LOCAL_KEY"})
    async with renewed(emulator, tmp_path, entry) as router:
        read_before = upstream_of(entry, {"LOCAL_KEY": "sk-emulator"})
        router.table.take_over([entry.model_copy(update={"base_url": "http://127.0.0.1:1/v1"})])
        moved = router.table.providers["upstream"]

        assert not router.table.renew_upstream(read_before)
        assert router.table.providers["upstream"] is moved
        router.table.take_over([])
        assert not router.table.renew_upstream(read_before)
        assert "upstream" not in router.table.providers


async def test_it_looks_again_and_again(emulator: RunningEmulator, tmp_path: Path) -> None:
    """Every few seconds, by itself."""
    await emulator.control.add_credential("yandex_api_key", key=NEW, folder=YANDEX_FOLDER)
    async with renewed(emulator, tmp_path) as router:
        before = router.table.providers["yandexgpt"]
        watch = asyncio.create_task(router.renewal.watch(0.01, SystemClock()))
        router.write("yandex", NEW)
        async with asyncio.timeout(30):
            while router.table.providers["yandexgpt"] is before:
                await asyncio.sleep(0.01)
        watch.cancel()
        await emulator.control.revoke_credential(OLD)

        assert await router.answer() == "да"


def test_a_variable_is_nearer_than_a_file(tmp_path: Path) -> None:
    """What is in the environment itself cannot change, whatever a folder holds."""
    (tmp_path / "A").write_text("x")
    folder = {"RAZVILKA_SECRETS_DIR": str(tmp_path)}

    assert is_in_file({"A_FILE": "/x"}, "A")
    assert is_in_file(folder, "A")
    assert not is_in_file({**folder, "A": "given"}, "A")
    assert not is_in_file(folder, "B")
