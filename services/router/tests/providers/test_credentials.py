"""Credentials as people have them: each way is tried against the emulator, which refuses what the provider refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from emulator.testing import YANDEX_API_KEY, RunningEmulator, running_emulator
from servicekit import lifecycle
from servicekit.clock import Clock, SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing import FakeClock
from services.router.domain.tool_call_id import CallState
from services.router.providers.gigachat.provider import GigaChatProvider
from services.router.providers.gigachat.settings import ACCESS as GIGACHAT
from services.router.providers.gigachat.settings import GigaChatSettings
from services.router.providers.registry import ProviderSettings, secrets_of
from services.router.providers.table import file_ids, tool_call_ids
from services.router.providers.transport.http import HttpClient, open_http
from services.router.providers.transport.settings import WebImageSettings
from services.router.providers.transport.tls import ClientCertificate
from services.router.providers.transport.web_images import open_web_images
from services.router.providers.yandexgpt.iam import credentials_of
from services.router.providers.yandexgpt.provider import YandexGPTProvider
from services.router.providers.yandexgpt.settings import YandexSettings
from services.router.tests.adapters import (
    FILE_IDS,
    IDS,
    PATIENT,
    MemoryDeferred,
    MemoryShare,
    ask,
    call_for,
    gigachat_settings,
    obtain,
    yandex_settings,
)
from services.router.tests.providers.bodies import IMAGE, parts
from services.router.tests.providers.test_tokens import service_account, token_calls

OAUTH_TOKEN = "y0_emulator"


@asynccontextmanager
async def gigachat(settings: GigaChatSettings) -> AsyncIterator[GigaChatProvider]:
    async with (
        open_http(PATIENT) as http,
        lifecycle.background() as tasks,
        open_web_images(WebImageSettings()) as images,
    ):
        yield GigaChatProvider(
            settings, http, IDS, MemoryShare(), tasks, SystemClock(), uuid4, images, FILE_IDS, MemoryDeferred()
        )


def by_machine(emulator: RunningEmulator) -> dict[str, Any]:
    return {"api_key": "", "metadata": True, "metadata_host": emulator.yandex_url.removeprefix("http://")}


def by_oauth(emulator: RunningEmulator) -> dict[str, Any]:
    iam_url = f"{emulator.yandex_url}/iam/v1/tokens"
    return {"api_key": "", "oauth_token": f" {OAUTH_TOKEN}\n", "iam_url": iam_url}


@pytest.mark.parametrize("way", [by_machine, by_oauth])
async def test_yandex_gives_iam_tokens_to_machines_and_people(emulator: RunningEmulator, way: Any) -> None:
    """Got once for all who wait; a refused one is replaced and the call made once more."""
    async with open_http(PATIENT) as http:
        provider = YandexGPTProvider(
            yandex_settings(emulator, **way(emulator)), http, IDS, SystemClock(), MemoryDeferred()
        )

        before = await asyncio.gather(
            *(obtain(provider, ask("[[text:да]]"), call_for("native"), stream=False) for _ in range(5))
        )
        await emulator.control.expire_tokens("yandex")
        after = await obtain(provider, ask("[[text:да]]"), call_for("native"), stream=True)

    assert {heard.text for heard in (*before, after)} == {"да"}
    assert await token_calls(emulator, "yandex") == 2


@pytest.mark.parametrize("way", [by_machine, by_oauth])
async def test_tokens_of_machines_and_people_are_renewed_hourly(emulator: RunningEmulator, way: Any) -> None:
    """As those of a service account."""
    clock = FakeClock(SystemClock().now())
    async with open_http(PATIENT) as http:
        credentials = credentials_of(yandex_settings(emulator, **way(emulator)), http, clock)
        first = await credentials.header()
        clock.advance(timedelta(minutes=59).total_seconds())
        assert await credentials.header() == first
        clock.advance(timedelta(minutes=1, seconds=1).total_seconds())
        assert await credentials.header() != first


async def test_a_refused_oauth_token_is_the_operators_matter(emulator: RunningEmulator) -> None:
    """The caller cannot mend it."""
    given = by_oauth(emulator) | {"oauth_token": "y0_another"}
    async with open_http(PATIENT) as http:
        provider = YandexGPTProvider(yandex_settings(emulator, **given), http, IDS, SystemClock(), MemoryDeferred())
        with pytest.raises(ServiceError) as caught:
            await provider.complete(ask(), call_for("native"))
    assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS


async def test_a_machine_that_is_none_of_the_clouds_says_so(emulator: RunningEmulator) -> None:
    """Nobody answers at its address."""
    async with open_http(PATIENT) as http:
        settings = yandex_settings(emulator, api_key="", metadata=True, metadata_host="127.0.0.1:1")
        with pytest.raises(ServiceError) as caught:
            await credentials_of(settings, http, SystemClock()).header()
    assert caught.value.reason is ErrorReason.PROVIDER_UNAVAILABLE


async def test_a_key_file_wins_over_the_emulators_demo_key(emulator: RunningEmulator, tmp_path: Path) -> None:
    """Compose has the demo key as its default: whoever gives a file means the file. A real API key is used first."""
    file = await service_account(emulator, tmp_path)
    given = {"service_account_key_file": file, "iam_url": f"{emulator.yandex_url}/iam/v1/tokens"}
    async with open_http(PATIENT) as http:

        async def header(api_key: str) -> str:
            return await _header(yandex_settings(emulator, api_key=api_key, **given), http, SystemClock())

        assert (await header(YANDEX_API_KEY)).startswith("Bearer t1.")
        assert (await header("")).startswith("Bearer t1.")
        assert await header("AQVN-mine") == "Api-Key AQVN-mine"
        alone = yandex_settings(emulator)
        assert await _header(alone, http, SystemClock()) == f"Api-Key {YANDEX_API_KEY}"


async def _header(settings: YandexSettings, http: HttpClient, clock: Clock) -> str:
    return await credentials_of(settings, http, clock).header()


async def test_gigachat_takes_user_and_password(emulator: RunningEmulator) -> None:
    """Also in place of the demo key; the token is renewed like any other."""
    demo = GIGACHAT.emulated["credentials"]
    for key in ("", demo):
        settings = gigachat_settings(emulator, credentials=key, user="user", password="password")
        async with gigachat(settings) as provider:
            before = await obtain(provider, ask("[[text:да]]"), call_for("gigachat"), stream=False)
            await emulator.control.expire_tokens("gigachat")
            after = await obtain(provider, ask("[[text:да]]"), call_for("gigachat"), stream=True)
        assert (before.text, after.text) == ("да", "да")

    asked = await emulator.control.ground_truth(provider="gigachat", operation="token")
    assert {call["path"] for call in asked} == {"/v1/token"}
    assert len(asked) == 4


async def test_a_wrong_password_is_the_operators_matter(emulator: RunningEmulator) -> None:
    """And is asked for once, not guessed at."""
    async with gigachat(gigachat_settings(emulator, credentials="", user="user", password="wrong")) as provider:
        with pytest.raises(ServiceError) as caught:
            await provider.complete(ask(), call_for("gigachat"))
    assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS
    assert await token_calls(emulator, "gigachat") == 1


async def test_gigachat_knows_a_client_by_its_certificate(tmp_path: Path) -> None:
    """Mutual TLS: no token is asked for, no Authorization is sent; without the certificate nothing works."""
    async with running_emulator(tls=True, tls_dir=tmp_path) as emulator:
        given = {
            "credentials": "",
            "base_url": f"{emulator.tls['gigachat']}/v1",
            "ca_bundle": Path(emulator.ca_path),
        }
        ours = {"cert_file": tmp_path / "client.pem", "key_file": tmp_path / "client-key.pem"}
        async with gigachat(gigachat_settings(emulator, **given, **ours)) as provider:
            heard = await obtain(provider, ask(messages=parts(IMAGE)), call_for("gigachat"), stream=True)
        async with gigachat(gigachat_settings(emulator, **given)) as stranger:
            with pytest.raises(ServiceError) as caught:
                await stranger.complete(ask(), call_for("gigachat"))
        calls = await emulator.control.ground_truth(provider="gigachat")

    assert heard.text
    assert {call["status"] for call in calls} == {200}
    assert {call["operation"] for call in calls} == {"chat", "files"}
    assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS


async def test_files_that_are_no_certificate_stop_the_start(tmp_path: Path, emulator: RunningEmulator) -> None:
    """With the variables' names, not with a traceback."""
    file = tmp_path / "no.pem"
    file.write_text("nothing")
    with pytest.raises(SystemExit, match="ROUTER_GIGACHAT_CERT_FILE"):
        async with gigachat(gigachat_settings(emulator, cert_file=file, key_file=file)):
            pass


