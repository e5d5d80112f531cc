"""Many ask at once: the callers of one gateway, and gateways as processes of their own."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from dataclasses import replace

import pytest
from msgspec import structs

from servicekit.errors import ErrorReason
from services.gateway.admission.caps import Budget, CapMode
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.redis.counts import RedisCounts
from services.gateway.admission.request import AdmissionRefused
from services.gateway.tests.admission_kit import PATIENT, admission_on, budget, counters, request


async def test_two_hundred_callers_share_the_last_of_a_budget_exactly(redis_url, redis_client):
    """floor(budget / hold) are admitted, no more and no less."""
    async with admission_on(redis_url) as admission:
        answers = await asyncio.gather(
            *(admission.admit(request(budgets=(budget(7_999),), hold=1000)) for _ in range(200)),
            return_exceptions=True,
        )

    refused = [answer for answer in answers if isinstance(answer, AdmissionRefused)]
    assert len(answers) - len(refused) == 7
    assert {answer.reason for answer in refused} == {ErrorReason.BUDGET_EXCEEDED}
    assert await counters(redis_client) == {"used": 0, "held": 7000}


async def test_members_share_the_last_of_an_organizations_budget_exactly(redis_url, redis_client):
    """200 calls of ten members over four gateways, with a soft and a watching budget on the same counter."""
    shared = tuple(
        Budget("organization:o", BudgetPeriod.WEEK, limit, mode, id, "Europe/Moscow")
        for limit, mode, id in (
            (7_999, CapMode.HARD, "hard"),
            (1_000, CapMode.SOFT, "soft"),
            (2_000, CapMode.SHADOW, "watching"),
        )
    )
    asked = [structs.replace(request(budgets=shared, hold=1000), user_id=f"user-{at % 10}") for at in range(200)]
    async with (
        admission_on(redis_url, boot_id="a") as a,
        admission_on(redis_url, boot_id="b") as b,
        admission_on(redis_url, boot_id="c") as c,
        admission_on(redis_url, boot_id="d") as d,
    ):
        answers = await asyncio.gather(
            *((a, b, c, d)[at % 4].admit(each) for at, each in enumerate(asked)), return_exceptions=True
        )

    refused = [answer for answer in answers if isinstance(answer, AdmissionRefused)]
    assert len(answers) - len(refused) == 7
    assert {answer.details["limit_id"] for answer in refused} == {"hard"}
    assert await counters(redis_client) == {"used": 0, "held": 7000}
    assert await RedisCounts(redis_client).would_have_refused("organization:o", ["watching"]) == {"watching": 5}


RACES = {
    "user": Limits(requests_per_minute=100),
    "key": Limits(requests_per_day=100),
    "model": Limits(concurrent_requests=100),
}

# A process that begins when others have ended finds no slot of theirs free.
LONG_LEASES = replace(PATIENT, lease_s=600.0)

RACERS = {
    "user": lambda: request(user=RACES["user"]),
    "key": lambda: request(key=RACES["key"]),
    "model": lambda: request(model=RACES["model"]),
}


def race(url: str, results: multiprocessing.Queue[dict[str, int]]) -> None:
    """Be one of several gateways: for each limit 25 tasks that ask 8 times, as fast as they can."""

    async def run() -> dict[str, int]:
        async with admission_on(url, options=LONG_LEASES) as admission:
            admitted = dict.fromkeys(RACES, 0)

            async def one(subject: str) -> None:
                for _ in range(8):
                    try:
                        await admission.admit(RACERS[subject]())
                    except AdmissionRefused:
                        continue
                    admitted[subject] += 1

            for subject in RACES:
                await asyncio.gather(*(one(subject) for _ in range(25)))
            return admitted

    results.put(asyncio.run(run()))


@pytest.mark.timeout(300)
async def test_four_gateways_together_never_admit_above_a_limit(redis_url):
    """4 processes with 25 tasks each ask 800 times for 100: per minute, per day, at once."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[dict[str, int]] = context.Queue()
    began = time.monotonic()
    gateways = [context.Process(target=race, args=(redis_url, results)) for _ in range(4)]
    for gateway in gateways:
        gateway.start()

    counts = [await asyncio.to_thread(results.get, True, 240) for _ in gateways]
    for gateway in gateways:
        gateway.join()

    refill = int((time.monotonic() - began) * 100 / 60) + 1
    total = {subject: sum(count[subject] for count in counts) for subject in RACES}
    assert 100 <= total["user"] <= 100 + refill
    # Midnight in the middle of the test would grant a second day.
    assert total["key"] == 100 or (total["key"] <= 200 and int(time.time()) % 86_400 < 60)
    assert total["model"] == 100
