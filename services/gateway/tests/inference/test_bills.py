"""What is billed when a provider lies, says nothing or fails half way, and what a nearly spent budget allows."""

from __future__ import annotations

import pytest
import redis.asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY
from razvilka.auth.v1 import auth_pb2
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import usage_pb2

from servicekit.errors import ErrorReason, InvalidRequest, ProviderFailed
from servicekit.testing.sampled import sampled
from services.gateway.tests.admission_kit import leftovers
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.inference.billed_calls import BOUND, CHAT, IN, OUT, TEXT, chat
from services.gateway.tests.router_backend import model


@pytest.mark.parametrize("stream", [False, True])
async def test_a_claim_beyond_every_bound_gives_back_leases_and_holds(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis, stream: bool
) -> None:
    """Five claims of 2**62 tokens were five 500s once, and five leases that stayed until the restart."""
    free = auth_pb2.Limits(requests_per_minute=1000, concurrent_requests=5)
    backends.auth.callers[KEY] = caller(user_limits=free)
    backends.router.usage = pb.Usage(prompt_tokens=10, completion_tokens=2**62)

    statuses = [(await edge.client.post(CHAT, json=chat(stream=stream))).status_code for _ in range(7)]

    assert statuses == [200] * 7
    assert await leftovers(redis_client) == []


CLAIMS = {
    "a billion tokens out": (pb.Usage(prompt_tokens=10, completion_tokens=10**9), 10, 10, "output_disputed"),
    "a billion tokens in": (pb.Usage(prompt_tokens=10**9, completion_tokens=3), BOUND, 3, "input_disputed"),
    "both": (pb.Usage(prompt_tokens=2**62, completion_tokens=2**62), BOUND, 10, "input_disputed,output_disputed"),
}


@pytest.mark.parametrize(("claim", "tokens_in", "tokens_out", "flags"), CLAIMS.values(), ids=CLAIMS)
async def test_a_claim_beyond_what_is_plausible_is_disputed_and_billed_at_the_bound(
    edge: Edge, backends: Backends, claim: pb.Usage, tokens_in: int, tokens_out: int, flags: str
) -> None:
    """The row, the answer's usage and the request's explanation say the same."""
    backends.router.usage = claim

    answer = (await edge.client.post(CHAT, json=chat())).json()
    row = await backends.usage.row()
    told = (await edge.client.get(f"/v1/requests/{row.request_id}")).json()

    assert (row.tokens_input, row.tokens_output, row.flags) == (tokens_in, tokens_out, flags)
    assert row.source == usage_pb2.SOURCE_DISPUTED
    assert row.cost_micro_rub == tokens_in * IN + tokens_out * OUT
    assert answer["usage"]["total_tokens"] == tokens_in + tokens_out
    assert (told["counted_by"], told["flags"]) == ("disputed", flags.split(","))


async def test_a_long_claim_for_a_short_answer_is_disputed(edge: Edge, backends: Backends) -> None:
    """8,000 tokens were asked for and 7 characters came: they cannot be 8,000 tokens."""
    backends.router.usage = pb.Usage(prompt_tokens=10, completion_tokens=8000)

    await edge.client.post(CHAT, json=chat(max_tokens=8000))

    row = await backends.usage.row()
    assert (row.tokens_output, row.source) == (4 * len("Привет!") + 64, usage_pb2.SOURCE_DISPUTED)


async def test_hidden_reasoning_is_believed_within_what_was_asked_for(edge: Edge, backends: Backends) -> None:
    """A provider that says how much of its answer was thought is not doubted for not showing it."""
    backends.router.usage = pb.Usage(prompt_tokens=10, completion_tokens=5000, reasoning_tokens=4990)

    await edge.client.post(CHAT, json=chat(max_tokens=8000))

    row = await backends.usage.row()
    assert (row.tokens_output, row.source) == (5000, usage_pb2.SOURCE_PROVIDER)


async def test_input_that_the_provider_had_cached_is_counted_apart(edge: Edge, backends: Backends) -> None:
    """It is part of the input, so sums of tokens stay right."""
    labels = {"provider": "yandexgpt", "model": "yandexgpt:latest"}
    names = ("razvilka_gateway_cached_tokens_total", "razvilka_gateway_tokens_total")
    before = sampled(names[0], **labels), sampled(names[1], **labels, direction="input")

    await edge.client.post(CHAT, json=chat())

    row = await backends.usage.row()
    after = sampled(names[0], **labels), sampled(names[1], **labels, direction="input")
    assert (row.tokens_cached, row.tokens_input) == (4, 10)
    assert (after[0] - before[0], after[1] - before[1]) == (4, 10)


