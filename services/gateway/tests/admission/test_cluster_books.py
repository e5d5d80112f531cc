"""Any order of requests, answers that are lost, gateways that are killed: in a cluster the counters are exact, too."""

from __future__ import annotations

import os
import random
from typing import Final

import pytest

from services.gateway.admission.halves.calls import half_payload
from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.scripts import ADMIT
from services.gateway.admission.request import AdmissionRefused
from services.gateway.admission.wire import Mode
from services.gateway.metering.hold import Ticket
from services.gateway.tests.admission.cluster_kit import (
    BOTH,
    NOTHING,
    ORGANIZATION,
    OWN,
    OWN_KEY,
    SHARED,
    SHARED_KEY,
    Room,
    opened,
)
from services.gateway.tests.admission_kit import PATIENT, USER, request
from tools.servers.redis_cluster import RedisCluster

pytestmark = [pytest.mark.xdist_group("redis-cluster"), pytest.mark.timeout(900)]

# `make test-cluster` makes more of them.
STEPS: Final = int(os.environ.get("RAZVILKA_CLUSTER_STEPS", "150"))
# Every so often everything ends, so that budgets are not all that is ever met.
ROUND: Final = 50


class Story:
    """One gateway and what is known of its requests."""

    def __init__(self, room: Room, rng: random.Random) -> None:
        self.room, self.rng = room, rng
        self.running: dict[str, tuple[Ticket, int, bool]] = {}
        self.settled: list[tuple[Ticket, int]] = []
        self.spent = {OWN_KEY: 0, SHARED_KEY: 0}

    async def admit(self, *, is_heard: bool = True) -> None:
        """Ask; the answer of one that is not heard is lost with its gateway."""
        is_shared = self.rng.random() < 0.7
        asked = request(budgets=BOTH if is_shared else (OWN,), hold=self.rng.choice((0, 1, 90, 700)))
        try:
            admitted = await self.room.admission.admit(asked)
        except AdmissionRefused:
            return
        ticket = admitted.ticket if is_heard else Ticket(USER, asked.request_id)
        self.running[asked.request_id] = (ticket, asked.hold_micro_rub, is_shared)

    async def cut(self) -> None:
        """A gateway is killed between two round trips: only the organization holds something."""
        asked = request(budgets=BOTH, hold=self.rng.choice((1, 90)))
        payload = half_payload(asked, ORGANIZATION, mode=Mode.DECIDE, lease_us=int(PATIENT.lease_s * 1e6))
        await self.room.admission._runner.run(ADMIT, details_key(ORGANIZATION), payload)

    async def settle(self) -> None:
        """End one; who was not heard is found in Redis, as by the reaper."""
        if not self.running:
            return
        request_id = self.rng.choice(sorted(self.running))
        ticket, hold, is_shared = self.running.pop(request_id)
        if not ticket.admitted_at_us:
            (ticket,) = [found.ticket async for found in self.room.holds.all() if found.request_id == request_id]
        cost = self.rng.randint(0, hold)
        await self.room.admission.settle(ticket, 1, cost)
        self.settled.append((ticket, cost))
        self.spent[OWN_KEY] += cost
        self.spent[SHARED_KEY] += cost * is_shared

    async def again(self) -> None:
        """Settle one that is settled: a journal is replayed."""
        if self.settled:
            ticket, cost = self.rng.choice(self.settled)
            await self.room.admission.settle(ticket, 1, cost)

    async def come_to_rest(self) -> None:
        """Everything ends; halves that nobody owns are released."""
        while self.running:
            await self.settle()
        forsaken = [ticket async for ticket in self.room.holds.forsaken(older_than_s=-PATIENT.lease_s - 1)]
        for ticket in forsaken:
            await self.room.admission.settle(ticket, 0, 0)

    async def check(self) -> None:
        """No budget is overdrawn, ever; at rest nothing is held and the counters say what was spent."""
        for key, budget in ((OWN_KEY, OWN), (SHARED_KEY, SHARED)):
            if await self.room.client.exists(key):
                used, held = await self.room.counter(key)
                assert used == self.spent[key]
                assert used + held <= budget.limit_micro_rub
                assert held == 0 or self.running or await self.room.held() != NOTHING


async def test_any_order_of_events_leaves_exact_counters(redis_cluster: RedisCluster) -> None:
    """A seed that fails is named by the assertion's own figures."""
    rng = random.Random(54)
    async with opened(redis_cluster) as room:
        story = Story(room, rng)
        for step in range(STEPS):
            if step % ROUND == ROUND - 1:
                await story.come_to_rest()
                assert await room.held() == NOTHING
            event = rng.choices((story.admit, story.settle, story.again, story.cut), (5, 4, 1, 0.5))[0]
            await event()
            if rng.random() < 0.1:
                await story.admit(is_heard=False)
            await story.check()
        await story.come_to_rest()

        assert await room.held() == NOTHING
        assert {key: await room.counter(key) for key in story.spent} == {
            key: (spent, 0) for key, spent in story.spent.items()
        }
