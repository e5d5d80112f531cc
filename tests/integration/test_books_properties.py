"""Whatever happens in whatever order, at rest the books agree: rows, rollups, budget counters and holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.integration.books_model import BooksModel, Gateway
from tools.testing.throwaway import throwaway_redis

# `make books` takes 20,000 steps.
STEPS: Final = int(os.environ.get("RAZVILKA_BOOK_STEPS", "1500"))
STEPS_A_RUN: Final = 50
GATEWAYS: Final = 2
JUMPS: Final = [timedelta(), timedelta(hours=1), timedelta(hours=-1), timedelta(days=-35), timedelta(days=-730)]

gateway = st.integers(0, GATEWAYS - 1)
amount = st.integers(0, 400)
flag = st.booleans()


class BooksMachine(RuleBasedStateMachine):
    """Gateways that admit, settle, die and come back, on a Redis that forgets, with clocks that jump."""

    client: redis.Redis
    steps = 0

    @initialize()
    def begin(self) -> None:
        """Nothing has happened yet."""
        self.books = BooksModel(self.client, GATEWAYS)

    @rule(number=gateway, hold=amount, answered=flag)
    def admit(self, number: int, hold: int, answered: bool) -> None:
        """A request is admitted, refused, or admitted without anybody hearing of it."""
        self.count()
        self.books.admit(self.gateway(number), hold, answered=answered)

    @rule(number=gateway, hold=amount)
    def admit_alone(self, number: int, hold: int) -> None:
        """Redis was not asked."""
        self.count()
        self.books.admit_alone(self.gateway(number), hold)

    @rule(number=gateway, which=st.integers(0, 9), cost=st.integers(0, 500), heard=flag)
    def settle(self, number: int, which: int, cost: int, heard: bool) -> None:
        """A request ends, at times for more than it held."""
        self.count()
        running = list(self.gateway(number).running)
        if running:
            self.books.settle(self.gateway(number), running[which % len(running)], cost, heard=heard)

    @rule(number=gateway, which=st.integers(0, 9), heard=flag)
    def void(self, number: int, which: int, heard: bool) -> None:
        """A request ends before a provider was asked."""
        self.count()
        running = list(self.gateway(number).running)
        if running:
            self.books.void(self.gateway(number), running[which % len(running)], heard=heard)

    @rule(number=gateway, acknowledged=flag)
    def ship(self, number: int, acknowledged: bool) -> None:
        """Rows are stored, at times without the gateway hearing of it."""
        self.count()
        self.books.ship(self.gateway(number), acknowledged=acknowledged)

    @rule(number=gateway, keep=flag)
    def deliver_late(self, number: int, keep: bool) -> None:
        """Redis is back and hears what it missed, at times twice."""
        self.count()
        self.books.deliver_late(self.gateway(number), keep=keep)

    @rule(number=gateway)
    def crash(self, number: int) -> None:
        """A gateway is killed and started again; its journal is replayed."""
        self.count()
        self.books.crash(self.gateway(number))

    @rule(number=gateway)
    def lose_disk(self, number: int) -> None:
        """A gateway is gone with its disk."""
        self.count()
        self.books.lose_disk(self.gateway(number))

    @rule()
    def reap(self) -> None:
        """Holds without an owner are billed."""
        self.count()
        self.books.reap()

    @rule(number=gateway)
    def renew(self, number: int) -> None:
        """A gateway prolongs, or restores, what it runs."""
        self.count()
        self.books.renew(self.gateway(number))

    @rule()
    def flush(self) -> None:
        """Redis forgets everything."""
        self.count()
        self.books.flush()

    @precondition(lambda self: self.books.seeds)
    @rule()
    def seed(self) -> None:
        """Counters are rebuilt from an answer that may have aged."""
        self.count()
        self.books.seed()

    @rule()
    def ask_tally(self) -> None:
        """Somebody asks what the key has spent in all."""
        self.count()
        self.books.ask_tally()

    @rule()
    def ask_recount(self) -> None:
        """Usage is asked for rebuilt counters again."""
        self.count()
        self.books.ask_recount()

    @rule()
    def recount(self) -> None:
        """The answers arrive, perhaps late."""
        self.count()
        self.books.recount()

    @rule(jump=st.sampled_from(JUMPS))
    def set_clock(self, jump: timedelta) -> None:
        """The clocks of the gateways are set."""
        self.count()
        self.books.set_clock(jump)

    @rule()
    def rest(self) -> None:
        """Everything ends and arrives: the books agree, and life goes on."""
        self.count()
        self.books.come_to_rest()
        self.books.check()

    def teardown(self) -> None:
        """Come to rest and compare."""
        if hasattr(self, "books"):
            self.books.come_to_rest()
            self.books.check()

    def gateway(self, number: int) -> Gateway:
        """Return a gateway."""
        return self.books.gateways[number]

    @classmethod
    def count(cls) -> None:
        """Count a step."""
        BooksMachine.steps += 1


@pytest.fixture
def client(tmp_path) -> Iterator[redis.Redis]:
    """A Redis of this test's own: it is flushed again and again."""
    with throwaway_redis(tmp_path) as url, redis.Redis.from_url(url) as connected:
        yield connected


@pytest.mark.timeout(900)
def test_rows_rollups_counters_and_holds_agree_whatever_happens(client: redis.Redis) -> None:
    """Each step: rows = rollups = counters + holds at rest; appended = stored; posted is held or flagged."""
    BooksMachine.client = client
    BooksMachine.steps = 0
    run = settings(
        max_examples=max(1, STEPS // STEPS_A_RUN),
        stateful_step_count=STEPS_A_RUN,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    while BooksMachine.steps < STEPS:
        run_state_machine_as_test(BooksMachine, settings=run)


def test_a_settlement_that_is_repeated_after_a_count_counts_once(client: redis.Redis) -> None:
    """A count of rows once looked like a rebuild, in which holds are lost: a journal's replay was then added again."""
    books = BooksModel(client, GATEWAYS)
    here, there = books.gateways
    books.admit(here, 0)
    books.seed()
    assert books.admit(there, 200)
    books.admit_alone(here, 100)
    books.settle(here, next(iter(here.running)), 100, heard=False)
    books.ship(here)
    books.ask_recount()
    books.recount()

    books.crash(there)
    books.crash(there)

    books.come_to_rest()
    assert not books.needs_reconciling
    books.check()
