"""Redis did what it was asked, and its answer got lost: nobody hears that another used up their only try."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import redis.asyncio

from servicekit.errors import Unavailable
from servicekit.once.tests.lossy_redis import LossyRedis, lossy_redis
from servicekit.trust.dpop import Proof
from services.auth.accounts.cache.pending_logins import PendingLogins
from services.auth.accounts.domain.external_identity import PendingLogin
from services.auth.oauth.cache.client_counters import ClientCounters
from services.auth.oauth.cache.device_guesses import GUESSES, GuessCounter
from services.auth.oauth.cache.devices import DeviceCache
from services.auth.oauth.cache.pending_requests import PendingCache
from services.auth.oauth.cache.pushed_requests import PushedRequests
from services.auth.oauth.cache.used_proofs import UsedProofs
from services.auth.oauth.domain.authorization import AuthorizationRequest, Pending, ReplyTo
from services.auth.oauth.domain.device import DeviceDecision, DeviceFlow
from services.auth.oauth.domain.grant import Allowance
from services.auth.oauth.domain.params import Params
from services.auth.shared.domain.scope import Scope

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCOPES = frozenset({Scope.MODELS_READ})


@pytest.fixture
async def lossy(redis_url: str) -> AsyncIterator[LossyRedis]:
    """Redis, whose answers may get lost."""
    async with lossy_redis(redis_url) as made:
        yield made


async def test_a_login_elsewhere_comes_back_once(lossy: LossyRedis) -> None:
    """The browser that came back is logged in; its state is used up."""
    logins = PendingLogins(lossy.client)
    pending = PendingLogin("test", "hash", "nonce", "verifier", "https://rp.example/callback", "/")
    await logins.put("state", pending)
    assert await logins.take("unknown") is None
    await lossy.lose_next_answer()

    assert await logins.take("state") == pending
    assert await logins.take("state") is None


async def test_a_pushed_request_is_taken_once(lossy: LossyRedis) -> None:
    """By the client that pushed it."""
    requests = PushedRequests(lossy.client, ttl_s=60)
    await requests.put("urn:other", "client", Params([("scope", "openid")]))
    await requests.take("urn:other", "client")
    await requests.put("urn:request", "client", Params([("scope", "openid")]))
    # The first answer is what was pushed: it is read again.
    await lossy.lose_next_answer()
    taken = await requests.take("urn:request", "client")

    assert taken is not None
    assert taken.get("scope") == "openid"
    assert await requests.take("urn:request", "client") is None


async def test_a_request_is_decided_once(lossy: LossyRedis) -> None:
    """The decision whose answer got lost is the one that counts, and the request is over."""
    waiting = PendingCache(lossy.client, ttl_s=60)
    reply_to = ReplyTo("https://rp.example/callback", "state", "https://issuer.example")
    request = AuthorizationRequest("client", reply_to, SCOPES, "challenge", None, frozenset(), None, "", "", NOW)
    await waiting.put("id", Pending(request, "session"), "192.0.2.7")
    assert not await waiting.drop("unknown")
    await lossy.lose_next_answer()

    assert await waiting.drop("id")
    assert not await waiting.drop("id")
    assert await waiting.get("id") is None


async def test_a_device_is_kept_and_decided_once(lossy: LossyRedis) -> None:
    """Its code is its own, and the first decision is, though the same person makes the same one twice."""
    devices = DeviceCache(lossy.client, ttl_s=60)
    flow = DeviceFlow("client", SCOPES, "WDJB-MJHT", "grant", NOW + timedelta(minutes=10))
    decision = DeviceDecision(True, "user", NOW, Allowance(SCOPES, (), None))
    await devices.put("other", DeviceFlow("client", SCOPES, "ABCD-EFGH", "other", NOW))
    await lossy.lose_next_answer()
    assert await devices.put("device", flow)
    found = await devices.find_by_user_code("WDJB-MJHT")
    assert found is not None
    await lossy.lose_next_answer()

    assert await devices.decide(found[0], decision)
    assert not await devices.decide(found[0], decision)
    assert await devices.decision("device") == decision


async def test_a_proof_that_was_used_once_is_no_replay(lossy: LossyRedis) -> None:
    """The second use is one."""
    proofs = UsedProofs(lossy.client)
    await proofs.use(Proof("thumbprint", "other", ""))
    await lossy.lose_next_answer()

    assert await proofs.use(Proof("thumbprint", "jti", ""))
    assert not await proofs.use(Proof("thumbprint", "jti", ""))


async def test_a_guess_counts_once(lossy: LossyRedis) -> None:
    """Whoever made it is asked to try again; taken back it is once, too."""
    guesses = GuessCounter(lossy.client, window_s=60)
    await lossy.lose_next_answer()
    with pytest.raises(Unavailable):
        await guesses.begin("person", most=2)
    assert await guesses.begin("person", most=2) == 0
    assert await lossy.client.get(GUESSES + "person") == b"2"
    await lossy.lose_next_answer()
    with pytest.raises(Unavailable):
        await guesses.forgive("person")

    assert await lossy.client.get(GUESSES + "person") == b"1"


async def test_who_guesses_too_much_is_told_how_long_it_is_remembered(redis_client: redis.asyncio.Redis) -> None:
    """Of two counters the one that lasts longer; the whole window was told, however much of it had passed."""
    guesses = GuessCounter(redis_client, window_s=900)
    first = await guesses.begin("account", "address", most=1)
    await redis_client.pexpire(GUESSES + "account", 100_000)
    await redis_client.pexpire(GUESSES + "address", 200_000)

    wait_s = await guesses.begin("account", "address", most=1)

    assert first == 0
    assert 100 < wait_s <= 200


async def test_a_client_is_served_though_its_request_was_counted_twice(lossy: LossyRedis) -> None:
    """One more of the thousand that it has in a minute is better than a failure."""
    counters = ClientCounters(lossy.client)
    await lossy.lose_next_answer()

    assert await counters.take("client", 2, NOW) == 0
    assert await counters.take("client", 2, NOW) == 30
