"""However many users there are, and whatever they send, the gateway exports as many series as before."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import pytest
from prometheus_client import REGISTRY

from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge

# `make observability` asks with ten thousand.
USERS: Final = int(os.environ.get("RAZVILKA_SERIES_USERS", "60"))
FIRST: Final = 8
# So many are asked by a process that runs no other test, whose series would be counted as well.
ALONE: Final = 10_000
AT_ONCE: Final = 16
SAID: Final = [{"role": "user", "content": "hi"}]


# RPCs are measured by the services behind it, which run in this process here.
def exported_series() -> set[str]:
    families = [family for family in REGISTRY.collect() if family.name.startswith("razvilka_gateway_")]
    return {f"{sample.name}{sample.labels}" for family in families for sample in family.samples}


async def ask(edge: Edge, number: int) -> None:
    """Ask well, and in one of the ways in which a stranger would try to make a label of what he sends."""
    headers = {"Authorization": f"Bearer rz_live_user_{number}"}
    body = {"model": "yandexgpt", "messages": SAID}
    answered = await edge.client.post("/v1/chat/completions", json=body, headers=headers)
    assert answered.status_code == 200, answered.text
    match number % 4:
        case 0:
            await edge.client.get(f"/v1/nobody/{number}", headers=headers)
        case 1:
            unknown = {"model": f"model-{number}", "messages": SAID}
            await edge.client.post("/v1/chat/completions", json=unknown, headers=headers)
        case 2:
            await edge.client.get("/v1/models", headers={"Authorization": f"Bearer rz_live_stranger_{number}"})
        case _:
            await edge.client.request(f"METHOD{number}", "/v1/models", headers=headers)


@pytest.mark.timeout(1800)
async def test_series_do_not_grow_with_users(edge: Edge, backends: Backends) -> None:
    """Labels come from closed sets: no user, key, path, model, method or code that a caller made up is in one."""
    for number in range(USERS):
        known = caller(user_id=f"user-{number}", key_id=f"key-{number}")
        backends.auth.callers[f"rz_live_user_{number}"] = known
    for number in range(FIRST):
        await ask(edge, number)
    before = exported_series()

    for begin in range(FIRST, USERS, AT_ONCE):
        async with asyncio.TaskGroup() as asking:
            for number in range(begin, min(begin + AT_ONCE, USERS)):
                asking.create_task(ask(edge, number))

    assert exported_series() - before == set()
    if USERS >= ALONE:
        assert len(before) < 3000
