"""Keys of release 1.0, rotated peppers, last use: what happens to a key's row when it is used."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import ErrorReason, Unauthenticated
from servicekit.lifecycle import Background
from servicekit.testing import FakeClock
from services.auth.keys.domain.key_hash import KeyHasher, Pepper
from services.auth.keys.last_use import LastUse
from services.auth.keys.pepper_census import PepperCensus
from services.auth.keys.store.api_keys import KeyStore
from services.auth.keys.verification import KeyVerifier
from services.auth.settings import AuthSettings
from services.auth.shared.domain.tier import Limits, Tier, TierLimits
from services.auth.shared.store.caps import CapStore
from services.auth.shared.store.model_names import ModelNameStore
from services.auth.tests.conftest import EARLIER_PEPPER, PEPPER, settings_for
from services.auth.tests.units import units_over

if TYPE_CHECKING:
    from services.auth.tests.conftest import AuthCaller, StartAuth

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = TierLimits(Limits(1, 2, 3, 4), Limits(), Limits())


class Verifying:
    """The verifier with everything around it, without the wire."""

    def __init__(self, pool: asyncpg.Pool[Any], clock: FakeClock, *peppers: str) -> None:
        current, *previous = (Pepper.of(pepper) for pepper in peppers)
        self.store = KeyStore(pool)
        self.hasher = KeyHasher(current, tuple(previous))
        self.last_use = LastUse(self.store)
        self.background = Background()
        limits, units = dict.fromkeys(Tier, LIMITS), units_over(pool, clock)
        self.verifier = KeyVerifier(
            self.store,
            ModelNameStore(pool),
            CapStore(pool),
            self.hasher,
            units,
            limits,
            self.last_use,
            clock=clock,
            background=self.background,
        )

    async def verify(self, secret: str) -> str:
        """Return the id of the key, after everything its use causes."""
        caller = await self.verifier.verify(secret)
        await self.background.drain(5)
        return caller.key_id


async def store_legacy_key(pool: asyncpg.Pool[Any], secret: str, key_id: str = "k1", **more: Any) -> None:
    """Put a user and a key there as the move from release 1.0 does."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    await pool.execute("INSERT INTO auth.users (id, email) VALUES ('u1', 'old@x.ru') ON CONFLICT DO NOTHING")
    await pool.execute(
        "INSERT INTO auth.api_keys (id, user_id, key_hash, name, created_at, expires_at)"
        " VALUES ($1, 'u1', $2, 'old', $3, $4)",
        *(key_id, digest, NOON, more.get("expires_at")),
    )


async def stored(pool: asyncpg.Pool[Any], key_id: str) -> asyncpg.Record:
    """Return a key's row."""
    row: asyncpg.Record | None = await pool.fetchrow("SELECT * FROM auth.api_keys WHERE id = $1", key_id)
    assert row is not None
    return row


@pytest.mark.parametrize(
    "secret", ["sk-old-key", "a", "ключ первого выпуска", "rz_live_of_another_length", "k" * 512, "x" * 64]
)
async def test_a_key_of_release_1_0_works_and_is_rehashed(
    auth_pool: asyncpg.Pool[Any], clock: FakeClock, secret: str
) -> None:
    """Any string whose SHA-256 is stored is a key; after its first use only the peppered hash is left, and it works."""
    verifying = Verifying(auth_pool, clock, PEPPER)
    await store_legacy_key(auth_pool, secret)

    first = await verifying.verify(secret)

    row = await stored(auth_pool, "k1")
    assert (row["hash_kind"], row["key_hash"]) == ("hmac-sha256", verifying.hasher.hash(secret).digest)
    assert first == await verifying.verify(secret) == "k1"
    actions = await auth_pool.fetch("SELECT action, details FROM auth.audit_log")
    assert [(row["action"], row["details"]) for row in actions] == [("key.rehashed", '{"from": "sha256"}')]


async def test_the_stored_hash_is_not_itself_a_key(auth_pool: asyncpg.Pool[Any], clock: FakeClock) -> None:
    """Whoever reads the table can present what is in it to no effect."""
    verifying = Verifying(auth_pool, clock, PEPPER)
    await store_legacy_key(auth_pool, "sk-old-key")

    with pytest.raises(Unauthenticated):
        await verifying.verify((await stored(auth_pool, "k1"))["key_hash"])


