"""How long an attempt may take, and which of them count: on the emulator, and on a clock of the test's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit.testing import FakeClock
from servicekit.testing.sampled import sampled
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Choice, FinishReason, Prompt, Usage
from services.router.providers import failures
from services.router.providers.provider import ProviderCall, Traits
from services.router.slots import refusals
from services.router.slots.asker import Asker
from services.router.slots.quota import Slot
from services.router.tests.adapters import PATIENT, ask
from services.router.tests.running_router import prompt, router, stream, text_of
from services.router.tests.test_attempts import BusyOnce, Healthy, Silent, service


class NotedLine:
    """A line that notes until when calls would wait, and has a slot for each or for none."""

    def __init__(self, clock: FakeClock, *, is_full: bool = False) -> None:
        self.waits: list[float | None] = []
        self._clock = clock
        self._is_full = is_full

    async def take(self, asker: Asker, until: float | None, wanted: int = 1, avoided: tuple[str, ...] = ()) -> Slot:
        self.waits.append(None if until is None else until - self._clock.monotonic())
        if self._is_full:
            raise refusals.full(1.0)
        return Slot("", 0.0, self._clock.monotonic(), lambda slot, cut: None)


class FailingSecond(BusyOnce):
    """A provider that makes one answer a call, and fails at the second of all."""

    def traits(self, model: Model) -> Traits:
        return Traits(stop=True, choices=False)

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        self.calls += 1
        if self.calls == 2:
            raise failures.broken()
        await asyncio.sleep(0)
        return Answer([Choice(0, "да", FinishReason.STOP)], Usage(1, 1))


def asked(*candidates: str, **changes: Any) -> Prompt:
    return replace(ask(), model=candidates[0], candidates=candidates, **changes)


async def test_a_model_that_has_answered_in_part_has_all_of_the_time_that_is_left() -> None:
    """No other model may answer the rest, so none is to be left half of it; before that, one is."""
    clock = FakeClock(auto_advance=True)
    provider, line = FailingSecond(clock), NotedLine(clock)
    provider.line = line  # type: ignore[assignment]

    async with service(provider, Healthy(clock), clock=clock) as router:
        answer = await router.complete(asked("yandexgpt-5.1", "gigachat-pro", n=2), "0197", 100.0)

    assert [choice.content for choice in answer.choices] == ["да", "да"]
    first, second = line.waits
    assert first == 50.0
    assert second is not None
    assert second > 90.0


async def test_what_our_own_line_refuses_is_no_call_of_the_three() -> None:
    """Models of one provider wait in one line: three of them took the place of the one that was free."""
    clock = FakeClock(auto_advance=True)
    full, free = BusyOnce(clock), Healthy(clock)
    full.line = NotedLine(clock, is_full=True)  # type: ignore[assignment]
    names = ["yandexgpt-5.1", "yandexgpt-5-pro", "yandexgpt-5-lite", "gigachat-pro"]

    async with service(full, free, clock=clock) as router:
        answer = await router.complete(asked(*names), "0197", 100.0)

    assert (answer.route.model, full.calls) == ("gigachat-pro", 0)
    assert [attempt.model for attempt in answer.end.attempts] == names


@pytest.mark.parametrize("asked", ["json_object", "required"])
async def test_an_answer_that_is_checked_before_it_is_streamed_is_not_late_for_coming_whole(
    emulator: RunningEmulator, asked: str
) -> None:
    """GigaChat has no parameter for either, so the adapter reads it all first: 30 s were the end of long ones."""
    await emulator.control.fail("latency", operation="chat", times=-1, ms=300)
    wish = {
        "json_object": pb.Prompt(response_format=pb.ResponseFormat(type="json_object")),
        "required": pb.Prompt(
            tools=[pb.Tool(name=name, parameters_json=b'{"type":"object","properties":{}}') for name in ("one", "two")],
            tool_choice=pb.ToolChoice(mode="required"),
        ),
    }[asked]
    said = '[[text:{"a":1}]]' if asked == "json_object" else "[[call:one {}]]"
    wish.MergeFrom(prompt("gigachat", said))

    async with router(emulator, http=PATIENT.model_copy(update={"first_token_s": 0.1})) as stub:
        parts = await stream(stub, wish)

    assert text_of(parts) == ('{"a":1}' if asked == "json_object" else "")
    assert parts[-1].HasField("end")


async def test_a_call_whose_caller_left_before_it_answered_is_counted() -> None:
    """As one whose caller leaves later: a provider that hangs until nobody waits any more is otherwise never seen."""
    clock = FakeClock()
    provider = Silent(clock)

    def cancelled() -> float:
        labels = {"provider": provider.name, "model": "yandexgpt-5.1", "outcome": "CANCELLED"}
        return sampled("razvilka_router_attempts_total", **labels)

    before = cancelled()
    async with service(provider, clock=clock) as served:
        waiting = asyncio.create_task(served.complete(asked("yandexgpt-5.1"), "0197", None))
        while not provider.calls:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert cancelled() == before + 1
