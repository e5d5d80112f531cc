"""Access tokens: got once, shared, renewed, never seen."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.asyncio import Redis

from emulator.testing import OPENAI_API_KEY, YANDEX_FOLDER, RunningEmulator
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from servicekit.testing import FakeClock
from servicekit.testing.sampled import sampled
from services.router.cache import RedisTokenShare
from services.router.providers.gigachat.token import unix_seconds
from services.router.providers.transport.access_token import AccessToken, SharedToken, SingleFlight
from services.router.providers.transport.http import open_http
from services.router.providers.yandexgpt.iam import credentials_of
from services.router.providers.yandexgpt.provider import YandexGPTProvider
from services.router.tests.adapters import (
    IDS,
    LONG_S,
    PATIENT,
    Adapters,
    MemoryDeferred,
    MemoryShare,
    ask,
    call_for,
    listen,
    obtain,
    open_adapters,
    yandex_settings,
)
from services.router.tests.providers.bodies import IMAGE, parts
from services.router.tests.providers.test_contract import authorised_key


async def token_calls(emulator: RunningEmulator, provider: str) -> int:
    return len(await emulator.control.ground_truth(provider=provider, operation="token"))


async def test_parallel_requests_get_one_token(adapters: Adapters, emulator: RunningEmulator) -> None:
    """Two token calls at once were enough for the provider to refuse one."""
    await asyncio.gather(*(listen(adapters.gigachat, ask(), call_for("gigachat")) for _ in range(20)))

    assert await token_calls(emulator, "gigachat") == 1


async def test_parallel_refusals_renew_the_token_once(adapters: Adapters, emulator: RunningEmulator) -> None:
    """All who were refused wait for the same new token."""
    await adapters.gigachat.complete(ask(), call_for("gigachat"))
    await emulator.control.expire_tokens("gigachat")

    answers = await asyncio.gather(
        *(obtain(adapters.gigachat, ask("[[text:да]]"), call_for("gigachat"), stream=bool(n % 2)) for n in range(20))
    )

    assert {heard.text for heard in answers} == {"да"}
    assert await token_calls(emulator, "gigachat") == 2


async def test_a_failure_is_told_to_all_who_waited() -> None:
    """Those who queue for a token do not each wait for the same dead service in turn."""
    calls = 0

    async def fetch(_: AccessToken | None) -> AccessToken:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise ServiceError(ErrorReason.PROVIDER_UNAVAILABLE, "down")

    tokens = SingleFlight(fetch, SystemClock(), provider="gigachat")

    failures_before = sampled("razvilka_router_token_refresh_failures_total", provider="gigachat")

    outcomes = await asyncio.gather(*(tokens.get() for _ in range(10)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ServiceError] * 10
    # What one request adds of itself is no other's.
    assert len({id(outcome.details) for outcome in outcomes if isinstance(outcome, ServiceError)}) == 10
    assert calls == 1
    assert sampled("razvilka_router_token_refresh_failures_total", provider="gigachat") == failures_before + 1


async def test_a_cancelled_caller_does_not_take_the_token_away() -> None:
    """The next in line gets it."""
    began = asyncio.Event()

    async def fetch(_: AccessToken | None) -> AccessToken:
        if not began.is_set():
            began.set()
            await asyncio.Event().wait()
        return AccessToken("good", SystemClock().now().timestamp() + 60)

    tokens = SingleFlight(fetch, SystemClock(), provider="gigachat")
    async with asyncio.TaskGroup() as group:
        first, second = group.create_task(tokens.get()), group.create_task(tokens.get())
        await began.wait()
        first.cancel()

    assert first.cancelled()
    assert second.result() == "good"


async def test_replicas_share_a_token_through_redis(redis_client: Redis) -> None:
    """The second router asks Redis, not the provider; what lies there cannot be read without the credentials."""
    issued, clock = 0, SystemClock()

    async def issue() -> AccessToken:
        nonlocal issued
        issued += 1
        return AccessToken(f"secret-token-{issued}", clock.now().timestamp() + 1740)

    def replica() -> SharedToken:
        return SharedToken(issue, RedisTokenShare(redis_client), clock, provider="gigachat", secret="scope\0key")

    first, second = await asyncio.gather(replica().fetch(None), replica().fetch(None))

    assert (first, second, issued) == (first, first, 1)
    for key in await redis_client.keys("*"):
        value = await redis_client.get(key)
        assert b"secret-token" not in (value or b"")
        assert 0 < await redis_client.ttl(key) <= 1740


async def test_a_refused_token_is_not_taken_from_a_peer(redis_client: Redis, clock: FakeClock) -> None:
    """What the provider refused is no better for lying in Redis."""
    issued = iter(["one", "two"])

    async def issue() -> AccessToken:
        return AccessToken(next(issued), clock.now().timestamp() + 1000)

    shared = SharedToken(issue, RedisTokenShare(redis_client), clock, provider="gigachat", secret="x")

    first = await shared.fetch(None)
    second = await shared.fetch(first)

    assert (first.value, second.value) == ("one", "two")


async def test_tokens_are_got_without_redis(clock: FakeClock) -> None:
    """A lost store costs sharing, nothing else."""

    class Lost(MemoryShare):
        async def lock(self, key: str, owner: str, ttl_s: float) -> bool | None:
            return None

    async def issue() -> AccessToken:
        return AccessToken("token", clock.now().timestamp() + 1000)

    shared = SharedToken(issue, Lost(), clock, provider="gigachat", secret="x")

    assert (await shared.fetch(None)).value == "token"


async def test_a_peer_that_died_with_the_lock_is_not_waited_for_long() -> None:
    """The lock has an end, and so has patience."""
    clock = FakeClock(auto_advance=True)
    share = MemoryShare()
    shared = SharedToken(lambda: issue(), share, clock, provider="gigachat", secret="x")

    async def issue() -> AccessToken:
        return AccessToken("token", clock.now().timestamp() + 1000)

    share.locks[shared._key] = "a peer that died"

    assert (await shared.fetch(None)).value == "token"
    assert 4.0 < clock.monotonic() < 7.0


async def test_garbage_in_redis_is_ignored(redis_client: Redis, clock: FakeClock) -> None:
    """A sealed value that does not open counts as none."""

    async def issue() -> AccessToken:
        return AccessToken("token", clock.now().timestamp() + 1000)

    shared = SharedToken(issue, RedisTokenShare(redis_client), clock, provider="gigachat", secret="x")
    await redis_client.set(f"router:token:{shared._key}", b"short")

    assert (await shared.fetch(None)).value == "token"


@pytest.mark.parametrize(("raw", "seconds"), [(1_791_194_400_000, 1_791_194_400), (1_679_471_442, 1_679_471_442)])
def test_expiry_comes_in_either_unit(raw: float, seconds: float) -> None:
    """The service sends milliseconds, its documentation shows seconds."""
    assert unix_seconds(raw) == seconds


def test_a_token_does_not_show_in_a_repr() -> None:
    """Neither in a log nor in a traceback."""
    assert "hush" not in repr(AccessToken("hush", 1.0))


async def service_account(emulator: RunningEmulator, folder: Path) -> Path:
    """Make a service account's key known to the emulator; return its file."""
    key = authorised_key()
    private = serialization.load_pem_private_key(key["private_key"].split("\n", 1)[1].encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    await emulator.control.add_credential(
        "yandex_service_account",
        key_id=key["id"],
        id=key["service_account_id"],
        public_key=public.decode(),
        folder=YANDEX_FOLDER,
    )
    file = folder / "key.json"
    file.write_text(json.dumps(key))
    return file


async def test_a_service_account_gets_iam_tokens(emulator: RunningEmulator, tmp_path: Path) -> None:
    """The provider checks a PS256 signature and gives a token; a refused one is renewed and the call replayed."""
    file = await service_account(emulator, tmp_path)
    iam = {"api_key": "", "service_account_key_file": file, "iam_url": f"{emulator.yandex_url}/iam/v1/tokens"}
    async with open_http(PATIENT) as http:
        provider = YandexGPTProvider(yandex_settings(emulator, **iam), http, IDS, SystemClock(), MemoryDeferred())

        before = await obtain(provider, ask("[[text:да]]"), call_for("native"), stream=False)
        await emulator.control.expire_tokens("yandex")
        after = await obtain(provider, ask("[[text:да]]"), call_for("native"), stream=True)

    assert (before.text, after.text) == ("да", "да")
    assert await token_calls(emulator, "yandex") == 2


async def test_iam_tokens_are_renewed_hourly(emulator: RunningEmulator, tmp_path: Path) -> None:
    """Though they live up to twelve hours."""
    file = await service_account(emulator, tmp_path)
    # The emulator looks at its own clock: both signatures must be of today.
    clock = FakeClock(SystemClock().now() - timedelta(minutes=59, seconds=30))
    settings = yandex_settings(
        emulator, api_key="", service_account_key_file=file, iam_url=f"{emulator.yandex_url}/iam/v1/tokens"
    )
    async with open_http(PATIENT) as http:
        credentials = credentials_of(settings, http, clock)
        first = await credentials.header()
        clock.advance(timedelta(minutes=59).total_seconds())
        assert await credentials.header() == first

        clock.advance(timedelta(minutes=1, seconds=10).total_seconds())

        assert await credentials.header() != first


async def test_without_credentials_models_answer_so(emulator: RunningEmulator) -> None:
    """The router starts all the same; only these models fail, with a clear reason."""
    async with open_adapters(emulator, api_key="") as adapters:
        with pytest.raises(ServiceError) as caught:
            await adapters.yandex.complete(ask(), call_for("native"))

    assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS


async def test_a_refused_key_that_cannot_be_renewed_is_sent_once(adapters: Adapters, emulator: RunningEmulator) -> None:
    """The same key again would be refused again."""
    await emulator.control.revoke_credential(OPENAI_API_KEY)

    for stream in (False, True):
        with pytest.raises(ServiceError) as caught:
            await obtain(adapters.openai, ask(), call_for("upstream"), stream=stream)
        assert caught.value.reason is ErrorReason.PROVIDER_CREDENTIALS

    assert len(await emulator.control.ground_truth(provider="openai")) == 2


def _of_another_kind() -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps({**authorised_key(), "private_key": pem})


@pytest.mark.parametrize("content", ["{}", _of_another_kind()], ids=["empty", "elliptic curve"])
async def test_a_key_file_that_is_none_stops_the_start(emulator: RunningEmulator, tmp_path: Path, content: str) -> None:
    """With the variable's name, not with a traceback: Yandex takes RSA keys only."""
    file = tmp_path / "key.json"
    file.write_text(content)

    with pytest.raises(SystemExit, match="ROUTER_YANDEX_SERVICE_ACCOUNT_KEY_FILE"):
        async with open_adapters(emulator, api_key="", service_account_key_file=file):
            pass


async def test_files_are_uploaded_named_and_deleted(adapters: Adapters, emulator: RunningEmulator) -> None:
    """What a caller attaches does not stay at the provider."""
    heard = await obtain(adapters.gigachat, ask(messages=parts(IMAGE)), call_for("gigachat"), stream=True)

    assert heard.text
    async with asyncio.timeout(LONG_S):
        while len(calls := await emulator.control.ground_truth(provider="gigachat", operation="files")) < 2:
            await asyncio.sleep(0.01)
    assert calls[-1]["path"].endswith("/delete")
