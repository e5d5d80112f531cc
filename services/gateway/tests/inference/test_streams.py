"""Streams whose reader or server goes away, falls silent or stops: always one row, never a lie."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import usage_pb2
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing.sampled import sampled
from services.gateway.settings import StreamSettings
from services.gateway.tests.backends import KEY, Backends
from services.gateway.tests.conftest import Edge, StartGateway, visitor
from services.gateway.tests.inference.stream_calls import CHAT, body, line_with


@asynccontextmanager
async def streaming(edge: Edge, text: str, model: str = "yandexgpt") -> AsyncIterator[AsyncIterator[str]]:
    """Open a stream, read until `text` has come, and yield the lines after it. Leaving hangs up."""
    async with (
        visitor(edge, headers=edge.client.headers) as client,
        client.stream("POST", CHAT, json=body(model)) as answer,
    ):
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        await line_with(text, lines)
        yield lines


async def connect(
    edge: Edge, model: str = "yandexgpt", *, stream: bool = True
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask on a bare connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.gateway.port, limit=2**12)
    content = json.dumps(body(model, stream=stream)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    return reader, writer


async def canonical(said: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the log line of the one request, once it is there."""
    async with asyncio.timeout(20):
        while not (found := [each for each in said if each["event"] == "http.request"]):
            await asyncio.sleep(0.01)
    return found[0]


async def leave_after(text: str, edge: Edge, model: str) -> None:
    """Read a stream until `text` has come, hang up, and return when the gateway has noticed.

    It closes its own side of the connection only then.
    """
    reader, writer = await connect(edge, model)
    async with asyncio.timeout(20):
        await reader.readuntil(text.encode())
        writer.write_eof()
        await read_until_closed(reader)
    writer.close()


async def test_leaving_a_stream_cancels_it_and_bills_what_was_delivered(edge: Edge, backends: Backends) -> None:
    """Where the provider bills by what it sent, the call is cancelled at once."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2

    # Both chunks: a caller that left after the first would be billed for one, if the second was still on its way.
    async with streaming(edge, "вет"):
        pass

    row = await backends.usage.row()
    await backends.router.ended.wait()
    assert backends.router.was_cancelled
    assert (row.status, row.source) == (usage_pb2.STATUS_INTERRUPTED, usage_pb2.SOURCE_ESTIMATED)
    assert row.tokens_output == 2  # "При" and "вет" at three characters a token
    assert row.error_code == "client_left"


async def test_leaving_a_stream_that_is_billed_whole_reads_it_to_its_end(edge: Edge, backends: Backends) -> None:
    """Where the provider bills the whole answer anyway, it is drained: the row is exact."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2
    cut = sampled("razvilka_gateway_answers_cut_total", cause="client_left")
    told = sampled("razvilka_gateway_errors_total", route=CHAT, code="client_left")
    with capture_logs() as said:
        await leave_after("вет", edge, "gigachat-pro")

        backends.router.hold.set()

        row = await backends.usage.row()
        line = await canonical(said)
    assert not backends.router.was_cancelled
    assert (row.status, row.source) == (usage_pb2.STATUS_INTERRUPTED, usage_pb2.SOURCE_PROVIDER)
    assert (row.tokens_input, row.tokens_output) == (10, 3)
    assert (row.error_code, line["cut"], line["error"]) == ("client_left", "client_left", "client_left")
    assert sampled("razvilka_gateway_answers_cut_total", cause="client_left") == cut + 1
    # Nobody was there to be told.
    assert sampled("razvilka_gateway_errors_total", route=CHAT, code="client_left") == told


