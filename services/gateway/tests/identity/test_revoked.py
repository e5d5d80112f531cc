"""What a gateway remembers of what ended, for how long, and what hearing of it does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing.fake_clock import MIDDAY, FakeClock
from servicekit.testing.looked_at import LookedAt
from services.gateway.clients.caller import Caller
from services.gateway.clients.oauth_views import Revocation
from services.gateway.identity import revocations
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.revocations import RevocationEffects, RevocationPoller, decoded
from services.gateway.identity.revoked import CLEAN_EVERY, KEEP_S, Revoked
from services.gateway.identity.token_claims import AccessToken

TOKEN = AccessToken("jti-1", "grant-1", "session-1", "client-1", "user-1", frozenset(), 0.0)
ENDS = [("token", "jti-1"), ("grant", "grant-1"), ("session", "session-1"), ("client", "client-1")]
NOW_MS = int(MIDDAY.timestamp() * 1000)


@pytest.mark.parametrize(("kind", "id"), ENDS)
def test_a_token_ends_with_what_it_belongs_to(kind: str, id: str) -> None:
    """And with nothing else of that name."""
    revoked = Revoked(FakeClock())

    for other, _ in ENDS:
        assert revoked.add(other, "another")
        if other != kind:
            revoked.add(other, id)
    assert not revoked.covers(TOKEN)
    assert revoked.add(kind, id) is True

    assert revoked.covers(TOKEN)
    assert not revoked.covers(replace(TOKEN, jti="j", grant_id="g", session_id="s", client_id="c"))


def test_a_kind_that_no_token_has_is_not_remembered() -> None:
    """The caller logs it."""
    assert Revoked(FakeClock()).add("key", "jti-1") is False


@pytest.mark.parametrize(("age_s", "kept"), [(KEEP_S - 1, True), (KEEP_S, False)])
def test_what_ended_is_forgotten_when_no_token_can_be_valid_any_more(age_s: float, kept: bool) -> None:
    """Looked at with every thousandth that is added, in each kind."""
    clock = FakeClock()
    revoked = Revoked(clock)
    for kind, id in ENDS:
        revoked.add(kind, id)
    clock.advance(age_s)

    for number in range(CLEAN_EVERY - len(ENDS) - 1):
        revoked.add("token", str(number))
    assert revoked.covers(TOKEN)
    revoked.add("token", "the thousandth")

    nothing = replace(TOKEN, jti="", grant_id="", session_id="", client_id="")
    alone = [
        replace(nothing, jti="jti-1"),
        replace(nothing, grant_id="grant-1"),
        replace(nothing, session_id="session-1"),
        replace(nothing, client_id="client-1"),
    ]
    assert [revoked.covers(token) for token in alone] == [kept] * 4
    assert revoked.covers(replace(TOKEN, jti="the thousandth"))


class Known:
    """Caches that know one caller, what ended, and the effects on them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.keys = KeyCache(self.clock, fresh_s=5, stale_s=300)
        self.grants = KeyCache(self.clock, fresh_s=5, stale_s=300)
        self.revoked = Revoked(self.clock)
        self.effects = RevocationEffects(self.keys, self.grants, self.revoked, self.clock)

    async def learn(self) -> None:
        """Verify the one caller in both caches."""

        async def verify() -> Caller:
            return Caller("user-1", "key-1", "laptop", "pro", frozenset())

        for cache in (self.keys, self.grants):
            await cache.get(b"digest", verify)

    def remembered(self) -> tuple[bool, bool]:
        """Tell which of the caches still believes in the caller."""
        return self.keys.fresh(b"digest") is not None, self.grants.fresh(b"digest") is not None


@pytest.fixture
async def known() -> Known:
    """Return caches that know their caller."""
    made = Known()
    await made.learn()
    return made


async def test_a_revocation_looks_through_no_other_keys() -> None:
    """A gateway that starts hears of those of an hour at once: it went through all its keys for each."""
    known = Known()

    async def verify() -> Caller:
        return Caller("user-1", LookedAt("key-1"), "laptop", "pro", frozenset())

    await known.keys.get(b"digest", verify)
    LookedAt.times = 0
    known.effects.apply([Revocation("key", f"other-{number}", NOW_MS) for number in range(5000)], "history")

    assert known.keys.fresh(b"digest") is not None
    assert LookedAt.times <= 2