async def test_an_expired_key_of_release_1_0_is_not_valid_and_stays_as_it_is(
    auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """Only keys that work are moved over."""
    verifying = Verifying(auth_pool, clock, PEPPER)
    await store_legacy_key(auth_pool, "sk-old-key", expires_at=NOON)

    with pytest.raises(Unauthenticated) as refused:
        await verifying.verify("sk-old-key")

    assert refused.value.reason is ErrorReason.INVALID_KEY
    assert (await stored(auth_pool, "k1"))["hash_kind"] == "sha256"


async def test_a_rehash_that_fails_does_not_refuse_the_key(auth_pool: asyncpg.Pool[Any], clock: FakeClock) -> None:
    """Another row already has the new hash: the key still works, and nothing is lost."""
    verifying = Verifying(auth_pool, clock, PEPPER)
    await store_legacy_key(auth_pool, "sk-old-key")
    await store_legacy_key(auth_pool, "another", key_id="k2")
    new = verifying.hasher.hash("sk-old-key")
    await auth_pool.execute(
        "UPDATE auth.api_keys SET key_hash = $1, hash_kind = $2, pepper_id = $3, revoked_at = NULL WHERE id = 'k2'",
        *(new.digest, new.kind, new.pepper_id),
    )

    assert await verifying.verify("sk-old-key") in {"k1", "k2"}


async def test_many_first_uses_rehash_once(auth_pool: asyncpg.Pool[Any], clock: FakeClock) -> None:
    """A key used fifty times at once moves over once, on two replicas."""
    desks = [Verifying(auth_pool, clock, PEPPER), Verifying(auth_pool, clock, PEPPER)]
    await store_legacy_key(auth_pool, "sk-old-key")

    used = await asyncio.gather(*(desks[number % 2].verify("sk-old-key") for number in range(50)))

    assert set(used) == {"k1"}
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.audit_log") == 1


async def test_keys_survive_a_rotation_of_the_pepper(
    auth_dsn: str, redis_url: str, start_auth: StartAuth, auth_pool: asyncpg.Pool[Any]
) -> None:
    """With the earlier pepper still given a key works and moves over; then the earlier one may go."""
    async with start_auth(settings_for(auth_dsn, redis_url, key={"pepper": EARLIER_PEPPER})) as auth:
        user = await auth.new_user()
        used, unused = await auth.new_key(user, name="used"), await auth.new_key(user, name="unused")

    rotated = settings_for(auth_dsn, redis_url, key={"pepper": PEPPER, "previous_peppers": f" {EARLIER_PEPPER} ,"})
    async with start_auth(rotated) as auth:
        assert (await auth.verify(used.secret)).key_name == "used"

    async with start_auth(settings_for(auth_dsn, redis_url)) as auth:
        assert (await auth.verify(used.secret)).key_name == "used"
        with pytest.raises(Unauthenticated):
            await auth.verify(unused.secret)
    counts = await PepperCensus(KeyStore(auth_pool), settings_for(auth_dsn, redis_url).key.hasher()).run()
    assert counts == {"current": 1, "previous": 0, "legacy": 0, "lost": 1}


async def test_a_change_of_tier_counts_from_the_next_verification(
    auth: AuthCaller, auth_pool: asyncpg.Pool[Any]
) -> None:
    """Limits belong to the account's tier as it is now."""
    user = await auth.new_user()
    issued = await auth.new_key(user)
    assert (await auth.verify(issued.secret)).user_limits.requests_per_minute == 20

    await auth_pool.execute("UPDATE auth.users SET tier = 'enterprise' WHERE id = $1", user)

    caller = await auth.verify(issued.secret)
    assert caller.tier == pb.TIER_ENTERPRISE
    assert caller.user_limits.requests_per_minute == 600_000
    assert caller.user_limits.requests_per_day == 0


async def test_last_use_is_written_in_one_go_and_never_goes_back(
    auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """Verifications write nothing; a flush writes the newest use of each key; an older one changes nothing."""
    verifying = Verifying(auth_pool, clock, PEPPER)
    for key_id in ("k1", "k2", "k3"):
        await store_legacy_key(auth_pool, f"sk-{key_id}", key_id=key_id)
    for secret in ("sk-k1", "sk-k2", "sk-k1"):
        await verifying.verify(secret)
        clock.advance(1)
    assert (await stored(auth_pool, "k1"))["last_used_at"] is None

    await verifying.last_use.flush()
    verifying.last_use.mark("k1", NOON)
    await verifying.last_use.flush()

    assert (await stored(auth_pool, "k1"))["last_used_at"] == NOON + timedelta(seconds=2)
    assert (await stored(auth_pool, "k2"))["last_used_at"] == NOON + timedelta(seconds=1)
    assert (await stored(auth_pool, "k3"))["last_used_at"] is None


async def test_a_row_that_somebody_holds_does_not_stop_the_others(
    auth_pool: asyncpg.Pool[Any], clock: FakeClock
) -> None:
    """Two replicas that write the same keys never wait for each other."""
    verifying = Verifying(auth_pool, clock, PEPPER)
    for key_id in ("k1", "k2"):
        await store_legacy_key(auth_pool, f"sk-{key_id}", key_id=key_id)
        verifying.last_use.mark(key_id, NOON)

    async with auth_pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM auth.api_keys WHERE id = 'k1' FOR UPDATE")
        await asyncio.wait_for(verifying.last_use.flush(), timeout=60)

    assert (await stored(auth_pool, "k1"))["last_used_at"] is None
    assert (await stored(auth_pool, "k2"))["last_used_at"] == NOON


async def test_last_use_is_written_when_the_service_stops(
    start_auth: StartAuth, auth_settings: AuthSettings, auth_pool: asyncpg.Pool[Any]
) -> None:
    """A restart loses no use."""
    async with start_auth(auth_settings) as auth:
        issued = await auth.new_key(await auth.new_user())
        await auth.verify(issued.secret)

    assert (await stored(auth_pool, issued.key.id))["last_used_at"] == NOON


async def test_the_holder_of_a_key_is_known_by_its_id(auth_pool: asyncpg.Pool[Any]) -> None:
    """Work that goes on without its caller is still the key's, until the key ends; another user's is nobody's."""
    clock = FakeClock(NOON)
    verifying = Verifying(auth_pool, clock, PEPPER)
    await store_legacy_key(auth_pool, "old-key", expires_at=NOON + timedelta(hours=1))

    holder = await verifying.verifier.holder("u1", "k1")

    assert (holder.user_id, holder.key_id) == ("u1", "k1")
    with pytest.raises(Unauthenticated):
        await verifying.verifier.holder("u2", "k1")
    clock.advance(3601)
    with pytest.raises(Unauthenticated):
        await verifying.verifier.holder("u1", "k1")
