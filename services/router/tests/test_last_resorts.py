"""What becomes of requests whose models are all left out, or hang."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from servicekit.errors import ServiceError
from servicekit.testing import FakeClock
from services.router.tests.adapters import ask
from services.router.tests.test_attempts import MODEL, Broken, Healthy, Silent, service


async def test_while_all_are_left_out_a_request_that_tries_one_in_vain_tries_the_next() -> None:
    """The one that is back soonest was asked alone: while it was dead nobody was answered, whoever had recovered."""
    clock = FakeClock(auto_advance=True)
    dead, other = Broken(clock), Broken(clock)
    other.name = "gigachat"
    asked = replace(ask(), model=MODEL, candidates=(MODEL, "gigachat"))

    recovered = Healthy(clock).complete

    async with service(dead, other, clock=clock) as router:
        other.complete = recovered  # type: ignore[method-assign]
        for _ in range(5):
            await router.complete(asked, "0197", None)
        clock.advance(10)
        other.complete = Broken(clock).complete  # type: ignore[method-assign]
        for _ in range(5):
            with pytest.raises(ServiceError, match="failed"):
                await router.complete(asked, "0197", None)
        other.complete = recovered  # type: ignore[method-assign]
        answers = [await router.complete(asked, "0197", None) for _ in range(4)]

    assert {answer.route.model for answer in answers} == {"gigachat"}
    reasons = [[each.reason for each in answer.end.attempts] for answer in answers]
    assert reasons[0] == ["SKIPPED_CIRCUIT_OPEN", "PROVIDER_ERROR", ""]
    assert reasons[3] == ["SKIPPED_CIRCUIT_OPEN", ""], "three answers have closed it"


async def test_who_waits_for_a_model_that_is_found_to_hang_is_answered_by_the_next() -> None:
    """A whole answer was waited for a minute though the circuit was open for half of it."""
    clock = FakeClock()
    hung, other = Silent(clock), Healthy(clock)
    asked = replace(ask(), model=MODEL, candidates=(MODEL, "gigachat"))

    async with service(hung, other, clock=clock) as router:
        waiting = asyncio.create_task(router.complete(asked, "0197", None))
        impatient = [asyncio.create_task(router.complete(asked, "0197", 0.1)) for _ in range(5)]
        while hung.calls < 6:
            await asyncio.sleep(0)
        # As long as counts against a model.
        clock.advance(31)
        for each in impatient:
            with pytest.raises(ServiceError, match="in time"):
                await each
        async with asyncio.timeout(20):
            answer = await waiting

    assert [each.reason for each in answer.end.attempts] == ["PROVIDER_TIMEOUT", ""]
