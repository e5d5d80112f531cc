"""Chat completions that go wrong: before the first token, in the middle, or without a count."""

from __future__ import annotations

import openai
import pytest
from razvilka.usage.v1 import usage_pb2

from servicekit.errors import ErrorReason, InvalidRequest, ProviderFailed
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.chat_calls import HELLO, PATH, events, official


async def test_a_router_error_before_the_first_token_has_its_true_status(edge: Edge, backends: Backends) -> None:
    """A stream that never began is an ordinary error, and costs nothing."""
    backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_TIMEOUT, "The provider is too slow.")

    answer = await edge.client.post(PATH, json={**HELLO, "stream": True})

    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "provider_timeout"
    row = await backends.usage.row()
    assert (row.status, row.cost_micro_rub, row.http_status) == (usage_pb2.STATUS_FAILED, 0, 504)


async def test_a_refusal_by_the_router_leaves_no_row(edge: Edge, backends: Backends) -> None:
    """What no provider ever saw is not a request to account for."""
    backends.router.failure = InvalidRequest(ErrorReason.UNSUPPORTED_PARAMETER, "No logprobs here.", param="logprobs")

    answer = await edge.client.post(PATH, json=HELLO)
    backends.router.failure = None
    second = await edge.client.post(PATH, json=HELLO)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "logprobs"
    await backends.usage.row(second.headers["x-request-id"])
    assert list(backends.usage.rows) == [second.headers["x-request-id"]]


@pytest.mark.parametrize("without_end", [True, False], ids=["no end", "error"])
async def test_a_broken_stream_says_so(edge: Edge, backends: Backends, without_end: bool) -> None:
    """After the first token a failure is one error event, no [DONE]; what was delivered is billed."""
    backends.router.without_end = without_end
    if not without_end:
        backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_ERROR, "The provider broke off.")
        backends.router.fail_at = 2

    answer = await edge.client.post(PATH, json={**HELLO, "stream": True})

    assert answer.status_code == 200
    assert "[DONE]" not in answer.text
    assert answer.text.count("event: error\n") == 1
    error = events(answer.text)[-1]["error"]
    assert error["code"] == "provider_error"
    assert error["details"]["partial"] == "true"
    row = await backends.usage.row()
    assert row.status == usage_pb2.STATUS_FAILED
    assert row.source == usage_pb2.SOURCE_ESTIMATED
    assert row.tokens_output >= 1
    assert row.cost_micro_rub > 0


async def test_the_official_client_raises_on_a_broken_stream(edge: Edge, backends: Backends) -> None:
    """The error event ends the iteration with an APIError, never quietly."""
    backends.router.failure = ProviderFailed(ErrorReason.PROVIDER_ERROR, "The provider broke off.")
    backends.router.fail_at = 2
    stream = await official(edge).chat.completions.create(**HELLO, stream=True)

    with pytest.raises(openai.APIError, match="broke off"):
        async for _ in stream:
            pass


async def test_usage_that_nobody_said_is_estimated(edge: Edge, backends: Backends) -> None:
    """Without the provider's count ours is used, and the row says so."""
    backends.router.usage = None

    body = (await edge.client.post(PATH, json=HELLO)).json()

    row = await backends.usage.row()
    assert row.source == usage_pb2.SOURCE_ESTIMATED
    assert body["usage"]["completion_tokens"] == row.tokens_output == 3
    assert body["usage"]["cost_rub"] == f"{row.cost_micro_rub / 1e6:.6f}"
