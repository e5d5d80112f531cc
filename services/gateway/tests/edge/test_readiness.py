"""Who a balancer may send requests to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing.fake_clock import FakeClock
from services.gateway.edge.server.readiness import Readiness
from services.gateway.server import Gateway
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import AUTHORITIES, Edge, StartGateway, running_edge
from tools.testing.patience import PATIENT_S

LEAVE_S = 5.0
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


async def test_health_and_readiness(edge: Edge) -> None:
    """Health is the process; readiness names its parts."""
    health, ready = await edge.client.get("/health"), await edge.client.get("/ready")

    assert health.json() == {"status": "ok"}
    assert ready.json() == {
        "status": "ready",
        "checks": dict.fromkeys(("auth", "router", "token_keys", "catalog", "journal", "accepting"), True),
    }


async def test_a_refused_catalogue_is_told_and_stops_nothing(edge: Edge, backends: Backends) -> None:
    """The last good one counts; a person must learn that the newest does not."""
    backends.router.refused = ["files refused, the last good state counts: yandexgpt.yaml: channels: Input should be"]
    await edge.gateway.catalog.refresh()

    ready = await edge.client.get("/ready")

    assert (ready.status_code, ready.json()["details"]) == (200, {"catalog": backends.router.refused[0]})
    backends.router.refused = []
    await edge.gateway.catalog.refresh()
    assert "details" not in (await edge.client.get("/ready")).json()


async def test_a_stopping_gateway_is_not_ready(edge: Edge) -> None:
    """503, so that no new requests come."""
    edge.gateway.readiness.stop()

    answer = await edge.client.get("/ready")

    assert (answer.status_code, answer.json()["checks"]["accepting"]) == (503, False)


class Noticing(SystemClock):
    """A clock by which balancers take as long to notice as the test says."""

    def __init__(self) -> None:
        self.noticed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await (self.noticed.wait() if seconds == LEAVE_S else super().sleep(seconds))


async def test_a_gateway_that_leaves_says_so_before_it_takes_no_more_requests(
    backends: Backends, redis_url: str, tmp_path: Path
) -> None:
    """A balancer that still believes in it loses nothing; when its time to notice is over, nobody listens."""
    clock, leave, folder = Noticing(), asyncio.Event(), tmp_path / "journal"
    started: asyncio.Queue[Gateway] = asyncio.Queue()

    async def serve() -> None:
        async with running_edge(backends.targets, redis_url, folder, clock=clock, leave_s=LEAVE_S) as edge:
            started.put_nowait(edge.gateway)
            await leave.wait()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve())
        gateway = await started.get()
        headers, url = {"Authorization": f"Bearer {KEY}"}, f"http://127.0.0.1:{gateway.port}"
        async with httpx.AsyncClient(base_url=url, verify=AUTHORITIES, headers=headers, timeout=PATIENT_S) as client:
            leave.set()
            while gateway.readiness.is_ready:
                await asyncio.sleep(0.01)
            ready, models = await client.get("/ready"), await client.get("/v1/models")
        clock.noticed.set()
        await serving
        async with httpx.AsyncClient(base_url=url, verify=AUTHORITIES, timeout=PATIENT_S) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get("/health")

    assert (ready.status_code, ready.json()["checks"]["accepting"]) == (503, False)
    assert models.status_code == 200
