"""What becomes of requests whose models are all left out, or hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from servicekit.errors import ServiceError
from servicekit.testing import FakeClock
from services.router.domain.completion import Answer, Completion, Prompt
from services.router.providers import failures
from services.router.providers.provider import ProviderCall
from services.router.routing import patience
from services.router.slots.asker import Asker
from services.router.slots.quota import Slot
from services.router.tests.adapters import ask
from services.router.tests.test_attempts import MODEL, Broken, Healthy, Silent, service

ASKED = replace(ask(), model=MODEL, candidates=(MODEL, "gigachat"))


async def test_while_all_are_left_out_a_request_that_tries_one_in_vain_tries_the_next() -> None:
    """The one that is back soonest was asked alone: while it was dead nobody was answered, whoever had recovered."""
    clock = FakeClock(auto_advance=True)
    dead, other = Broken(clock), Broken(clock)
    other.name = "gigachat"

    recovered = Healthy(clock).complete

    async with service(dead, other, clock=clock) as router:
        other.complete = recovered  # type: ignore[method-assign]
        for _ in range(5):
            await router.complete(ASKED, "0197", None)
        clock.advance(10)
        other.complete = Broken(clock).complete  # type: ignore[method-assign]
        for _ in range(5):
            with pytest.raises(ServiceError, match="failed"):
                await router.complete(ASKED, "0197", None)
        other.complete = recovered  # type: ignore[method-assign]
        answers = [await router.complete(ASKED, "0197", None) for _ in range(4)]

    assert {answer.route.model for answer in answers} == {"gigachat"}
    reasons = [[each.reason for each in answer.end.attempts] for answer in answers]
    assert reasons[0] == ["SKIPPED_CIRCUIT_OPEN", "PROVIDER_ERROR", ""]
    assert reasons[3] == ["SKIPPED_CIRCUIT_OPEN", ""], "three answers have closed it"


class Hangs(Silent):
    """A provider whose first call waits for ever, and whose others have waited long enough."""

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        if self.calls:
            raise failures.slow()
        return await self._never()


@asynccontextmanager
async def found_to_hang(prompt: Prompt) -> AsyncIterator[asyncio.Task[Completion]]:
    """Yield a request that waits for a model when five others have just waited in vain."""
    clock = FakeClock()
    hung, other = Hangs(clock), Healthy(clock)
    async with service(hung, other, clock=clock) as router:
        waiting = asyncio.create_task(router.complete(prompt, "0197", None))
        while not hung.calls:
            await asyncio.sleep(0)
        for _ in range(5):
            assert (await router.complete(ASKED, "0197", None)).route.model == "gigachat"
        yield waiting
        waiting.cancel()


async def test_who_waits_for_a_model_that_is_found_to_hang_is_answered_by_the_next() -> None:
    """A whole answer was waited for a minute though the circuit was open for half of it."""
    async with found_to_hang(ASKED) as waiting, asyncio.timeout(20):
        answer = await waiting

    assert [each.reason for each in answer.end.attempts] == ["PROVIDER_TIMEOUT", ""]


async def test_what_nobody_waits_for_is_not_given_up_with_those_who_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its provider has taken it and answers later, for less."""
    monkeypatch.setattr(patience, "GIVE_UP_S", 0.0)

    async with found_to_hang(replace(ASKED, deferral="batch/1")) as deferred:
        done, _ = await asyncio.wait([deferred], timeout=0.05)

    assert not done


class HeldLine:
    """A line that has a slot for everybody at once, and for one user when it is told."""

    def __init__(self) -> None:
        self.may_give = asyncio.Event()
        self.has_come = asyncio.Event()

    async def take(self, asker: Asker, until: float | None, wanted: int = 1, avoided: tuple[str, ...] = ()) -> Slot:
        if asker.user == "patient":
            self.has_come.set()
            await self.may_give.wait()
        return Slot("", 0.0, 0.0, lambda slot, cut: None)


class Slow(Broken):
    """A provider whose calls have all waited long enough."""

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        self.calls += 1
        raise failures.slow()


@pytest.mark.parametrize("has_slot", [False, True], ids=["waiting", "given a slot"])
async def test_who_stands_in_the_line_of_a_model_that_is_found_to_hang_is_answered_by_the_next(has_slot: bool) -> None:
    """It stood there for half of its time; and with a slot it went to that model all the same."""
    clock = FakeClock()
    slow, other, line = Slow(clock), Healthy(clock), HeldLine()
    slow.line = line  # type: ignore[assignment]
    async with service(slow, other, clock=clock) as router, asyncio.timeout(20):
        patient = asyncio.create_task(router.complete(replace(ASKED, tenant="patient"), "0197", None))
        await line.has_come.wait()
        for _ in range(5):
            await router.complete(ASKED, "0197", None)
        if has_slot:
            line.may_give.set()
        answer = await patient

    assert [each.reason for each in answer.end.attempts] == ["PROVIDER_RATE_LIMITED", ""]
    assert slow.calls == 5
