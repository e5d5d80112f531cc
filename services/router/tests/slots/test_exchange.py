"""The line in Redis, one statement at a time: whatever is lost, late or said twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.router.slots.exchange import Exchange, RedisExchange
from services.router.slots.fair_queue import FairQueue, Ticket
from services.router.slots.settings import SlotSettings
from services.router.slots.statements import Statements
from services.router.slots.wire import FULL, Heard

LINE = "yandex"
TEN = {"folder": 10}
ONE = {"folder": 1}
REPLICAS = f"router:slots:{{{LINE}}}:replicas"


class Replica:
    """A replica that says what the test has it say."""

    def __init__(self, name: str, exchange: Exchange, limits: Mapping[str, int], *, places: int = 1000) -> None:
        self.held: dict[str, int] = {}
        self.limits = limits
        self.said = Statements(name, SlotSettings(places=places))
        self._name = name
        self._exchange = exchange
        self._numbers = count(1)

    def ticket(self, user: str, share: float = 1.0) -> str:
        ticket = Ticket(f"{self._name}.{next(self._numbers)}", user, share)
        self.said.join(ticket)
        return ticket.id

    async def tell(self, wants: int = 0) -> Heard:
        told = self.said.next(self.held, wants, self.limits)
        heard = await self._exchange.tell(LINE, told)
        self.said.heard(told)
        for ticket_id, credential in heard.given:
            self.said.took(ticket_id)
            if credential != FULL:
                self.held[credential] = self.held.get(credential, 0) + 1
        return heard

    async def ask(self, *users: str) -> Sequence[str]:
        """Return the tickets that got a slot."""
        for user in users:
            self.ticket(user)
        return given_to(await self.tell())


def given_to(heard: Heard) -> list[str]:
    return [ticket_id for ticket_id, credential in heard.given if credential != FULL]


@pytest.fixture
def exchange(redis_client: Redis) -> RedisExchange:
    """Give the lines of an empty Redis."""
    return RedisExchange(redis_client)


async def test_never_gives_more_than_the_quota_however_many_replicas_ask(exchange: RedisExchange) -> None:
    """Three replicas, thirty calls, ten slots; the eleventh begins when one has ended."""
    replicas = [Replica(name, exchange, TEN) for name in "abc"]
    given = [ticket for replica in replicas for ticket in await replica.ask(*"uvwxyzstqr")]
    assert len(given) == 10

    replicas[0].held["folder"] -= 1
    assert (await replicas[0].tell()).waiting == 19
    assert len(given_to(await replicas[1].tell())) == 1


async def test_a_slot_goes_to_the_freest_credential(exchange: RedisExchange) -> None:
    """Two folders of ten: calls alternate."""
    replica = Replica("a", exchange, {"one": 10, "two": 10})
    await replica.ask(*"uvwxyz")
    assert replica.held == {"one": 3, "two": 3}


async def test_a_statement_that_was_lost_on_its_way_back_counts_once(exchange: RedisExchange) -> None:
    """Told twice, a ticket waits once; what it was given lies there until its replica has it."""
    replica = Replica("a", exchange, ONE)
    ticket = replica.ticket("u")
    lost = replica.said.next({}, 0, ONE)
    assert given_to(await exchange.tell(LINE, lost)) == [ticket]

    assert given_to(await replica.tell()) == [ticket]
    assert given_to(await replica.tell()) == []
    assert await replica.ask("v") == []


async def test_a_statement_that_arrives_after_a_later_one_says_nothing(exchange: RedisExchange) -> None:
    """An old count of slots would give away what is in use."""
    replica = Replica("a", exchange, ONE)
    early = replica.said.next({}, 0, ONE)
    await replica.ask("u")
    await replica.tell()

    assert (await exchange.tell(LINE, early)).stale
    assert await Replica("b", exchange, ONE).ask("v") == []


async def test_what_a_dead_replica_held_and_who_waited_there_ends_with_its_lease(
    exchange: RedisExchange, redis_client: Redis
) -> None:
    """Its slot goes to the living; its tickets are passed over."""
    dead, living = Replica("dead", exchange, ONE), Replica("living", exchange, ONE)
    await dead.ask("u", "v")
    assert await living.ask("w") == []

    await expire(redis_client, "dead")

    assert given_to(await living.tell()) == ["living.1"]
    assert (await living.tell()).waiting == 0


async def expire(client: Redis, replica: str) -> None:
    """Let a replica's lease have ended: what the clock of Redis would do after `lease_s`."""
    await client.hset(REPLICAS, replica, await said_by(client, replica, until_ms=1))


async def test_a_lease_of_a_clock_that_was_ahead_ends_as_others_do(
    exchange: RedisExchange, redis_client: Redis
) -> None:
    """What a dead replica held was nobody's for as long as the clock of Redis had been ahead."""
    dead, living = Replica("dead", exchange, ONE), Replica("living", exchange, ONE)
    await dead.ask("u")
    assert await living.ask("w") == []
    right = await until_of(redis_client, "dead")
    await redis_client.hset(REPLICAS, "dead", await said_by(redis_client, "dead", until_ms=right + 86_400_000))

    await living.tell()

    assert right <= await until_of(redis_client, "dead") < right + 600_000


async def until_of(client: Redis, replica: str) -> int:
    """Return when a replica's lease ends."""
    found: Any = await client.hget(REPLICAS, replica)
    return int(json.loads(found)["until_ms"])


