"""Batches of GigaChat that are never answered: nobody looks for them for ever."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from servicekit.errors import ServiceError
from servicekit.lifecycle import background
from servicekit.testing import FakeClock
from services.router.domain.completion import Message, Prompt, Role
from services.router.providers import failures
from services.router.providers.gigachat.batches import LOOKED_FOR_S, Batches
from services.router.providers.provider import ProviderCall
from services.router.providers.transport.http import Reply
from services.router.tests.adapters import MODELS, MemoryDeferred

DAY_S: Final = 86_400.0


class Endless:
    """A provider that takes a batch, and never has its answers; None: it refuses to tell."""

    def __init__(self, status: str | None) -> None:
        self.status = status
        self.looks = 0

    async def post(self, *_: Any) -> Reply:
        return replied({"id": "batch", "status": "created"})

    async def get(self, *_: Any) -> Reply:
        self.looks += 1
        if self.status is None:
            raise failures.refused_us()
        return replied({"batches": [{"id": "batch", "status": self.status}]})


def replied(said: object) -> Reply:
    return Reply(200, CIMultiDictProxy(CIMultiDict()), msgspec.json.encode(said))


@pytest.mark.parametrize("status", ["in_progress", "failed", None])
async def test_a_batch_that_is_never_answered_is_given_up_after_its_day(status: str | None) -> None:
    """Also one under a key that was taken away; its lines are told, and who asks again asks anew."""
    provider, kept, clock = Endless(status), MemoryDeferred(), FakeClock(auto_advance=True)
    prompt = Prompt("gigachat", [Message(Role.USER, "Где стоянка?")])
    async with background() as tasks:
        batches = Batches(
            URL("https://there.example/batches"),
            URL("https://there.example/files"),
            cast(Any, provider),
            kept,
            cast(Any, None),
            clock,
            tasks,
            gather_s=0.01,
            poll_s=60.0,
        )
        with pytest.raises(ServiceError):
            await batches.answer(b"{}", {}, prompt, ProviderCall(MODELS["gigachat"], "request", {}, deferral="line"))

    assert DAY_S <= LOOKED_FOR_S <= clock.monotonic() < LOOKED_FOR_S + DAY_S
    assert provider.looks > 1
    assert kept.operations == {}
