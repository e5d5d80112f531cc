"""Who a balancer may send requests to."""

from __future__ import annotations

import asyncio
from typing import Any

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing.fake_clock import FakeClock
from services.gateway.edge.server.readiness import Readiness
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway
from tools.testing.patience import PATIENT_S

HELLO: dict[str, Any] = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет"}]}


class Part:
    """Something that readiness asks."""

    def __init__(self, *, is_there: bool = True) -> None:
        self.is_there = is_there

    async def check(self) -> bool:
        return self.is_there


async def until_auth_is_away(edge: Edge) -> None:
    async with asyncio.timeout(PATIENT_S):
        while edge.gateway.readiness.results["auth"]:
            await edge.gateway.readiness.look()
            await asyncio.sleep(0.01)


async def test_a_part_that_can_be_spared_for_a_while_is_missed_after_it() -> None:
    """From the moment at which it was last seen; when it is back, the time begins anew."""
    clock, auth, router = FakeClock(), Part(), Part()
    readiness = Readiness({"auth": auth.check, "router": router.check}, clock, spared_s={"auth": 300.0})
    seen = []
    for is_there, after_s in ((True, 0), (False, 299), (False, 1), (True, 1), (False, 299)):
        auth.is_there = is_there
        clock.advance(after_s)
        await readiness.look()
        seen.append(readiness.is_ready)

    assert seen == [True, True, False, True, True]
    assert readiness.results == {"auth": False, "router": True, "accepting": True}
    assert readiness.details == {"auth": "away; requests are served without it for 300 s"}


async def test_what_was_never_there_cannot_be_spared() -> None:
    """A gateway that has just started knows no key."""
    readiness = Readiness({"auth": Part(is_there=False).check}, FakeClock(), spared_s={"auth": 300.0})

    await readiness.look()

    assert (readiness.is_ready, readiness.details) == (False, {})


async def test_a_part_that_nobody_can_do_without_is_missed_at_once() -> None:
    """Without a router nothing is answered."""
    router = Part()
    readiness = Readiness({"router": router.check}, FakeClock(), spared_s={"auth": 300.0})
    await readiness.look()

    router.is_there = False
    await readiness.look()

    assert not readiness.is_ready


async def test_gateways_stay_in_the_balancer_while_auth_has_no_database(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """All of them went at once: who shows a key that is believed meanwhile found nobody to show it to."""
    edge = await start_gateway(key_cache_s=0.0)
    assert (await edge.client.post("/v1/chat/completions", json=HELLO)).status_code == 200

    backends.auth.is_away = True
    backends.auth.failure = Unavailable(ErrorReason.DATABASE_ERROR, "The database is unavailable. Try again.")
    await until_auth_is_away(edge)
    ready, answer = await edge.client.get("/ready"), await edge.client.post("/v1/chat/completions", json=HELLO)

    assert (ready.status_code, ready.json()["checks"]["auth"], answer.status_code) == (200, False, 200)
    assert ready.json()["details"] == {"auth": "away; requests are served without it for 300 s"}


async def test_a_gateway_that_believes_no_key_without_auth_is_not_ready_without_it(
    start_gateway: StartGateway, backends: Backends
) -> None:
    """Nothing is answered then."""
    edge = await start_gateway(key_stale_s=0.0)
    backends.auth.is_away = True

    await until_auth_is_away(edge)

    assert (await edge.client.get("/ready")).status_code == 503