async def test_many_changed_accounts_are_looked_for_in_one_walk() -> None:
    """Whoever is known here was looked at for each of them."""
    known = Known()

    async def verify() -> Caller:
        return Caller(LookedAt("user-1"), "key-1", "laptop", "pro", frozenset())

    await known.keys.get(b"digest", verify)
    LookedAt.times = 0
    known.effects.apply([Revocation("user", f"other-{number}", NOW_MS) for number in range(100)], "history")

    assert known.keys.fresh(b"digest") is not None
    assert LookedAt.times <= 2


async def test_a_long_history_lets_others_run_meanwhile(known: Known, redis_client: Redis) -> None:
    """What ended within an hour held up every request of a gateway that had just started."""
    auth = Auth(*(Revocation("token", f"t-{number}", NOW_MS) for number in range(10 * revocations.AT_ONCE)))
    asking = asyncio.create_task(RevocationPoller(redis_client, auth.list, known.effects, known.clock).ask())
    turns = 0
    while not asking.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns >= 10
    assert known.revoked.covers(replace(TOKEN, jti=auth.listed[-1].id))


def heard(source: str) -> float:
    """Return how many revocations were heard of in this way."""
    return REGISTRY.get_sample_value("razvilka_gateway_revocations_total", {"source": source}) or 0.0


def waited(source: str) -> tuple[float, float]:
    """Return how many revocations had a known delay, and the sum of the delays in seconds."""
    labels = {"source": source}
    count = REGISTRY.get_sample_value("razvilka_gateway_revocation_seconds_count", labels) or 0.0
    return count, REGISTRY.get_sample_value("razvilka_gateway_revocation_seconds_sum", labels) or 0.0


@pytest.mark.parametrize(
    ("kind", "id", "remembered"),
    [
        ("key", "key-1", (False, True)),
        ("key", "key-2", (True, True)),
        ("user", "user-1", (False, False)),
        ("user", "key-1", (True, True)),
        ("token", "key-1", (True, True)),
    ],
)
async def test_an_end_reaches_what_it_names(known: Known, kind: str, id: str, remembered: tuple[bool, bool]) -> None:
    """A key's the keys, a user's the keys and the grants, a token's the tokens."""
    known.effects.apply([Revocation(kind, id)], "push")

    assert known.remembered() == remembered
    assert known.revoked.covers(replace(TOKEN, jti=id)) is (kind == "token")


async def test_an_end_takes_effect_once(known: Known) -> None:
    """Heard again from another source, it does not send everybody to auth again; another moment is another end."""
    known.effects.apply([Revocation("user", "user-1", 1)], "push")
    await known.learn()
    before = heard("list")

    known.effects.apply([Revocation("user", "user-1", 1)], "list")
    again = known.remembered()
    known.effects.apply([Revocation("user", "user-1", 2)], "list")

    assert (again, known.remembered()) == ((True, True), (False, False))
    assert heard("list") == before + 1


async def test_the_delay_of_an_end_is_measured_where_it_says_when(known: Known) -> None:
    """Never negative, and not of history: that was no delay of ours."""
    before = waited("set"), waited("history")

    known.effects.apply([Revocation("token", "a", NOW_MS - 1_500), Revocation("token", "b", NOW_MS + 60_000)], "set")
    known.effects.apply([Revocation("token", "c")], "set")
    known.effects.apply([Revocation("token", "d", NOW_MS - 9_000)], "history")

    count, seconds = waited("set")
    assert (count, waited("history")) == (before[0][0] + 2, before[1])
    assert seconds == pytest.approx(before[0][1] + 1.5, abs=1e-3)


async def test_an_unknown_kind_of_end_is_logged(known: Known) -> None:
    """A gateway older than auth: an operator must see it."""
    with capture_logs() as logs:
        known.effects.apply([Revocation("planet", "x"), Revocation("token", "y")], "push")

    assert [(entry["event"], entry["kind"]) for entry in logs] == [("revocations.unknown_kind", "planet")]
    assert known.revoked.covers(replace(TOKEN, jti="y"))


