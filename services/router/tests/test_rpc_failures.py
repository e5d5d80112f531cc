"""Failures over the RPC: what is tried again, what falls back, what callers hear, and what their leaving ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit.errors import DeadlineExceeded, ErrorReason, InvalidRequest, PermissionDenied, ServiceError
from services.router.tests.adapters import HASTY, LONG_S, PATIENT
from services.router.tests.running_router import CONTEXT, Ask, Stub, complete, ends_of, prompt, router, stream, text_of


@pytest.mark.parametrize("ask", [complete, stream])
async def test_a_reset_is_tried_once_more(stub: Stub, emulator: RunningEmulator, ask: Ask) -> None:
    """The caller does not notice, the attempts say so."""
    await emulator.control.fail("rst_before_headers", operation="chat")

    answer = await ask(stub, prompt("yandexgpt-lite", "[[text:да]]"))

    _, end = ends_of(answer)
    assert [attempt.reason for attempt in end.attempts] == ["PROVIDER_UNAVAILABLE", ""]


@pytest.mark.parametrize("ask", [complete, stream])
async def test_falls_back_as_the_catalogue_says(stub: Stub, emulator: RunningEmulator, ask: Ask) -> None:
    """A failing model is tried twice, then its fallback answers and is named."""
    await emulator.control.fail("status", operation="chat", model="yandexgpt-5-pro", times=-1, code=500)

    answer = await ask(stub, prompt("yandexgpt", "[[text:да]]"))

    first, end = ends_of(answer)
    assert first.route.model == "yandexgpt-5.1"
    assert [(attempt.model, attempt.reason) for attempt in end.attempts] == [
        ("yandexgpt:latest", "PROVIDER_ERROR"),
        ("yandexgpt:latest", "PROVIDER_ERROR"),
        ("yandexgpt-5.1", ""),
    ]


@pytest.mark.parametrize("ask", [complete, stream])
async def test_no_model_outside_the_caller_s_list_answers(stub: Stub, emulator: RunningEmulator, ask: Ask) -> None:
    """A credential for one model gets that model's failure, not another model's answer and bill."""
    await emulator.control.fail("status", operation="chat", model="yandexgpt-5-pro", times=-1, code=503)

    with pytest.raises(ServiceError) as caught:
        await ask(stub, prompt("yandexgpt", allowed_models=["yandexgpt:latest"]))

    attempts = json.loads(caught.value.details["attempts"])
    assert {attempt["model"] for attempt in attempts} == {"yandexgpt:latest"}
    calls = await emulator.control.ground_truth(operation="chat")
    assert {call["model"].rpartition("/")[2] for call in calls} == {"yandexgpt-5-pro"}


async def test_a_model_outside_the_caller_s_list_is_refused(stub: Stub, emulator: RunningEmulator) -> None:
    """Whoever asks: nothing reaches a provider, for vectors neither."""
    embed = pb.EmbedRequest(model="text-search-doc", input=["раз"], allowed_models=["yandexgpt:latest"])
    for asking in (
        complete(stub, prompt("gigachat", allowed_models=["yandexgpt:latest"])),
        stub.calls.unary("Embed", embed, deadline_s=LONG_S, context=CONTEXT),
    ):
        with pytest.raises(PermissionDenied) as caught:
            await asking
        assert (caught.value.reason, caught.value.param) == (ErrorReason.MODEL_NOT_ALLOWED, "model")

    assert await emulator.control.ground_truth() == []


@pytest.mark.parametrize("ask", [complete, stream])
async def test_gives_up_after_three_attempts_and_tells_them(stub: Stub, emulator: RunningEmulator, ask: Ask) -> None:
    """The last failure is the answer; its details say what was tried."""
    await emulator.control.fail("status", operation="chat", times=-1, code=503)

    with pytest.raises(ServiceError) as caught:
        await ask(stub, prompt("yandexgpt"))

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
    attempts = json.loads(caught.value.details["attempts"])
    assert [attempt["model"] for attempt in attempts] == ["yandexgpt:latest", "yandexgpt:latest", "yandexgpt-5.1"]
    assert len(await emulator.control.ground_truth(operation="chat")) == 3


@pytest.mark.parametrize("ask", [complete, stream])
async def test_a_silent_provider_leaves_time_for_the_fallback(emulator: RunningEmulator, ask: Ask) -> None:
    """One deadline for all attempts: a model that never begins to answer takes half of it at most.

    The other half is what the fallback has to answer in, on a machine that may stand still for seconds.
    """
    await emulator.control.fail("stall_before_headers", operation="chat", model="yandexgpt-5-pro", times=-1)
    patient = PATIENT.model_copy(update={"answer_s": 12.0})

    async with router(emulator, http=patient) as stub:
        answer = await ask(stub, prompt("yandexgpt", "[[text:да]]"))

    first, end = ends_of(answer)
    assert first.route.model == "yandexgpt-5.1"
    assert [attempt.reason for attempt in end.attempts] == ["PROVIDER_TIMEOUT", ""]


async def test_only_the_choices_that_failed_are_asked_again(stub: Stub, emulator: RunningEmulator) -> None:
    """Three choices are three calls: what two of them have made is billed once and not made twice."""
    await emulator.control.fail("status", operation="chat", code=503, skip=2)

    answer = await complete(stub, prompt("yandexgpt", "[[text:да]]", n=3))

    assert [choice.content for choice in answer.choices] == ["да", "да", "да"]
    assert answer.end.usage.completion_tokens == 3
    assert len(await emulator.control.ground_truth(operation="chat")) == 4


async def test_calls_that_were_answered_tie_a_request_to_their_model(stub: Stub, emulator: RunningEmulator) -> None:
    """The failure says what they used; another model would make a bill at two prices."""
    await emulator.control.fail("status", operation="chat", code=500, skip=2, times=-1)

    with pytest.raises(ServiceError) as caught:
        await complete(stub, prompt("yandexgpt", "[[text:да]]", n=3))

    used = json.loads(caught.value.details["used"])
    calls = await emulator.control.ground_truth(operation="chat")
    assert [figures[1] for figures in used] == [1, 1]
    assert {call["model"].rpartition("/")[2] for call in calls} == {"yandexgpt-5-pro"}


async def test_vectors_that_were_made_are_kept_when_another_fails(stub: Stub, emulator: RunningEmulator) -> None:
    """YandexGPT makes one vector a call: an attempt asks for what is missing, and a failure tells the use."""
    request = pb.EmbedRequest(model="text-search-doc", input=["раз", "два", "три"])
    await emulator.control.fail("status", operation="embeddings", code=503, skip=2)
    answer = await stub.calls.unary("Embed", request, deadline_s=LONG_S, context=CONTEXT)
    calls = await emulator.control.ground_truth(operation="embeddings")
    await emulator.control.fail("status", operation="embeddings", code=400, skip=2)

    with pytest.raises(ServiceError) as caught:
        await stub.calls.unary("Embed", request, deadline_s=LONG_S, context=CONTEXT)

    assert (len(answer.embeddings), len(calls)) == (3, 4)
    assert len(json.loads(caught.value.details["used"])) == 2


async def test_an_overflow_is_told_in_the_words_that_clients_look_for(stub: Stub, emulator: RunningEmulator) -> None:
    """Trimming and fallback of client libraries start at this sentence."""
    await emulator.control.replay("yandex/error_400_context")

    with pytest.raises(
        InvalidRequest, match=r"^This model's maximum context length is \d+ tokens\. However, your input"
    ):
        await complete(stub, prompt("yandexgpt-5.1"))


async def test_nothing_is_tried_again_after_content(stub: Stub, emulator: RunningEmulator) -> None:
    """What was shown cannot be recalled: the stream ends with the error, and says that it is partial."""
    await emulator.control.fail("cut_mid_stream", operation="chat", after=2)
    heard: list[pb.StreamResponse] = []

    with pytest.raises(ServiceError) as caught:
        await stream(stub, prompt("yandexgpt", "[[tokens:30]] [[gap:20]]"), heard=heard)

    assert text_of(heard)
    assert caught.value.details["partial"] == "true"
    assert heard[-1].progress.completion_tokens > 0
    assert len(await emulator.control.ground_truth(operation="chat")) == 1


@pytest.mark.parametrize("model", ["yandexgpt-lite", "gigachat"])
async def test_a_stall_before_content_ends_in_time(emulator: RunningEmulator, model: str) -> None:
    """A provider that says nothing costs the limit, not the caller's patience."""
    await emulator.control.fail("stall_before_headers", operation="chat", times=-1)
    async with router(emulator, http=HASTY) as stub:
        with pytest.raises(ServiceError) as caught:
            await stream(stub, prompt(model))

    assert caught.value.reason is ErrorReason.PROVIDER_TIMEOUT


