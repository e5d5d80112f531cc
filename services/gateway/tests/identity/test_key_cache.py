"""What the key cache believes, for how long, by a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from servicekit.errors import ErrorReason, ServiceError, Unauthenticated, Unavailable
from servicekit.testing.fake_clock import MIDDAY, FakeClock
from services.gateway.clients.caller import Caller
from services.gateway.identity.key_cache import KeyCache

DOWN = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "down")
UNKNOWN = Unauthenticated(ErrorReason.INVALID_KEY, "The API key is not valid.")


class Auth:
    """Verdicts on demand, counted."""

    def __init__(self, caller: Caller | None = None) -> None:
        self.caller = caller or Caller("user-1", "key-1", "laptop", "pro", frozenset())
        self.failure: ServiceError | None = None
        self.asked = 0

    async def verify(self) -> Caller:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.caller


@pytest.fixture
def cache(clock: FakeClock) -> KeyCache:
    """Return a cache with the usual times."""
    return KeyCache(clock, fresh_s=5, stale_s=300)


async def test_a_verdict_is_believed_for_five_seconds(cache: KeyCache, clock: FakeClock) -> None:
    """Not asked again before, asked again after."""
    auth, digest = Auth(), cache.digest(b"k")
    await cache.get(digest, auth.verify)
    clock.advance(4.9)
    await cache.get(digest, auth.verify)
    assert auth.asked == 1

    clock.advance(0.2)
    await cache.get(digest, auth.verify)

    assert auth.asked == 2


async def test_a_refusal_is_believed_for_a_second(cache: KeyCache, clock: FakeClock) -> None:
    """A loop of wrong keys is blunted; a key works at once after it was made."""
    auth, digest = Auth(), cache.digest(b"k")
    auth.failure = UNKNOWN
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await cache.get(digest, auth.verify)
    assert auth.asked == 1

    clock.advance(1.1)
    auth.failure = None

    assert (await cache.get(digest, auth.verify)).key_id == "key-1"


async def test_auth_down_is_not_a_refusal(cache: KeyCache, clock: FakeClock) -> None:
    """A failure to ask is forgotten as soon as auth is back."""
    auth, digest = Auth(), cache.digest(b"k")
    auth.failure = DOWN
    with pytest.raises(Unavailable):
        await cache.get(digest, auth.verify)

    clock.advance(1.1)
    auth.failure = None

    assert (await cache.get(digest, auth.verify)).key_id == "key-1"


async def test_staleness_ends(cache: KeyCache, clock: FakeClock) -> None:
    """Five minutes without auth, then 503."""
    auth, digest = Auth(), cache.digest(b"k")
    await cache.get(digest, auth.verify)
    auth.failure = DOWN
    clock.advance(299)
    assert (await cache.get(digest, auth.verify)).key_id == "key-1"

    clock.advance(2)

    with pytest.raises(Unavailable):
        await cache.get(digest, auth.verify)


async def test_a_key_expires_even_while_auth_is_down(clock: FakeClock) -> None:
    """Its own date counts, not what the cache remembers."""
    cache = KeyCache(clock, fresh_s=5, stale_s=300)
    auth = Auth(Caller("user-1", "key-1", "laptop", "pro", frozenset(), expires_at=MIDDAY + timedelta(seconds=2)))
    digest = cache.digest(b"k")
    await cache.get(digest, auth.verify)
    auth.failure = DOWN

    clock.advance(3)

    with pytest.raises(Unauthenticated) as caught:
        await cache.get(digest, auth.verify)
    assert caught.value.reason is ErrorReason.INVALID_KEY


async def test_a_verdict_that_was_under_way_when_the_key_ended_does_not_count(cache: KeyCache) -> None:
    """Verified just before the revocation, answered just after it."""
    auth, digest = Auth(), cache.digest(b"k")

    async def overtaken() -> Caller:
        cache.revoke_key("key-1")
        return await auth.verify()

    with pytest.raises(Unauthenticated):
        await cache.get(digest, overtaken)


async def test_a_changed_account_is_asked_about_again(cache: KeyCache) -> None:
    """All keys of the user, at once."""
    auth, digest = Auth(), cache.digest(b"k")
    await cache.get(digest, auth.verify)

    cache.forget(lambda caller: caller.user_id == "user-1")
    await cache.get(digest, auth.verify)

    assert auth.asked == 2


async def test_digests_differ_between_processes(clock: FakeClock) -> None:
    """The name of a key in memory says nothing outside of this process."""
    first, second = (KeyCache(clock, fresh_s=5, stale_s=300) for _ in range(2))

    assert first.digest(b"k") != second.digest(b"k")
