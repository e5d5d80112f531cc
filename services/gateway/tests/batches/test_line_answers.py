"""What becomes of one line: answered as its owner's request, tried again, or failed with a code."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2
from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import router_pb2

from servicekit.errors import ErrorReason, InvalidRequest, ServiceError, Unavailable
from servicekit.testing.sampled import sampled
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import StartGateway
from services.gateway.tests.router_backend import MODELS
from services.gateway.work_settings import BatchSettings

SOON = BatchSettings(poll_s=0.02)
LATER = Timestamp(seconds=4_000_000_000)
ASKED = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Где стоянка?"}]}


def line(number: int = 1, body: Any = None, **changes: Any) -> pb.ClaimedLine:
    """Return a line of a chat batch of the usual caller."""
    given = {
        "batch_id": "batch_1",
        "number": number,
        "body": json.dumps(body or ASKED).encode(),
        "owner": "user-1",
        "key_id": "key-1",
        "endpoint": "/v1/chat/completions",
        "attempt": 1,
        "expires_at": LATER,
    }
    return pb.ClaimedLine(**{**given, **changes})


async def heard(backends: Backends, *lines: pb.ClaimedLine) -> Any:
    """Give out lines and return the first thing that is said of them."""
    backends.router.batches.lines.extend(lines)
    async with asyncio.timeout(20):
        return await backends.router.batches.heard.get()


async def test_a_line_is_answered_and_billed_as_a_request(backends: Backends, start_gateway: StartGateway) -> None:
    """With a row of its own, under the request that the line names."""
    await start_gateway(batches=SOON)

    said = await heard(backends, line())

    body = json.loads(said.body)
    assert (said.number, said.http_status) == (1, 200)
    assert body["choices"][0]["message"]["content"] == "Привет!"
    (row,) = await rows(backends)
    assert (row.request_id, row.endpoint, row.key_id) == (said.request_id, "chat.completions", "key-1")


async def rows(backends: Backends) -> Any:
    async with asyncio.timeout(20):
        while not backends.usage.rows:
            await asyncio.sleep(0.01)
    return list(backends.usage.rows.values())


async def test_a_line_is_asked_for_its_model_alone_and_by_its_name(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """No stand-in answers it, and it goes behind those who wait."""
    await start_gateway(batches=SOON)

    await heard(backends, line(7))

    (prompt,) = backends.router.prompts
    assert (prompt.deferral, prompt.tier) == ("batch_1:7", "batch")
    assert (list(prompt.candidates), prompt.alone) == (["yandexgpt:latest"], True)


def share_prices(backends: Backends, *shares: tuple[int, int]) -> None:
    """Let lines cost so many percent of the price from a moment on, in Unix seconds."""
    model = router_pb2.Model()
    model.CopyFrom(MODELS[0])
    model.batch_shares.extend(router_pb2.BatchShare(since=Timestamp(seconds=at), percent=part) for at, part in shares)
    backends.router.models[0] = model


async def test_a_line_costs_the_share_that_counts_now(backends: Backends, start_gateway: StartGateway) -> None:
    """Of two dated shares the later one that has begun, and the row names it."""
    share_prices(backends, (1_600_000_000, 80), (1_700_000_000, 50), (4_000_000_000, 10))
    await start_gateway(batches=SOON)

    said = await heard(backends, line())

    # 6 tokens at 200 micro-roubles, 4 cached at 100 and 3 at 400 are 2800.
    assert json.loads(said.body)["usage"]["cost_rub"] == "0.001400"
    (row,) = await rows(backends)
    assert row.price_version == "2026-01+batch50"


async def test_the_cache_spares_a_line_what_lines_cost(backends: Backends, start_gateway: StartGateway) -> None:
    """Not what the same request costs outside of a batch."""
    share_prices(backends, (1_600_000_000, 50))
    backends.auth.callers[KEY] = caller(cache_ttl_s=60)
    await start_gateway(batches=SOON)

    first, second = await heard(backends, line(1)), await heard(backends, line(2))

    async with asyncio.timeout(20):
        while len(backends.usage.rows) < 2:
            await asyncio.sleep(0.01)
    asked, spared = (backends.usage.rows[each.request_id] for each in (first, second))
    assert (spared.cache_status, spared.cost_micro_rub) == ("hit", 0)
    # Of the provider's cached tokens the first one has spared some, too.
    assert spared.saved_micro_rub == asked.cost_micro_rub + asked.saved_micro_rub == 1_600


async def test_a_line_that_was_answered_is_not_asked_again(backends: Backends, start_gateway: StartGateway) -> None:
    """Another gateway that goes on with it finds the answer, under the request that was billed."""
    await start_gateway(batches=SOON)
    first = await heard(backends, line())

    again = await heard(backends, line(attempt=2))

    assert (again.request_id, again.body) == (first.request_id, first.body)
    assert len(backends.router.prompts) == 1


async def test_an_answer_of_any_length_arrives(backends: Backends, start_gateway: StartGateway) -> None:
    """It was paid for: what one message does not hold goes in parts."""
    backends.router.coordinate = 1 / 3
    asked = {"model": "text-embeddings", "input": ["x"] * 40, "dimensions": 40_000}
    await start_gateway(batches=SOON)

    said = [await heard(backends, line(body=asked, endpoint="/v1/embeddings"))]
    while not isinstance(said[-1], pb.FinishLineRequest):
        said.append(await heard(backends))

    *parts, end = said
    body = b"".join(each.body for each in said)
    assert len(body) > 24 * 1024 * 1024
    assert ([each.part for each in parts], end.parts, end.http_status) == ([0, 1, 2], 3, 200)
    assert {each.worker for each in parts} == {end.worker}
    assert [len(each["embedding"]) for each in json.loads(body)["data"]] == [40_000] * 40


AWAY = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is away.")
WRONG = InvalidRequest(ErrorReason.CONTEXT_LENGTH_EXCEEDED, "Too long.")


@pytest.mark.parametrize(
    ("failure", "attempt", "status"), [(AWAY, 1, 0), (AWAY, 5, 503), (WRONG, 1, 400)], ids=["again", "last", "wrong"]
)
async def test_what_may_pass_is_tried_again(
    backends: Backends, start_gateway: StartGateway, failure: ServiceError, attempt: int, status: int
) -> None:
    """Five times; what is wrong with the line itself fails at once."""
    backends.router.failure = failure
    await start_gateway(batches=SOON)

    said = await heard(backends, line(attempt=attempt))

    if status:
        assert said.http_status == status
    else:
        assert said.was_tried
        assert said.after_s >= 2


async def test_a_line_of_a_key_that_has_ended_fails(backends: Backends, start_gateway: StartGateway) -> None:
    """Nobody pays for it; it is logged and counted as of its endpoint."""
    of_route = {"route": "/v1/chat/completions", "code": "invalid_key"}
    before = sampled("razvilka_gateway_errors_total", **of_route)
    await start_gateway(batches=SOON)

    said = await heard(backends, line(key_id="key-9"))

    assert (said.http_status, json.loads(said.body)["error"]["code"]) == (401, "invalid_key")
    assert sampled("razvilka_gateway_errors_total", **of_route) == before + 1


@pytest.mark.parametrize("endpoint", ["/v1/chat/completions", "/v1/embeddings"])
async def test_a_line_of_a_key_that_lost_its_scope_fails(
    backends: Backends, start_gateway: StartGateway, endpoint: str
) -> None:
    """What a key may do counts now, not when its batch was made."""
    backends.auth.callers[KEY] = caller(scopes=["models:read", "usage:read"])
    await start_gateway(batches=SOON)

    said = await heard(backends, line(endpoint=endpoint, body={"model": "emb", "input": "Где?"} | ASKED))

    assert (said.http_status, json.loads(said.body)["error"]["code"]) == (403, "insufficient_scope")


async def test_a_line_of_an_application_is_asked_under_its_grant(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """As long as its user lets it in."""
    await start_gateway(batches=SOON)

    said = await heard(backends, line(key_id="", application="grant-1"))

    assert said.http_status == 200
    (row,) = await rows(backends)
    assert (row.grant_id, row.client_id) == ("grant-1", "app-1")


async def test_a_line_of_an_application_goes_on_by_the_grant_of_its_token(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """The first one, whose budget it spends, ended with the session in which it was given: every line failed."""
    month = auth_pb2.BUDGET_PERIOD_MONTH
    budgets = [auth_pb2.Budget(subject="grant:first", period=month, limit_micro_rub=10**9)]
    backends.oauth.grants = {"again": caller(key_id="", grant_id="again", client_id="app-1", budgets=budgets)}
    await start_gateway(batches=SOON)

    said = await heard(backends, line(key_id="", application="first", token_grant="again"))

    assert said.http_status == 200
    (row,) = await rows(backends)
    assert (row.grant_id, row.client_id) == ("first", "app-1")


async def test_what_became_of_a_line_is_told_until_it_was_heard(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """A router that is away for a moment leaves no line that runs for ever."""
    backends.router.batches.failures = [AWAY]
    await start_gateway(batches=SOON)

    said = await heard(backends, line())

    assert (said.number, said.http_status) == (1, 200)


async def test_a_gateway_keeps_what_it_has_heard_of_and_nothing_else(
    backends: Backends, start_gateway: StartGateway
) -> None:
    """Lines that were claimed in an answer that never came are another's as soon as their lease is over."""
    batches, backends.router.hold = backends.router.batches, asyncio.Event()
    batches.unheard = 1
    await start_gateway(batches=BatchSettings(poll_s=0.02, renew_s=0.02))
    batches.lines.append(line())

    async with asyncio.timeout(20):
        kept = {await batches.renewed.get() for _ in range(3)}
    backends.router.hold.set()
    said = await heard(backends)

    assert len(batches.lost_claims) == 1
    assert kept == {said.worker}
    assert said.worker not in batches.lost_claims