@pytest.mark.parametrize("half", [{"user": "u"}, {"password": "p"}, {"cert_file": "a"}, {"key_file": "a"}])
def test_half_of_a_pair_is_refused(half: dict[str, str]) -> None:
    """A user without a password would fail at the first request; say it at the start."""
    with pytest.raises(ValidationError, match="belong together"):
        GigaChatSettings(**half)


def test_ids_are_signed_with_what_cannot_be_guessed(tmp_path: Path) -> None:
    """Keys and tokens, the content of a key's file; never a password, and nothing that everybody knows."""
    key = tmp_path / "key.json"
    key.write_text("a key")
    with_file = ProviderSettings(yandex=YandexSettings(service_account_key_file=key))
    by_password = ProviderSettings(gigachat=GigaChatSettings(user="user", password="password"))

    assert secrets_of(with_file) == [b"a key"]
    assert secrets_of(by_password) == []
    nothing = ProviderSettings().yandex.api_key
    file = uuid4()
    same = [file_ids(nothing, with_file).encode("user-1", file) for _ in range(2)]
    other = tool_call_ids(nothing, by_password).encode(CallState("camp_distance"))
    foreign = [file_ids(nothing, by_password).encode("user-1", file) for _ in range(2)]
    assert same[0] == same[1]
    assert foreign[0] != foreign[1]
    assert tool_call_ids(nothing, by_password).decode(other) is None


def test_a_certificate_does_not_show_in_a_repr() -> None:
    """Its password neither in a log nor in a traceback."""
    assert "hush" not in repr(ClientCertificate(Path("a"), Path("b"), "hush"))
