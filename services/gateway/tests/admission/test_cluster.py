"""Admission on a real Redis Cluster: members of an organization touch two servers, and nothing is looser for it."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.errors import ErrorReason
from services.gateway.admission.caps import Budget, CapMode
from services.gateway.admission.dimensions import Dimension, Limits
from services.gateway.admission.keys import details_key
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.request import AdmissionRefused
from services.gateway.tests.admission.cluster_kit import (
    BOTH,
    NOTHING,
    ORGANIZATION,
    OWN,
    OWN_KEY,
    SHARED_KEY,
    Room,
)
from services.gateway.tests.admission_kit import PATIENT, USER, request
from tools.servers.redis_cluster import RedisCluster

pytestmark = pytest.mark.xdist_group("redis-cluster")


async def test_a_member_is_held_and_billed_on_both_servers(redis_cluster: RedisCluster, room: Room) -> None:
    """The user's key and the organization's have no server in common."""
    assert redis_cluster.owner_of_key(OWN_KEY) is not redis_cluster.owner_of_key(SHARED_KEY)
    asked = request(budgets=BOTH, hold=3_000)

    admitted = await room.admission.admit(asked)

    assert not admitted.degraded
    assert admitted.budget_left == (7_000, 2_000)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(0, 3_000), (0, 3_000)]
    await room.admission.settle(admitted.ticket, 10, 1_200)
    await room.admission.settle(admitted.ticket, 10, 1_200)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(1_200, 0), (1_200, 0)]
    assert await room.held() == NOTHING


@pytest.mark.parametrize("order", [BOTH, BOTH[::-1]], ids=["own first", "shared first"])
async def test_what_the_organization_refuses_takes_nothing_of_its_member(room: Room, order: tuple[Budget, ...]) -> None:
    """And the member is told how all its limits stand, as by one server."""
    with pytest.raises(AdmissionRefused) as refused:
        await room.admission.admit(request(budgets=order, hold=6_000, user=Limits(requests_per_minute=7)))

    assert refused.value.reason is ErrorReason.BUDGET_EXCEEDED
    assert refused.value.report.reached[0].owner == "organization"
    assert refused.value.budget_left_micro_rub == 5_000
    (figure,) = refused.value.report.figures
    assert (figure.dimension, figure.limit, figure.remaining) == (Dimension.REQUESTS_PER_MINUTE, 7, 7)
    assert await room.held() == NOTHING
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(0, 0), (0, 0)]


async def test_what_the_members_own_limit_refuses_is_given_back_to_the_organization(room: Room) -> None:
    """Also when the same request is asked again until it fits."""
    first = await room.admission.admit(request(budgets=BOTH, user=Limits(concurrent_requests=1)))
    again = request(budgets=BOTH, user=Limits(concurrent_requests=1), hold=2_000)
    for _ in range(2):
        with pytest.raises(AdmissionRefused, match="at once"):
            await room.admission.admit(again)
        assert await room.counter(SHARED_KEY) == (0, 1_000)

    await room.admission.settle(first.ticket, 1, 0)
    second = await room.admission.admit(again)

    assert await room.counter(SHARED_KEY) == (0, 2_000)
    await room.admission.settle(second.ticket, 1, 2_000)
    assert await room.counter(SHARED_KEY) == (2_000, 0)


async def test_all_members_of_many_at_once_share_the_budget_exactly(room: Room) -> None:
    """Five of twenty fit, whatever else refuses the others."""
    asked = [request(budgets=BOTH, hold=1_000) for _ in range(20)]

    found = await asyncio.gather(*(room.admission.admit(each) for each in asked), return_exceptions=True)

    admitted = [each for each in found if not isinstance(each, BaseException)]
    assert len(admitted) == 5
    assert await room.counter(SHARED_KEY) == (0, 5_000)
    await asyncio.gather(*(room.admission.settle(each.ticket, 1, 700) for each in admitted))
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(3_500, 0), (3_500, 0)]


async def test_who_joins_with_requests_under_way_keeps_every_count(room: Room) -> None:
    """A user's keys stay where they are, and the hold itself says what it holds in: none moves, none begins anew."""
    limits = Limits(requests_per_minute=3, requests_per_day=3)
    before = await room.admission.admit(request(budgets=(OWN,), user=limits))
    joined = await room.admission.admit(request(budgets=BOTH, user=limits))
    left = await room.admission.admit(request(budgets=(OWN,), user=limits))

    with pytest.raises(AdmissionRefused):
        await room.admission.admit(request(budgets=BOTH, user=limits))

    for each in (left, before, joined):
        await room.admission.settle(each.ticket, 1, 100)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(300, 0), (100, 0)]
    assert await room.held() == NOTHING