async def test_what_was_heard_is_forgotten_with_what_ended(known: Known) -> None:
    """Bounded memory: an end heard again after that takes effect again, one heard lately does not."""
    old, late = Revocation("user", "user-1", 1), Revocation("token", "late", 1)
    known.effects.apply([old], "set")
    known.clock.advance(KEEP_S)
    known.effects.apply([late, *[Revocation("token", str(number)) for number in range(998)]], "set")
    await known.learn()
    before = heard("set")

    known.effects.apply([late, old], "set")

    assert known.remembered() == (False, False)
    assert heard("set") == before + 1


class Auth:
    """Auth's list, and the moments it was asked for."""

    def __init__(self, *listed: Revocation) -> None:
        self.listed = list(listed)
        self.away = False
        self.asked: list[datetime] = []

    async def list(self, since: datetime) -> AsyncIterator[tuple[list[Revocation], datetime]]:
        """Yield what ended, and the next moment to ask for."""
        self.asked.append(since)
        if self.away:
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "down")
        yield self.listed, MIDDAY + timedelta(seconds=len(self.asked))


async def test_auth_is_asked_for_all_that_counts_and_then_for_what_is_new(known: Known, redis_client: Redis) -> None:
    """The first answer is history, the next ones are news."""
    auth = Auth(Revocation("token", "jti-1", NOW_MS - 1_000))
    poller = RevocationPoller(redis_client, auth.list, known.effects, known.clock)
    before = heard("history"), heard("list")

    await poller.ask()
    auth.listed = [Revocation("token", "jti-2", NOW_MS)]
    await poller.ask()

    assert auth.asked == [MIDDAY - timedelta(seconds=KEEP_S), MIDDAY + timedelta(seconds=1)]
    assert (heard("history"), heard("list")) == (before[0] + 1, before[1] + 1)
    assert known.revoked.covers(TOKEN)
    assert known.revoked.covers(replace(TOKEN, jti="jti-2"))


async def test_without_auth_the_last_minute_of_the_set_counts(known: Known, redis_client: Redis) -> None:
    """What is older was heard of before; what cannot be read hides nothing; auth is asked for the same again."""
    auth = Auth()
    auth.away = True
    poller = RevocationPoller(redis_client, auth.list, known.effects, known.clock)
    entries = {"within": NOW_MS - 60_000, "before": NOW_MS - 60_001, "ahead": NOW_MS + 5_000}
    for id, at in entries.items():
        await redis_client.zadd(revocations.HISTORY, {json.dumps({"kind": "token", "id": id, "at": at}): at})
    await redis_client.zadd(revocations.HISTORY, {"{": NOW_MS})
    before = heard("set")

    with capture_logs() as logs:
        await poller.ask()
        await poller.ask()

    ended = [id for id in entries if known.revoked.covers(replace(TOKEN, jti=id))]
    assert (ended, heard("set")) == (["within", "ahead"], before + 2)
    assert auth.asked == [MIDDAY - timedelta(seconds=KEEP_S)] * 2
    assert [(entry["event"], entry.get("reason")) for entry in logs[:2]] == [
        ("revocations.not_listed", "SERVICE_UNAVAILABLE"),
        ("revocations.unreadable", None),
    ]


async def test_when_nobody_can_be_asked_the_gateway_goes_on(known: Known, free_port: int) -> None:
    """Caches of seconds bound what it does not know; an operator reads of it."""
    auth = Auth()
    auth.away = True
    async with Redis(port=free_port, retry=Retry(NoBackoff(), 0)) as lost:
        with capture_logs() as logs:
            await RevocationPoller(lost, auth.list, known.effects, known.clock).ask()

    assert [entry["event"] for entry in logs] == ["revocations.not_listed", "revocations.nobody_to_ask"]


def test_an_unreadable_entry_hides_no_other() -> None:
    """Neither one that is no JSON nor one without its fields."""
    found = decoded([b"{", b'{"kind":"key"}', b'{"kind":"key","id":"k","at":5}', b'{"kind":"key","id":"l"}'])

    assert list(found) == [Revocation("key", "k", 5), Revocation("key", "l")]