async def test_what_was_delivered_above_the_hold_is_billed_and_flagged(edge: Edge, backends: Backends) -> None:
    """The provider ignored max_tokens: the caller has the text, and pays for it; the row says by how much."""
    backends.router.chunks = ["Привет! " * 100]
    backends.router.usage = pb.Usage(prompt_tokens=10, completion_tokens=250)

    await edge.client.post(CHAT, json=chat())

    row = await backends.usage.row()
    assert (row.tokens_output, row.source, row.flags) == (250, usage_pb2.SOURCE_PROVIDER, "over_hold")
    assert row.over_hold_micro_rub == 10 * IN + 250 * OUT - (BOUND * IN + 10 * OUT)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_provider_s_tokenizer_counted_is_billed_and_named(
    edge: Edge, backends: Backends, stream: bool
) -> None:
    """It is the provider's count, though the answer did not bring it; our own is measured against it."""
    backends.router.usage = pb.Usage(prompt_tokens=11, completion_tokens=3, tokenized=True)
    before = compared("output")

    await edge.client.post(CHAT, json=chat(stream=stream))
    row = await backends.usage.row()
    told = (await edge.client.get(f"/v1/requests/{row.request_id}")).json()

    assert (row.tokens_input, row.tokens_output, row.flags) == (11, 3, "tokenized")
    assert row.source == usage_pb2.SOURCE_PROVIDER
    assert row.cost_micro_rub == 11 * IN + 3 * OUT
    assert (told["counted_by"], told["flags"]) == ("provider", ["tokenized"])
    assert compared("output") == before + 1


async def test_what_the_tokenizer_counted_of_an_answer_that_broke_off_is_billed(edge: Edge, backends: Backends) -> None:
    """The count comes as progress, since there is no end."""
    backends.router.chunks = ["При", "вет", "!"]
    backends.router.progress = pb.Usage(prompt_tokens=11, completion_tokens=2, tokenized=True)
    backends.router.failure, backends.router.fail_at = ProviderFailed(ErrorReason.PROVIDER_ERROR, "It broke."), 2

    await edge.client.post(CHAT, json=chat(stream=True))

    row = await backends.usage.row()
    assert (row.tokens_input, row.tokens_output, row.flags) == (11, 2, "tokenized")
    assert row.status == usage_pb2.STATUS_FAILED


def compared(direction: str) -> float:
    """Return how many estimates were compared with a provider's count."""
    labels = {"provider": "yandexgpt", "model": "yandexgpt:latest", "direction": direction}
    return REGISTRY.get_sample_value("razvilka_gateway_estimate_ratio_count", labels) or 0.0


NONSENSE = {
    "negative cached tokens": pb.Usage(prompt_tokens=10, completion_tokens=3, cached_tokens=-5),
    "more cached than there is": pb.Usage(prompt_tokens=10, completion_tokens=3, cached_tokens=50),
    "more thought than said": pb.Usage(prompt_tokens=10, completion_tokens=3, reasoning_tokens=50),
}


@pytest.mark.parametrize("claim", NONSENSE.values(), ids=NONSENSE)
async def test_figures_that_contradict_each_other_become_a_row(edge: Edge, backends: Backends, claim: pb.Usage) -> None:
    """They were answers without a row once, which Redis counted all the same."""
    backends.router.usage = claim

    assert (await edge.client.post(CHAT, json=chat())).status_code == 200

    row = await backends.usage.row()
    assert 0 <= row.tokens_cached <= row.tokens_input == 10
    assert 0 <= row.tokens_reasoning <= row.tokens_output == 3
    assert row.flags == "figures_clamped"


