"""What is told of a request that several models have failed: what its caller can act upon, whoever was asked last."""

from __future__ import annotations

import json

import pytest
from razvilka.router.v1 import router_pb2 as pb
from structlog.testing import capture_logs

from emulator.testing import RunningEmulator
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.failure import more_useful
from services.router.providers import failures
from services.router.tests.running_router import Ask, Stub, complete, ends_of, prompt, stream

BOTH = pytest.mark.parametrize("ask", [complete, stream])
PIXEL = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}'
SEES = "gigachat-pro"


def picture(*candidates: str) -> pb.Prompt:
    """Return a question about an image, which YandexGPT's models do not see."""
    parts = [pb.ContentPart(type="text", text="Что это?"), pb.ContentPart(type="image_url", json=PIXEL)]
    return pb.Prompt(model=SEES, messages=[pb.Message(role=pb.ROLE_USER, parts=parts)], candidates=candidates)


def reasons(failure: ServiceError) -> list[str]:
    return [attempt["reason"] for attempt in json.loads(failure.details["attempts"])]


@BOTH
async def test_a_stand_in_that_sees_no_images_does_not_make_the_request_wrong(
    stub: Stub, emulator: RunningEmulator, ask: Ask
) -> None:
    """The model that was asked for sees them and is down for a moment: it was a 400, which no client asks again."""
    await emulator.control.fail("status", operation="chat", provider="gigachat", times=-1, code=503)

    with pytest.raises(ServiceError) as caught:
        await ask(stub, picture(SEES, "yandexgpt:latest"))

    assert caught.value.reason is ErrorReason.PROVIDER_ERROR
    assert reasons(caught.value) == ["PROVIDER_ERROR", "PROVIDER_ERROR", "UNSUPPORTED_PARAMETER"]


@BOTH
async def test_a_stand_in_that_cannot_take_a_request_is_followed_by_the_next(
    stub: Stub, emulator: RunningEmulator, ask: Ask
) -> None:
    """Nothing went out to it."""
    await emulator.control.fail("status", operation="chat", model="GigaChat-2-Pro", times=-1, code=503)

    answer = await ask(stub, picture(SEES, "yandexgpt:latest", "gigachat-max"))

    assert ends_of(answer)[0].route.model == "gigachat-max"


@BOTH
async def test_a_stand_in_without_credentials_does_not_hide_when_to_come_again(
    stub: Stub, emulator: RunningEmulator, ask: Ask
) -> None:
    """The model that was asked for said it; the other one's key is the operator's business."""
    await emulator.control.fail("rate_limit", operation="chat", provider="gigachat", times=-1, retry_after=20)
    await emulator.control.fail("status", operation="chat", provider="yandex", times=-1, code=401)

    with pytest.raises(ServiceError) as caught:
        await ask(stub, prompt(SEES, candidates=[SEES, "yandexgpt:latest"]))

    assert (caught.value.reason, caught.value.retry_after_s) == (ErrorReason.PROVIDER_RATE_LIMITED, 20.0)
    assert reasons(caught.value) == ["PROVIDER_RATE_LIMITED", "PROVIDER_CREDENTIALS"]


async def test_a_smaller_stand_in_says_nothing_of_how_long_a_prompt_may_be(
    stub: Stub, emulator: RunningEmulator
) -> None:
    """Clients cut conversations for such a word. While the larger model is left out they come again, too."""
    await emulator.control.fail("status", operation="chat", provider="gigachat", times=-1, code=503)
    told = []

    for _ in range(4):
        await emulator.control.replay("yandex/error_400_context")
        with pytest.raises(ServiceError) as caught:
            await complete(stub, prompt(SEES, candidates=[SEES, "yandexgpt-5.1"]))
        told.append(caught.value)

    assert [each.reason for each in told] == [*[ErrorReason.PROVIDER_ERROR] * 3, ErrorReason.NO_HEALTHY_PROVIDER]
    assert reasons(told[-1]) == ["SKIPPED_CIRCUIT_OPEN", "CONTEXT_LENGTH_EXCEEDED"]
    assert told[-1].retry_after_s is not None


@BOTH
async def test_another_model_answers_for_one_that_its_provider_does_not_know(
    stub: Stub, emulator: RunningEmulator, ask: Ask
) -> None:
    """The caller has named a model that the catalogue knows: it was a 404, though a fallback stood by."""
    await emulator.control.fail("golden", operation="chat", provider="gigachat", name="gigachat/error_404_model")

    answer = await ask(stub, prompt(SEES, candidates=[SEES, "yandexgpt:latest"]))

    route, end = ends_of(answer)
    assert route.route.model == "yandexgpt:latest"
    assert [attempt.reason for attempt in end.attempts] == ["MODEL_NOT_FOUND", ""]