async def test_leaving_a_plain_answer_that_is_billed_whole_is_logged_as_leaving(edge: Edge, backends: Backends) -> None:
    """It is read to its end for the bill; the line said 200, as if somebody had got it."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    with capture_logs() as said:
        reader, writer = await connect(edge, "gigachat-pro", stream=False)
        await backends.router.entered.wait()
        writer.write_eof()
        async with asyncio.timeout(20):
            await read_until_closed(reader)
        backends.router.hold.set()
        row = await backends.usage.row()
        line = await canonical(said)
    writer.close()

    assert (row.status, row.error_code) == (usage_pb2.STATUS_INTERRUPTED, "client_left")
    assert (row.http_status, line["status"], line["cut"]) == (499, 499, "client_left")
    assert (line["tokens_out"], line["cost_micro_rub"]) == (row.tokens_output, row.cost_micro_rub)


async def test_draining_is_bounded_in_tokens(start_gateway: StartGateway, backends: Backends) -> None:
    """A provider that goes on and on is cut, however fast it writes; what came is billed."""
    edge = await start_gateway(stream=StreamSettings(drain_s=3600, drain_tokens=3))
    backends.router.chunks = ["раз ", "два ", *["ещё!!!"] * 100_000]
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2
    await leave_after("два ", edge, "gigachat-pro")

    backends.router.hold.set()

    row = await backends.usage.row()
    await backends.router.ended.wait()
    assert backends.router.was_cancelled
    assert (row.status, row.error_code) == (usage_pb2.STATUS_INTERRUPTED, "client_left")
    # Eight characters before; nine more may be drained, which the second chunk of six exceeds.
    assert row.tokens_output == 7


async def test_draining_is_bounded_in_time(start_gateway: StartGateway, backends: Backends) -> None:
    """A provider that never ends is cut, and what came is billed."""
    edge = await start_gateway(stream=StreamSettings(drain_s=0.1))
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2

    async with streaming(edge, "вет", "gigachat-pro"):
        pass

    row = await backends.usage.row()
    await backends.router.ended.wait()
    assert backends.router.was_cancelled
    assert (row.status, row.error_code) == (usage_pb2.STATUS_INTERRUPTED, "client_left")


async def test_leaving_a_plain_request_bills_the_input(edge: Edge, backends: Backends) -> None:
    """Nobody reads the answer; the provider has read the prompt."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 1
    async with visitor(edge, headers=edge.client.headers) as client:
        request = asyncio.ensure_future(client.post(CHAT, json=body(stream=False)))
        await backends.router.entered.wait()
        request.cancel()

    row = await backends.usage.row()
    await backends.router.ended.wait()
    assert backends.router.was_cancelled
    assert (row.status, row.tokens_output) == (usage_pb2.STATUS_INTERRUPTED, 0)
    assert row.tokens_input > 0


async def test_progress_the_provider_told_is_what_a_cut_stream_is_billed_by(edge: Edge, backends: Backends) -> None:
    """A provider's own running count beats ours."""
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 2
    backends.router.progress = pb.Usage(prompt_tokens=21, completion_tokens=17)

    async with streaming(edge, "вет"):
        pass

    row = await backends.usage.row()
    assert (row.tokens_input, row.tokens_output) == (21, 17)


async def test_a_silent_stream_is_kept_alive(start_gateway: StartGateway, backends: Backends) -> None:
    """Comments flow while the model thinks; clients ignore them."""
    edge = await start_gateway(stream=StreamSettings(keepalive_s=0.05))
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 1

    async with streaming(edge, "При") as lines:
        await line_with(": keep-alive", lines)
        backends.router.hold.set()
        rest = [line async for line in lines]

    assert rest[-2:] == ["data: [DONE]", ""]


