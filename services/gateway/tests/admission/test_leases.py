"""What this gateway's running requests hold is prolonged and restored; settles that Redis missed come later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio
from msgspec import structs
from prometheus_client import REGISTRY
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.lifecycle import Background, background
from servicekit.testing import FakeClock
from servicekit.testing.looked_at import LookedAt
from services.gateway.admission.codec import settle_payload
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.keys import details_key
from services.gateway.admission.leases import CHUNK, Leases
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.redis.running import RedisLost
from services.gateway.admission.redis.script_runner import ScriptRunner
from services.gateway.admission.request import AdmissionRequest
from services.gateway.admission.settlements import Settlements
from services.gateway.admission.settling import Settling
from services.gateway.metering.hold import Ticket
from services.gateway.tests.admission_kit import USER, request

LEASE_US = 30_000_000
SETTLE = details_key(USER), settle_payload(Ticket(USER, "unknown", 1, ()), 0, 0, 1)


class Room:
    """Leases and late settles over one runner."""

    def __init__(self, client: redis.asyncio.Redis, owner: Background) -> None:
        self.clock = FakeClock()
        self.time = RedisTime(self.clock)
        self.owner = owner
        self.runner = ScriptRunner(
            client.connection_pool.make_connection, Breaker(FakeClock()), self.time, timeout_s=10.0
        )
        self.leases = Leases(self.runner, self.clock, AdmissionOptions())
        owner.start(self.runner.serve(), name="runner")

    def add(self, **changes: Any) -> AdmissionRequest:
        """Let a request run here."""
        asked = structs.replace(request(), **changes)
        self.leases.add(asked, Ticket(asked.user_id, asked.request_id))
        return asked


@asynccontextmanager
async def room_on(url: str) -> AsyncIterator[Room]:
    """Yield them with a connection of their own."""
    async with redis.asyncio.from_url(url, retry=Retry(NoBackoff(), 0)) as client, background() as owner:
        yield Room(client, owner)


@pytest.fixture
async def room(redis_url: str) -> AsyncIterator[Room]:
    """Return them over Redis."""
    async with room_on(redis_url) as made:
        yield made


@pytest.fixture
async def lost(free_port: int) -> AsyncIterator[Room]:
    """Return them over no Redis."""
    async with room_on(f"redis://127.0.0.1:{free_port}/0") as made:
        yield made


async def held(client: Any, user_id: str = USER) -> set[str]:
    """Return which requests of a user Redis holds."""
    return {name.decode() for name in await client.hkeys(details_key(user_id))}


async def until(fact: Callable[[], object]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.005)


def settling_on(runner: ScriptRunner, clock: FakeClock, *, limit: int) -> Settling:
    """Return what settles on a runner; every run of it waits the same."""
    return Settling(runner, Settlements(random.Random(1)), clock, random.Random(1), limit=limit)


def metric(name: str) -> float:
    """Return a metric of admission."""
    return REGISTRY.get_sample_value(f"razvilka_gateway_{name}") or 0.0


async def test_what_has_run_for_half_an_interval_is_prolonged(room: Room, redis_client: Any) -> None:
    """Five of ten seconds; what began later was leased lately."""
    old = room.add()
    room.clock.advance(0.001)
    room.add()
    room.clock.advance(4.999)
    before = metric("holds_restored_total")

    await room.leases.renew()

    assert await held(redis_client) == {old.request_id}
    assert metric("holds_restored_total") == before + 1


async def test_a_lease_lasts_half_a_minute_from_each_renewal_on(room: Room, redis_client: Any) -> None:
    """By the clock of Redis, when it is restored and when it is prolonged."""
    asked, ends = room.add(), []
    for _ in range(2):
        seconds, micro = await redis_client.time()
        await room.leases.restore(USER)
        later_s, later_micro = await redis_client.time()
        ends.append(await redis_client.zscore(f"gw:{{{USER}}}:h", asked.request_id) - LEASE_US)
        assert seconds * 1e6 + micro <= ends[-1] <= later_s * 1e6 + later_micro

    assert ends[0] < ends[1]


async def test_a_request_that_ended_is_cared_for_no_more(room: Room, redis_client: Any) -> None:
    """It is ended once."""
    asked = room.add()
    assert len(room.leases) == 1

    assert [room.leases.remove(asked.request_id) for _ in range(2)] == [True, False]

    await room.leases.restore(USER)
    assert (len(room.leases), await held(redis_client)) == (0, set())


async def test_a_restoration_that_comes_too_late_holds_nothing(room: Room, redis_client: Any) -> None:
    """Redis was hung; the request may have been settled long since."""
    room.add()
    seconds, _ = await redis_client.time()
    room.time.learn((seconds - 60) * 1_000_000, room.clock.monotonic())

    await room.leases.restore(USER)

    assert await held(redis_client) == set()


async def test_all_requests_of_a_user_are_restored_however_many(room: Room, redis_client: Any) -> None:
    """And no other user's."""
    ids = {room.add().request_id for _ in range(2 * CHUNK + 1)}
    other = room.add(user_id="another")

    await room.leases.restore(USER)
    assert (await held(redis_client), await held(redis_client, "another")) == (ids, set())

    await redis_client.flushdb()
    room.clock.advance(5)
    await room.leases.renew()
    assert (await held(redis_client), await held(redis_client, "another")) == (ids, {other.request_id})