async def test_a_stand_in_that_its_provider_does_not_know_makes_no_request_wrong(
    stub: Stub, emulator: RunningEmulator
) -> None:
    """While the model that was asked for is left out, its callers come again."""
    await emulator.control.fail("status", operation="chat", provider="gigachat", times=-1, code=503)
    await emulator.control.fail("status", operation="chat", provider="yandex", times=-1, code=404)
    told = []

    for _ in range(4):
        with pytest.raises(ServiceError) as caught:
            await complete(stub, prompt(SEES, candidates=[SEES, "yandexgpt:latest"]))
        told.append(caught.value)

    assert [each.reason for each in told] == [*[ErrorReason.PROVIDER_ERROR] * 3, ErrorReason.NO_HEALTHY_PROVIDER]
    assert reasons(told[-1]) == ["SKIPPED_CIRCUIT_OPEN", "MODEL_NOT_FOUND"]
    assert told[-1].retry_after_s is not None


@BOTH
async def test_a_tool_that_is_too_large_is_told_by_its_name(stub: Stub, emulator: RunningEmulator, ask: Ask) -> None:
    """`tools[22]` has to be counted out, and is another one where the caller's list had more than functions."""
    words = "Tokens limit exceeded for index 1: 4451 (max 4096)"
    await emulator.control.fail("status", operation="chat", provider="gigachat", times=-1, code=413, message=words)
    schema = b'{"type":"object","properties":{}}'
    tools = [pb.Tool(name=name, parameters_json=schema) for name in ("now", "get.weather")]

    with pytest.raises(ServiceError) as caught:
        await ask(stub, prompt("gigachat-pro", tools=tools))

    assert (caught.value.reason, caught.value.param) == (ErrorReason.TOOL_TOO_LARGE, "tools[1]")
    assert "shorten `tools[1]` (get.weather)." in caught.value.message


@BOTH
async def test_a_tool_that_cannot_be_mapped_is_told_by_its_name(stub: Stub, ask: Ask) -> None:
    """As one that is too large."""
    tools = [pb.Tool(name="now", parameters_json=b'{"type":"object"}'), pb.Tool(name="look_up", parameters_json=b"[]")]

    with pytest.raises(ServiceError) as caught:
        await ask(stub, prompt("gigachat-pro", tools=tools))

    assert caught.value.message == "'tools[1].function.parameters' (look_up) must be a JSON object."


async def test_a_provider_that_cannot_be_reached_leaves_the_cause_in_the_log(
    stub: Stub, emulator: RunningEmulator
) -> None:
    """Its name, its certificate or our network: to callers each is the same 503, and nothing else names it."""
    await emulator.control.fail("rst_before_headers", operation="chat", provider="gigachat", times=-1)

    with capture_logs() as logs, pytest.raises(ServiceError):
        await complete(stub, prompt(SEES, candidates=[SEES, "gigachat-max"]))

    events = ("router.retry", "router.fallback", "router.gave_up")
    lines = [line for line in logs if line["event"] in events]
    assert {line["event"] for line in lines} == set(events)
    assert {(line["reason"], line.get("cause")) for line in lines} == {("PROVIDER_UNAVAILABLE", "ClientOSError")}
    assert all("Connection reset by peer" in line["error"] for line in lines)


async def test_a_refused_request_leaves_no_line_of_a_failure(stub: Stub, emulator: RunningEmulator) -> None:
    """Anybody could fill the log."""
    await emulator.control.replay("yandex/error_400_context")

    with capture_logs() as logs, pytest.raises(ServiceError):
        await complete(stub, prompt("yandexgpt-5.1", candidates=["yandexgpt-5.1"]))

    assert "router.gave_up" not in {line["event"] for line in logs}


def test_what_passes_by_itself_is_told_before_what_does_not() -> None:
    """Of two alike the latest, and a refusal where nothing passes: it may be all that the caller can mend."""
    full, down = failures.rate_limited(20.0), failures.unreachable()
    key, small, wrong = failures.refused_us(), failures.too_long(), failures.bad_request("no")
    never = failures.wrong_address("gigachat")

    assert more_useful(None, small) is small
    assert more_useful(full, down) is down
    assert [more_useful(full, each) for each in (key, small, wrong, never)] == [full] * 4
    assert [more_useful(each, small) for each in (key, never, wrong)] == [small] * 3