@pytest.mark.parametrize("include_usage", [False, True])
async def test_headers_of_a_slow_model_leave_at_once(
    start_gateway: StartGateway, backends: Backends, include_usage: bool
) -> None:
    """A comment follows them, and what they could not say stands in the frame that ends the choice."""
    edge = await start_gateway(stream=StreamSettings(headers_s=0.05))
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    backends.router.dropped, backends.router.queued_ms = ["seed"], 420
    asked = {**body(), "stream_options": {"include_usage": include_usage}}

    async with edge.client.stream("POST", CHAT, json=asked) as answer:
        lines = answer.aiter_lines()
        await line_with(": keep-alive", lines)
        backends.router.hold.set()
        rest = [json.loads(line[6:]) async for line in lines if line.startswith("data: {")]

    assert answer.status_code == 200
    assert "x-razvilka-model" not in answer.headers
    said = [frame["x_razvilka"] for frame in rest if "x_razvilka" in frame]
    told = {"model": "yandexgpt:latest-build-7", "provider": "yandexgpt", "queue_ms": "420", "dropped_params": "seed"}
    assert said == [told]
    (ended,) = [frame for frame in rest if frame["choices"] and frame["choices"][0]["finish_reason"]]
    assert "x_razvilka" in ended


async def test_a_model_that_fails_late_fails_by_an_event(start_gateway: StartGateway, backends: Backends) -> None:
    """The status has left; nothing was delivered, so nothing is billed."""
    edge = await start_gateway(stream=StreamSettings(headers_s=0.05))
    backends.router.hold, backends.router.hold_at = asyncio.Event(), 0
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is down.")

    async with edge.client.stream("POST", CHAT, json=body()) as answer:
        lines = answer.aiter_lines()
        await line_with(": keep-alive", lines)
        backends.router.hold.set()
        rest = [line async for line in lines if line and not line.startswith(":")]

    row = await backends.usage.row()
    assert (answer.status_code, rest[0]) == (200, "event: error")
    assert json.loads(rest[1][6:])["error"]["message"] == "The provider is down."
    assert (len(rest), row.cost_micro_rub, row.status) == (2, 0, usage_pb2.STATUS_FAILED)


async def test_a_model_that_fails_soon_fails_by_a_status(edge: Edge, backends: Backends) -> None:
    """Within a second the headers have not left."""
    backends.router.failure = Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, "The provider is down.")

    answer = await edge.client.post(CHAT, json=body())

    assert answer.status_code == 503


async def test_a_reader_that_does_not_read_is_cut_and_billed(start_gateway: StartGateway, backends: Backends) -> None:
    """Memory for a slow reader is bounded by the socket's buffers; after a while the stream ends."""
    edge = await start_gateway(stream=StreamSettings(write_s=0.2))
    backends.router.chunks = ["x" * 100_000] * 200

    reader, writer = await connect(edge)
    row = await backends.usage.row()

    assert (row.status, row.error_code) == (usage_pb2.STATUS_INTERRUPTED, "slow_reader")
    await backends.router.ended.wait()
    assert backends.router.was_cancelled
    assert row.tokens_output < 100_000 * 200 / 3
    assert b"[DONE]" not in await read_until_closed(reader)
    writer.close()


async def test_one_still_reader_delays_no_other_stream(edge: Edge, backends: Backends) -> None:
    """Its provider is paused, it alone, while two hundred others run to their ends; then it goes on to its own."""
    backends.router.chunks_of["gigachat-pro"] = ["x" * 100_000] * 200
    reader, writer = await connect(edge, "gigachat-pro")
    await backends.router.entered.wait()

    answers = await asyncio.gather(*(edge.client.post(CHAT, json=body()) for _ in range(200)))
    paused_at = backends.router.said["gigachat-pro"]
    heard = bytearray()
    while b"[DONE]" not in heard[-100:]:
        heard += await reader.read(65_536)
    writer.close()

    assert all(answer.text.endswith("data: [DONE]\n\n") for answer in answers)
    assert paused_at < 200
    assert backends.router.said["gigachat-pro"] == 200
    assert heard.count(b"x") >= 200 * 100_000


async def read_until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection ends, in whatever way."""
    parts = bytearray()
    try:
        while part := await reader.read(65_536):
            parts += part
    except ConnectionError:
        pass
    return bytes(parts)
