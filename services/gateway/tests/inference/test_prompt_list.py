"""Several prompts in one request: asked one after the other, in the time that one request has."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

from services.gateway.clients.completion import Completion, End, Route, StreamPart
from services.gateway.clients.router.client import RouterClient
from services.gateway.inference.paid_call import PaidCall
from services.gateway.inference.prompt_list import PromptList
from services.gateway.schemas.inference import ChatRequest


class SlowRouter:
    """Takes four seconds for each prompt, and remembers how long each may take."""

    def __init__(self, call: SimpleNamespace) -> None:
        self._call = call
        self.deadlines_s: list[float] = []

    async def complete(self, *_: Any, deadline_s: float, **__: Any) -> Completion:
        """Answer whole."""
        self._note(deadline_s)
        return Completion(Route(model="yandexgpt:latest"), (), End())

    async def stream(self, *_: Any, deadline_s: float, **__: Any) -> AsyncGenerator[list[StreamPart], None]:
        """Answer as a stream."""
        self._note(deadline_s)
        yield [StreamPart((), Route(model="yandexgpt:latest"), None, End())]

    def _note(self, deadline_s: float) -> None:
        self.deadlines_s.append(deadline_s)
        self._call.deadline_s -= 4


def slow() -> tuple[PromptList, SlowRouter, PaidCall]:
    """Return a list of three prompts, and a call that has ten seconds for them."""
    caller = SimpleNamespace(user_id="user-1", models=frozenset(), tier="pro")
    priced = SimpleNamespace(
        model=SimpleNamespace(id="yandexgpt:latest"),
        size=SimpleNamespace(lesson=(0, "")),
        schema_bound=0,
        max_tokens=0,
        steered=(),
        catalog=SimpleNamespace(version="1"),
        candidates=(),
    )
    context = SimpleNamespace(known_caller=caller, call=None, deferral=None)
    call = SimpleNamespace(context=context, priced=priced, deadline_s=10.0, answered=lambda *_: None)
    router = SlowRouter(call)
    prompts = [ChatRequest(model="yandexgpt") for _ in range(3)]
    return PromptList(cast(RouterClient, router), prompts), router, cast(PaidCall, call)


async def test_each_prompt_has_what_those_before_it_have_left_of_the_time() -> None:
    """Whole or streamed: each prompt of a stream had the time of the whole request, a list of ten ten times as much."""
    whole, asked_whole, call = slow()
    await whole.complete(call)
    streamed, asked_as_stream, call = slow()
    async for _ in streamed.stream(call):
        pass

    assert asked_whole.deadlines_s == asked_as_stream.deadlines_s == [10, 6, 2]
