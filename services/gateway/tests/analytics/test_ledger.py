"""GET /v1/usage/ledger/check: for administrators, and it names what does not hold."""

from __future__ import annotations

from razvilka.usage.v1 import usage_pb2

from services.gateway.tests.backends import Backends, caller
from services.gateway.tests.conftest import Edge

PATH = "/v1/usage/ledger/check"
ADMIN = {"Authorization": "Bearer rz_live_admin"}


async def test_an_administrator_is_told_what_holds_and_what_does_not(edge: Edge, backends: Backends) -> None:
    backends.auth.callers["rz_live_admin"] = caller(scopes=["admin"])

    sound = await edge.client.get(PATH, headers=ADMIN)
    backends.usage.broken.append(usage_pb2.Broken(invariant="rows_equal_days", detail="user-1 differs"))
    broken = await edge.client.get(PATH, params={"days": 31}, headers=ADMIN)

    assert (sound.status_code, sound.json()["holds"], sound.json()["rows_checked"]) == (200, True, 7)
    assert broken.json()["holds"] is False
    assert broken.json()["broken"] == [{"invariant": "rows_equal_days", "detail": "user-1 differs"}]


async def test_nobody_else_is_told_and_the_span_is_bounded(edge: Edge, backends: Backends) -> None:
    backends.auth.callers["rz_live_admin"] = caller(scopes=["admin"])

    assert (await edge.client.get(PATH)).status_code == 403
    refused = await edge.client.get(PATH, params={"days": 32}, headers=ADMIN)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "days")