async def test_a_watching_budget_of_the_organization_counts_there(room: Room) -> None:
    """What it would have refused is counted where all members see it."""
    watching = Budget(ORGANIZATION, BudgetPeriod.TOTAL, 10, CapMode.SHADOW, "watching")

    admitted = await room.admission.admit(request(budgets=(*BOTH, watching)))

    assert await room.client.hget(f"gw:{{{ORGANIZATION}}}:w", "watching") == b"1"
    assert [each.id for each in admitted.report.reached] == ["watching"]
    await room.admission.cancel(admitted.ticket)


async def test_holds_that_one_server_lost_are_written_again_there(redis_cluster: RedisCluster, room: Room) -> None:
    """The other server still has its half."""
    admitted = await room.admission.admit(request(budgets=BOTH))
    redis_cluster.owner_of_key(SHARED_KEY).client.flushall()

    await room.admission.admit(request(budgets=BOTH))

    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(0, 2_000), (0, 2_000)]
    await room.admission.settle(admitted.ticket, 1, 300)
    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(300, 1_000), (300, 1_000)]


async def test_a_hold_that_is_found_settles_both_halves(room: Room) -> None:
    """The reaper and the recovery know nothing but the user's half, which names the others' counters."""
    await room.admission.admit(request(budgets=BOTH))

    (hold,) = [hold async for hold in room.holds.all()]
    await room.admission.settle(hold.ticket, 1, 400)

    assert [await room.counter(key) for key in (OWN_KEY, SHARED_KEY)] == [(400, 0), (400, 0)]
    assert await room.held() == NOTHING


async def test_a_half_without_the_other_is_found_once_its_owner_is_gone(room: Room) -> None:
    """A gateway was killed between two round trips; while the other half is there, it is not forsaken."""
    whole = await room.admission.admit(request(budgets=BOTH))
    cut = await room.admission.admit(request(budgets=BOTH))
    await room.client.hdel(details_key(USER), cut.ticket.request_id)
    later_s = -PATIENT.lease_s - 1

    assert [ticket async for ticket in room.holds.forsaken(older_than_s=0)] == []
    (ticket,) = [ticket async for ticket in room.holds.forsaken(older_than_s=later_s)]
    await room.admission.settle(ticket, 0, 0)

    assert ticket.request_id == cut.ticket.request_id
    assert await room.counter(SHARED_KEY) == (0, 1_000)
    await room.admission.settle(whole.ticket, 1, 0)


async def test_leases_are_prolonged_on_both_servers(room: Room) -> None:
    """Else the half of a long stream would be taken for forsaken."""
    admitted = await room.admission.admit(request(budgets=BOTH))
    await room.client.zadd(f"gw:{{{ORGANIZATION}}}:h", {admitted.ticket.request_id: 1})

    await room.admission._leases.restore(USER)

    ends_at_us = await room.client.zscore(f"gw:{{{ORGANIZATION}}}:h", admitted.ticket.request_id)
    assert (ends_at_us or 0) > 1
    await room.admission.cancel(admitted.ticket)
