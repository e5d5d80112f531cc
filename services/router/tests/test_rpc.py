"""The whole router behind its real gRPC server, on the emulator; without PostgreSQL and Redis."""

from __future__ import annotations

import pytest
from razvilka.router.v1 import router_pb2 as pb

from emulator.testing import RunningEmulator
from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.errors import ErrorReason, InvalidRequest, NotFound, ServiceError
from servicekit.tracing import begin_trace
from services.router.tests.adapters import LONG_S
from services.router.tests.running_router import CONTEXT, Ask, Stub, complete, ends_of, prompt, stream, text_of


@pytest.mark.parametrize("model", ["yandexgpt", "gigachat/pro", "aliceai-llm-flash"])
async def test_answers_whole_and_streamed_alike(stub: Stub, model: str) -> None:
    """Route first, end last, the same text and usage either way."""
    asked = prompt(model, "[[text:раз два три четыре]] [[chunks:4]]")

    whole = await complete(stub, asked)
    parts = await stream(stub, asked)

    assert whole.choices[0].content == text_of(parts) == "раз два три четыре"
    assert whole.choices[0].finish_reason == pb.FINISH_REASON_STOP
    assert parts[0].HasField("route")
    assert not any(part.HasField("route") for part in parts[1:])
    assert parts[-1].HasField("end")
    assert parts[-1].deltas[-1].finish_reason == pb.FINISH_REASON_STOP
    for answered in (parts[0], whole):
        # The first one of all may have asked for its slot.
        answered.route.ClearField("queued_ms")
    assert parts[0].route == whole.route
    assert whole.end.usage.prompt_tokens > 0
    assert [attempt.reason for attempt in parts[-1].end.attempts] == [""]
    assert whole.end.attempts[0].provider_request_id


async def test_says_what_answered_and_what_was_dropped(stub: Stub) -> None:
    """The model as asked, as resolved, and the parameters that did not count."""
    answer = await complete(stub, prompt("yandexgpt", top_p=0.5, other_json={"seed": b"1"}))

    route = answer.route
    assert (route.provider, route.model, route.resolved_model) == ("yandexgpt", "yandexgpt:latest", "yandexgpt-5-pro")
    assert list(route.dropped_params) == ["seed", "top_p"]


async def test_the_caller_s_ids_reach_the_provider(stub: Stub, emulator: RunningEmulator) -> None:
    """Request id and trace go on to the provider's call."""
    call = CallContext("0197-abc", begin_trace(f"00-{'c' * 32}-{'d' * 16}-01"))
    for model in ("yandexgpt", "gigachat"):
        await complete(stub, prompt(model), context=call)

    calls = await emulator.control.ground_truth(operation="chat")
    assert [entry["request_id"] for entry in calls] == ["0197-abc", "0197-abc"]


async def test_embeds(stub: Stub) -> None:
    """One vector for each text, in order, with usage."""
    for model in ("text-search-doc", "Embeddings"):
        request = pb.EmbedRequest(model=model, input=["раз", "два", "три"])
        answer = await stub.calls.unary("Embed", request, deadline_s=LONG_S, context=CONTEXT)

        assert [embedding.index for embedding in answer.embeddings] == [0, 1, 2]
        assert all(embedding.values for embedding in answer.embeddings)
        assert answer.end.usage.prompt_tokens > 0


@pytest.mark.parametrize("ask", [complete, stream])
@pytest.mark.parametrize(
    ("asked", "kind", "reason", "param"),
    [
        (prompt("gpt-17"), NotFound, ErrorReason.MODEL_NOT_FOUND, "model"),
        (prompt("text-search-doc"), InvalidRequest, ErrorReason.INVALID_PARAMETERS, "model"),
        (pb.Prompt(model="yandexgpt"), InvalidRequest, ErrorReason.INVALID_PARAMETERS, "messages"),
        (prompt("yandexgpt", ""), InvalidRequest, ErrorReason.INVALID_PARAMETERS, "messages"),
        (prompt("yandexgpt", n=99), InvalidRequest, ErrorReason.INVALID_PARAMETERS, "n"),
        (prompt("yandexgpt", n=0), InvalidRequest, ErrorReason.INVALID_PARAMETERS, "n"),
        (
            prompt("yandexgpt", other_json={"logit_bias": b'{"1":1}'}),
            InvalidRequest,
            ErrorReason.UNSUPPORTED_PARAMETER,
            "logit_bias",
        ),
    ],
)
async def test_bad_requests_name_their_field(
    stub: Stub, ask: Ask, asked: pb.Prompt, kind: type[ServiceError], reason: ErrorReason, param: str
) -> None:
    """The same over gRPC as in the process, before anything is sent to a provider."""
    with pytest.raises(kind) as caught:
        await ask(stub, asked)

    assert (caught.value.reason, caught.value.param) == (reason, param)


@pytest.mark.parametrize("ask", [complete, stream])
async def test_usage_that_nobody_says_or_counts_is_not_made_up(stub: Stub, ask: Ask) -> None:
    """The gateway counts by the rule by which it estimated; zeros here would be taken for the provider's."""
    _, end = ends_of(await ask(stub, prompt("aliceai-llm-flash", "[[fault:usage_missing]] раз")))

    assert not end.HasField("usage")


async def test_the_catalogue_says_what_n_choices_read_and_what_prompts_have_used(stub: Stub) -> None:
    """Who holds money for a request needs both; a change of either is a new version."""
    before = await rpc_client.unary(stub.rpcs.ListModels, pb.ListModelsRequest(), deadline_s=LONG_S)
    for _ in range(200):
        await complete(stub, prompt("yandexgpt", "раз два " * 40, token_bound=320, script="cyrillic"))
    after = await rpc_client.unary(stub.rpcs.ListModels, pb.ListModelsRequest(), deadline_s=LONG_S)

    models = {each.id: each for each in after.models}
    assert models["yandexgpt:latest"].bills_input_per_choice
    assert dict(models["yandexgpt:latest"].learned_shares) == {"cyrillic": 0.3}
    assert dict(models["gigachat-pro"].learned_shares) == {}
    assert after.version != before.version
