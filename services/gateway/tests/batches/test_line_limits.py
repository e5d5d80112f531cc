"""Lines at a quota or a budget: which of them wait, and which fail."""

from __future__ import annotations

import asyncio
import json

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2
from razvilka.router.v1 import batches_pb2 as pb

from services.gateway.batches.line_answers import ROOM_S
from services.gateway.settings import AdmissionSettings
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.batches.test_line_answers import ASKED, SOON, heard, line
from services.gateway.tests.conftest import StartGateway


async def test_haste_is_not_counted_and_the_daily_quota_is(backends: Backends, start_gateway: StartGateway) -> None:
    """The second line waits for tomorrow, as a line that was not tried."""
    limits = auth_pb2.Limits(requests_per_minute=1, concurrent_requests=1, requests_per_day=2)
    backends.auth.callers[KEY] = caller(user_limits=limits)
    await start_gateway(batches=SOON)

    first, second = await heard(backends, line(1)), await heard(backends, line(2))
    third = await heard(backends, line(3))

    assert (first.http_status, second.http_status) == (200, 200)
    assert isinstance(third, pb.ReleaseLineRequest)
    assert (third.number, third.was_tried) == (3, False)


async def test_a_quota_of_a_minute_is_no_more_counted_than_a_limit(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """A thousand lines under one a minute took all day, and whoever asked beside them was refused; a day's counts."""
    measures, hard = {"requests_per_minute": 1, "requests_per_day": 2}, auth_pb2.CAP_MODE_HARD
    quotas = [
        auth_pb2.Quota(id=name, subject="user:user-1", models="*", measure=name, limit=limit, mode=hard)
        for name, limit in measures.items()
    ]
    backends.auth.callers[KEY] = caller(quotas=quotas)
    await start_gateway(batches=SOON)

    first, second = await heard(backends, line(1)), await heard(backends, line(2))
    third = await heard(backends, line(3))

    assert (first.http_status, second.http_status) == (200, 200)
    assert isinstance(third, pb.ReleaseLineRequest)


async def test_tokens_a_day_are_counted_as_ever(backends: Backends, start_gateway: StartGateway) -> None:
    """A tier's limit of them is for batches, too: a line that would exceed it waits for tomorrow."""
    limits = auth_pb2.Limits(tokens_per_minute=1, tokens_per_day=10)
    backends.auth.callers[KEY] = caller(user_limits=limits)
    await start_gateway(batches=SOON)

    first, second = await heard(backends, line(1)), await heard(backends, line(2))

    assert first.http_status == 200
    assert isinstance(second, pb.ReleaseLineRequest)
    assert (second.number, second.was_tried) == (2, False)


async def test_a_line_that_cannot_wait_for_the_quota_fails(backends: Backends, start_gateway: StartGateway) -> None:
    """Its batch ends before."""
    backends.auth.callers[KEY] = caller(user_limits=auth_pb2.Limits(requests_per_day=1))
    await start_gateway(batches=SOON)
    await heard(backends, line(1))

    said = await heard(backends, line(2, expires_at=Timestamp(seconds=1)))

    assert (said.http_status, json.loads(said.body)["error"]["code"]) == (429, "quota_exceeded")


async def test_a_line_that_the_budget_does_not_cover_fails(backends: Backends, start_gateway: StartGateway) -> None:
    """With the code of every such request; nothing is asked."""
    budget = auth_pb2.Budget(subject="key:key-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=1)
    backends.auth.callers[KEY] = caller(budgets=[budget])
    await start_gateway(batches=SOON)

    said = await heard(backends, line())

    assert (said.http_status, json.loads(said.body)["error"]["code"]) == (429, "budget_exceeded")
    assert backends.router.prompts == []


async def test_a_line_waits_for_what_others_hold_of_its_budget(backends: Backends, start_gateway: StartGateway) -> None:
    """They hold more than they cost: what is left of the budget covers it as soon as they are settled."""
    # 1,250,000 are spent. 100 tokens of output hold 40,000, and the input some more: two at once are too many.
    budget = auth_pb2.Budget(subject="key:key-1", period=auth_pb2.BUDGET_PERIOD_TOTAL, limit_micro_rub=1_320_000)
    backends.auth.callers[KEY] = caller(budgets=[budget])
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    await start_gateway(batches=SOON, admission=AdmissionSettings(budget_wait_s=0.01))

    later = await heard(backends, line(1, ASKED | {"max_tokens": 100}), line(2, ASKED | {"max_tokens": 100}))
    backends.router.hold.set()
    first = await heard(backends)
    second = await heard(backends, line(later.number, ASKED | {"max_tokens": 100}))

    assert isinstance(later, pb.ReleaseLineRequest)
    assert (later.was_tried, later.after_s) == (False, ROOM_S)
    assert (first.http_status, second.http_status) == (200, 200)
