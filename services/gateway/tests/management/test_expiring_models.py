"""Which models end soon, and who is to be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import usage_pb2

from services.gateway.tests.backends import SCOPES, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.router_backend import model

PATH = "/v1/admin/models/expiring"


def in_days(days: float) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) + timedelta(days=days))
    return moment


async def test_administrators_see_who_calls_what_ends_within_ninety_days(edge: Edge, backends: Backends) -> None:
    """The next end first; what ended, and what ends later, is not on the list."""
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(scopes=[*SCOPES, "admin"]))
    backends.router.models = [
        model("later", shutdown_at=in_days(91)),
        model("second", shutdown_at=in_days(89.5), successor="first"),
        model("first", shutdown_at=in_days(3.5)),
        model("gone", shutdown_at=in_days(-1)),
        model("stays"),
    ]
    backends.router.version = "2"
    await edge.gateway.catalog.refresh()
    backends.usage.callers = [
        usage_pb2.ModelCaller(model="second", user_id="u", key_id="k", requests=7, last_day=Timestamp(seconds=86_400))
    ]

    answer = await edge.client.get(PATH)

    assert answer.status_code == 200, answer.text
    first, second = answer.json()["data"]
    assert backends.usage.asked_models == ["first", "second"]
    assert (first["model"], first["days_left"], first["callers"]) == ("first", 3, [])
    assert (second["days_left"], second["successor"]) == (89, "first")
    assert second["callers"] == [
        {"user_id": "u", "key_id": "k", "grant_id": None, "requests": 7, "last_day": "1970-01-02"}
    ]


async def test_nobody_else_does(edge: Edge) -> None:
    """It names other people's accounts."""
    assert (await edge.client.get(PATH)).status_code == 403