async def said_by(client: Redis, replica: str, **changed: Any) -> str:
    """Return what a replica has said, with something else in it."""
    found: Any = await client.hget(REPLICAS, replica)
    return json.dumps(json.loads(found) | changed)


async def test_a_grant_that_its_caller_no_longer_wants_goes_to_the_next(exchange: RedisExchange) -> None:
    """Leaving takes back what lies in the mail."""
    first, second = Replica("a", exchange, ONE), Replica("b", exchange, ONE)
    ticket = first.ticket("u")
    await exchange.tell(LINE, first.said.next({}, 0, ONE))
    assert await second.ask("v") == []

    first.said.leave(ticket)
    assert given_to(await first.tell()) == []

    assert given_to(await second.tell()) == ["b.1"]


async def test_nothing_is_given_while_a_redis_that_lost_its_data_is_told_what_is_held(
    exchange: RedisExchange, redis_client: Redis
) -> None:
    """The first to come does not find everything free."""
    first, second = Replica("a", exchange, ONE), Replica("b", exchange, ONE)
    await first.ask("u")
    await second.tell()
    await redis_client.flushdb()

    second.ticket("v")
    heard = await second.tell()

    assert heard.forgotten
    assert given_to(heard) == []


async def test_half_of_the_slots_stay_where_every_replica_finds_them(exchange: RedisExchange) -> None:
    """One replica may keep what it wishes up to that; another gets its slot at once."""
    first, second = Replica("a", exchange, TEN), Replica("b", exchange, TEN)
    spare = (await first.tell(wants=10)).spare
    assert spare == {"folder": 5}
    first.held = dict(spare)

    assert len(await second.ask(*"uvwxy")) == 5


async def test_nobody_keeps_what_others_wait_for(exchange: RedisExchange) -> None:
    """With a line there is nothing to spare."""
    first, second = Replica("a", exchange, ONE), Replica("b", exchange, ONE)
    await first.ask("u")
    await second.ask("v")
    first.held = {}

    assert (await first.tell(wants=1)).spare == {}
    assert (await second.tell(wants=1)).spare == {}


async def test_a_full_line_tells_the_one_who_has_most_waiting(exchange: RedisExchange) -> None:
    """The place of the greedy user's last call goes to somebody else's first."""
    greedy = Replica("a", exchange, ONE, places=3)
    await greedy.ask("u", "u", "u", "u")
    assert (await greedy.tell()).waiting == 3

    modest = Replica("b", exchange, ONE, places=3)
    assert await modest.ask("v") == []

    assert list((await greedy.tell()).given) == [("a.4", FULL)]
    assert (await modest.tell()).waiting == 3


async def test_a_replica_that_says_goodbye_holds_nothing(exchange: RedisExchange) -> None:
    """What it had is free without waiting for its lease."""
    leaving, staying = Replica("a", exchange, ONE), Replica("b", exchange, ONE)
    await leaving.ask("u")
    await staying.ask("v")

    await exchange.tell(LINE, leaving.said.goodbye(ONE))

    assert given_to(await staying.tell()) == ["b.1"]


SHARES = {"a": 1.0, "b": 3.0, "c": 10.0}
steps = st.lists(st.one_of(st.sampled_from(sorted(SHARES)), st.none(), st.integers(0, 20)), max_size=30)


@given(steps)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_line_in_redis_has_the_order_of_the_rule(
    exchange: RedisExchange, redis_client: Redis, taken: list[str | int | None]
) -> None:
    """Whoever comes, leaves or is served: the same ticket is next as by `FairQueue`."""
    await redis_client.flushdb()
    rule, replica, waiting = FairQueue(8), Replica("r", exchange, ONE, places=8), list[str]()
    replica.held = {"folder": 1}
    await replica.tell()
    for step in [*taken, *[None] * 9]:
        if isinstance(step, str):
            ticket = replica.ticket(step, SHARES[step])
            loser = rule.join(Ticket(ticket, step, SHARES[step]))
            waiting.append(ticket)
            heard = await replica.tell()
            assert list(heard.given) == ([] if loser is None else [(loser.id, FULL)])
            waiting = [each for each in waiting if loser is None or each != loser.id]
        elif step is not None and waiting:
            ticket = waiting.pop(step % len(waiting))
            rule.leave(ticket)
            replica.said.leave(ticket)
            await replica.tell()
        elif step is None:
            replica.held = {}
            next_one = rule.take()
            assert given_to(await replica.tell()) == ([] if next_one is None else [next_one.id])
            replica.held = {"folder": 1}
            waiting = [each for each in waiting if next_one is None or each != next_one.id]


async def test_those_who_avoid_what_is_free_are_asked_once_however_many_more_come(
    exchange: RedisExchange, redis_client: Redis
) -> None:
    """Of a broken credential everything is free: for each who came to a full line all in it were asked again."""
    places, limits = 100, {"works": 1, "broken": 50}
    one = Replica("a", exchange, limits, places=places)
    await one.ask("first")
    one.held = {"works": 1}
    for number in range(3 * places):
        one.said.join(Ticket(f"a.avoiding-{number}", f"user-{number}", 1.0, ("broken",)))
    await redis_client.config_resetstat()

    heard = await one.tell()

    looked_at = (await redis_client.info("commandstats"))["cmdstat_zrange"]["calls"]
    assert (given_to(heard), heard.waiting) == ([], places)
    assert looked_at <= 4 * places