async def test_whoever_is_in_doubt_is_restored_at_once(room: Room, redis_client: Any) -> None:
    """One user, or all of them, as often as there is doubt."""
    one, other = room.add(), room.add(user_id="another")
    room.owner.start(room.leases.restore_doubted(), name="restore")
    for doubt, expected in (
        (lambda: room.leases.doubt(USER), ({one.request_id}, set())),
        (room.leases.doubt_all, ({one.request_id}, {other.request_id})),
    ):
        await redis_client.flushdb()
        doubt()
        async with asyncio.timeout(20):
            while (await held(redis_client), await held(redis_client, "another")) != expected:
                await asyncio.sleep(0.005)


async def test_when_redis_was_emptied_all_that_runs_is_looked_through_once(room: Room, redis_client: Any) -> None:
    """It was once for each user: of 5,000 that was 25 million comparisons while everybody waited."""
    users = [LookedAt(f"user-{number}") for number in range(200)]
    last = [room.add(user_id=user) for user in users][-1]
    room.owner.start(room.leases.restore_doubted(), name="restore")
    LookedAt.times = 0

    room.leases.doubt_all()

    async with asyncio.timeout(20):
        while await held(redis_client, str(last.user_id)) != {last.request_id}:
            await asyncio.sleep(0.005)
    assert LookedAt.times <= 20 * len(users)


async def test_leases_are_renewed_every_ten_seconds(room: Room, redis_client: Any) -> None:
    """Whatever began in the meantime."""
    room.owner.start(room.leases.serve(), name="leases")
    for count in (1, 2):
        room.add()
        await until(lambda: room.clock.sleepers)
        room.clock.advance(10)
        async with asyncio.timeout(20):
            while len(await held(redis_client)) != count:
                await asyncio.sleep(0.005)

    assert set(room.clock.slept_s) == {10.0}


async def test_a_renewal_that_redis_misses_is_told_and_the_next_one_comes(lost: Room) -> None:
    """With how many requests it concerns."""
    lost.add()
    with pytest.raises(RedisLost):
        await lost.leases.restore(USER)
    lost.owner.start(lost.leases.serve(), name="leases")
    with capture_logs() as logs:
        for _ in range(2):
            await until(lambda: lost.clock.sleepers)
            lost.clock.advance(10)
        await until(lambda: lost.clock.sleepers)

    told = {"event": "admission.renewal_missed", "log_level": "warning", "running": 1, "error": "ConnectionError"}
    assert logs == [told] * 2


async def test_a_restoration_that_redis_misses_is_told(lost: Room) -> None:
    """The next renewal does it."""
    lost.add()
    lost.owner.start(lost.leases.restore_doubted(), name="restore")
    with capture_logs() as logs:
        for count in (1, 2):
            lost.leases.doubt(USER)
            await until(lambda count=count: len(logs) == count)  # type: ignore[misc]

    assert logs == [{"event": "admission.restoring_missed", "log_level": "warning", "error": "ConnectionError"}] * 2


async def test_late_settles_are_tried_ever_more_rarely_while_redis_is_lost(lost: Room) -> None:
    """Twice as long each time up to five seconds, spread by up to a half."""
    clock = FakeClock(auto_advance=True)
    late = settling_on(lost.runner, clock, limit=5)
    task = lost.owner.start(late.serve(), name="late")
    await asyncio.sleep(0)
    assert clock.slept_s == []

    late.add([SETTLE])
    await until(lambda: len(clock.slept_s) >= 7)
    task.cancel()

    spread = random.Random(1)
    waits = [wait_s * spread.uniform(0.5, 1.0) for wait_s in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0)]
    assert clock.slept_s[:7] == pytest.approx(waits)
    assert len(late) == 1


async def test_late_settles_end_when_redis_answers(room: Room) -> None:
    """Each of them, and those that come after everything was settled."""
    late = settling_on(room.runner, room.clock, limit=5)
    await late.drained()
    for _ in range(2):
        late.add([SETTLE])
        late.add([SETTLE])
        drained = asyncio.create_task(late.drained())
        await asyncio.sleep(0)
        assert not drained.done()
        assert metric("admission_late_settles") == 2

        serving = room.owner.start(late.serve(), name="late")
        async with asyncio.timeout(20):
            await drained
        serving.cancel()

        assert (len(late), metric("admission_late_settles")) == (0, 0)
    assert room.clock.slept_s == []


async def test_late_settles_that_find_no_place_are_counted(room: Room) -> None:
    """The reaper repairs them."""
    late = settling_on(room.runner, room.clock, limit=2)
    before = metric("admission_lost_settles_total")

    for _ in range(5):
        late.add([SETTLE])

    assert (len(late), metric("admission_lost_settles_total")) == (2, before + 3)