async def test_the_caller_s_deadline_ends_the_provider_s_call(stub: Stub, emulator: RunningEmulator) -> None:
    """Its time is over here first, with our own error."""
    await emulator.control.fail("stall_before_headers", operation="chat", times=-1)

    with pytest.raises(DeadlineExceeded):
        await complete(stub, prompt("yandexgpt"), deadline_s=0.3)


async def ended(emulator: RunningEmulator) -> dict[str, Any]:
    """Wait until the emulator has seen the end of its call."""
    async with asyncio.timeout(LONG_S):
        while not (calls := [call for call in await emulator.control.ground_truth(operation="chat") if call["ended"]]):
            await asyncio.sleep(0.01)
    return calls[-1]


@pytest.mark.parametrize("model", ["yandexgpt", "gigachat", "aliceai-llm-flash"])
async def test_a_caller_who_leaves_ends_the_provider_s_call(stub: Stub, emulator: RunningEmulator, model: str) -> None:
    """At once: a provider keeps generating, and billing, for as long as somebody reads."""
    asked = prompt(model, "[[tokens:300]] [[gap:20]]")

    async with aclosing(stub.calls.stream("Stream", asked, deadline_s=30, context=CONTEXT)) as parts:
        async for _ in parts:
            break

    call = await ended(emulator)
    assert call["ended"] != "complete"
    assert call["delivered_tokens"] < 100