async def test_a_bill_that_no_column_holds_becomes_the_most_that_one_can_hold(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """Above 9,999.999999 roubles: the row, the answer and the budget's counter say the same."""
    dear = pb.Price(version="dear", output_micro_rub_per_1k=10**15, valid_from=Timestamp(seconds=1_700_000_000))
    backends.router.models, backends.router.version = [model("yandexgpt:latest", "yandexgpt", prices=[dear])], "2"
    assert await edge.gateway.catalog.refresh()
    budget = auth_pb2.Budget(subject="user:user-1", period=auth_pb2.BUDGET_PERIOD_DAY, limit_micro_rub=10**15)
    backends.auth.callers[KEY] = caller(budgets=[budget])
    backends.usage.spend = 0

    answer = await edge.client.post(CHAT, json=chat())

    row = await backends.usage.row()
    (key,) = [key async for key in redis_client.scan_iter("gw:*:b:*")]
    assert (row.cost_micro_rub, row.flags) == (9_999_999_999, "cost_clamped")
    assert answer.headers["x-razvilka-cost-micro-rub"] == "9999999999"
    assert await redis_client.hmget(key, "u", "h") == [b"9999999999", b"0"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_call_without_usage_is_counted(edge: Edge, backends: Backends, stream: bool) -> None:
    """Name and arguments are output; it was none once."""
    backends.router.usage, backends.router.chunks = None, [""]
    arguments = '{"city": "Омск", "days": 3}'
    backends.router.tool_calls = [pb.ToolCall(id="c1", name="weather", arguments=arguments)]
    backends.router.finish = pb.FINISH_REASON_TOOL_CALLS

    await edge.client.post(CHAT, json=chat(stream=stream))

    row = await backends.usage.row()
    assert (row.tokens_input, row.tokens_output) == (8, -(-len("weather" + arguments) // 3))
    assert row.source == usage_pb2.SOURCE_ESTIMATED


@pytest.mark.parametrize("stream", [False, True])
async def test_several_choices_without_usage_count_the_input_as_it_is_billed(
    edge: Edge, backends: Backends, stream: bool
) -> None:
    """Where a choice is a call, four choices read the input four times."""
    models = [model("yandexgpt:latest", "yandexgpt", bills_input_per_choice=True)]
    backends.router.models, backends.router.version = models, "2"
    assert await edge.gateway.catalog.refresh()
    backends.router.usage = None

    await edge.client.post(CHAT, json=chat(n=4, stream=stream))

    assert (await backends.usage.row()).tokens_input == 4 * 8


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", [pb.Usage(prompt_tokens=10, completion_tokens=3), None])
async def test_the_first_of_two_prompts_is_billed_when_the_second_is_refused(
    edge: Edge, backends: Backends, usage: pb.Usage | None, stream: bool
) -> None:
    """The provider has made its answer; a refusal of the next does not unmake it."""
    backends.router.usage = usage
    backends.router.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, "No.", param="messages")
    backends.router.fail_from_call = 2

    answer = await edge.client.post(TEXT, json={"model": "yandexgpt", "prompt": ["раз", "два"], "stream": stream})

    row = await backends.usage.row()
    assert answer.status_code == (200 if stream else 400)
    assert (row.status, row.tokens_output) == (usage_pb2.STATUS_FAILED, 3)
    assert row.tokens_input > 0
    assert row.cost_micro_rub == row.tokens_input * IN + 3 * OUT


@pytest.mark.parametrize(
    ("used", "tokens"), {"said": ("[[10,3,2,0],[11,4,0,0]]", (21, 7)), "unsaid": ("[[6]]", (8, 2))}.values()
)
async def test_calls_that_were_answered_are_billed_when_another_of_the_same_request_fails(
    edge: Edge, backends: Backends, used: str, tokens: tuple[int, int]
) -> None:
    """Four choices are four calls at some providers: what three of them used was billed to nobody once."""
    failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, "No.", details={"used": used, "model": "yandexgpt:latest"})
    backends.router.failure = failure

    answer = await edge.client.post(CHAT, json=chat())

    row = await backends.usage.row()
    assert (answer.status_code, row.status) == (400, usage_pb2.STATUS_FAILED)
    assert (row.tokens_input, row.tokens_output) == tokens
    assert "used" not in answer.json()["error"]["details"]


async def test_what_cannot_be_read_of_used_tokens_is_nothing(
    edge: Edge, backends: Backends, redis_client: redis.asyncio.Redis
) -> None:
    """A settlement may not fail: the lease and the hold are given back."""
    backends.router.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, "No.", details={"used": "[[1,2],{}"})

    assert (await edge.client.post(CHAT, json=chat())).status_code == 400

    assert await leftovers(redis_client) == []
