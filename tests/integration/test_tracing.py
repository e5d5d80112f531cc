"""One request, one trace, one row, one line: joined from the caller to the provider and back."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

import httpx
import pytest

from tests.integration.books import Books
from tests.integration.caller import Heard, ask, call
from tests.integration.providers import Providers
from tests.integration.waiting import wait_until
from tests.span_receiver import ReceivedSpan, SpanReceiver, lead_to_a_provider
from tools.stack.running_stack import RunningStack

MODELS: Final = ("yandexgpt:latest", "gigachat-pro", "toy-large")
QUESTION: Final = "Где север? [[chunks:4]]"


def lines(stack: RunningStack, program: str, request_id: str) -> list[dict[str, Any]]:
    """Return a program's log lines about a request."""
    text = stack.log(program).read_text(errors="replace")
    return [json.loads(line) for line in text.splitlines() if request_id in line and line.startswith("{")]


def canonical(stack: RunningStack, heard: Heard) -> dict[str, Any]:
    """Return the one canonical line of a request."""
    found = wait_until(
        lambda: [line for line in lines(stack, "gateway", heard.request_id) if line["event"] == "http.request"]
    )
    assert len(found) == 1
    return found[0]


def by_service(spans: list[ReceivedSpan]) -> dict[str, list[ReceivedSpan]]:
    """Return the spans by service."""
    return {name: [span for span in spans if span.service == name] for name in {span.service for span in spans}}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("model", MODELS)
def test_one_trace_goes_from_the_caller_to_the_provider(
    stack: RunningStack, spans: SpanReceiver, providers: Providers, books: Books, model: str, stream: bool
) -> None:
    """The caller's trace id is in the spans of gateway and router, at the provider, in the row and in the log line."""
    account = stack.new_account()
    trace_id, caller_span = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"traceparent": f"00-{trace_id}-{caller_span}-01", "tracestate": "vendor=1"}

    heard = ask(stack.url, account.key, QUESTION, model=model, stream=stream, headers=headers)

    found = spans.wait_for(trace_id, lead_to_a_provider)
    edge = next(span for span in found if span.name == "gateway.request")
    provider_call = next(span for span in found if span.name == "provider.call")
    rpc = next(span for span in found if span.span_id == provider_call.parent_id)
    assert {"razvilka-gateway", "razvilka-router"} <= set(by_service(found))
    assert (edge.parent_id, rpc.parent_id) == (caller_span, edge.span_id)
    [asked] = providers.calls()
    assert asked["traceparent"] == f"00-{trace_id}-{provider_call.span_id}-01"
    [row] = books.wait_for_rows(account.user_id)
    assert (row["request_id"], row["trace_id"]) == (heard.request_id, trace_id)
    line = canonical(stack, heard)
    assert (line["trace_id"], line["user_id"], line["status"]) == (trace_id, account.user_id, 200)
    assert line["cost_micro_rub"] == row["micro_rub"]
    assert (line["tokens_in"], line["tokens_out"]) == (row["tokens_input"], row["tokens_output"])


def test_a_caller_that_does_not_sample_is_not_recorded(
    stack: RunningStack, spans: SpanReceiver, providers: Providers, books: Books
) -> None:
    """Its decision travels: the provider sees it, the collector gets nothing, the row has the trace id all the same."""
    account = stack.new_account()
    trace_id, sampled_id = secrets.token_hex(16), secrets.token_hex(16)

    ask(stack.url, account.key, QUESTION, headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-00"})
    ask(stack.url, account.key, QUESTION, headers={"traceparent": f"00-{sampled_id}-{secrets.token_hex(8)}-01"})

    spans.wait_for(sampled_id, lambda all_: "provider.call" in {span.name for span in all_})
    assert spans.of_trace(trace_id) == []
    assert providers.calls()[0]["traceparent"].startswith(f"00-{trace_id}-")
    assert providers.calls()[0]["traceparent"].endswith("-00")
    assert [row["trace_id"] for row in books.wait_for_rows(account.user_id, 2)] == [trace_id, sampled_id]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_what_fails_is_recorded_though_nobody_sampled_it(
    stack: RunningStack, spans: SpanReceiver, stream: bool
) -> None:
    """Whole, from both services and in one tree; a wrong key is the caller's own doing, and leaves nothing."""
    account = stack.new_account()
    trace_id, refused_id = secrets.token_hex(16), secrets.token_hex(16)
    fault = "cut_mid_stream after=2" if stream else "status code=500"
    question = f"{QUESTION} [[fault:{fault}]]"
    unsampled = {"traceparent": f"00-{refused_id}-{secrets.token_hex(8)}-00"}
    assert ask(stack.url, "rz_live_wrong", QUESTION, headers=unsampled).status == 401

    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-00"}
    heard = ask(stack.url, account.key, question, model="gigachat-pro", stream=stream, headers=headers)

    found = spans.wait_for(trace_id, lead_to_a_provider)
    edge = next(span for span in found if span.name == "gateway.request")
    failed = next(span for span in found if span.name == "provider.call")
    rpc = next(span for span in found if span.span_id == failed.parent_id)
    assert rpc.parent_id == edge.span_id
    assert failed.attributes["error.type"].startswith("PROVIDER_")
    assert edge.attributes["error.type"] == "provider_error"
    assert edge.attributes["razvilka.request_id"] == heard.request_id
    assert edge.attributes["gen_ai.operation.name"] == "chat"
    assert spans.of_trace(refused_id) == []


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-" + "a" * 60])
def test_a_malformed_trace_begins_a_new_one(stack: RunningStack, books: Books, traceparent: str) -> None:
    """Nothing of the caller's nonsense goes on; the request is traced nevertheless."""
    account = stack.new_account()

    heard = ask(stack.url, account.key, QUESTION, headers={"traceparent": traceparent})

    [row] = books.wait_for_rows(account.user_id)
    assert len(row["trace_id"]) == 32
    assert set(row["trace_id"]) != {"0"}
    assert canonical(stack, heard)["trace_id"] == row["trace_id"]


def test_every_request_has_exactly_one_canonical_line(stack: RunningStack) -> None:
    """Answered, refused, unknown, failed, cut: one line, with the status and the error's code."""
    key = stack.issue_key()
    authorization = {"authorization": f"Bearer {key}"}
    answers = [
        ask(stack.url, key, QUESTION),
        ask(stack.url, key, QUESTION, stream=True),
        ask(stack.url, "rz_live_wrong", QUESTION),
        ask(stack.url, key, QUESTION, model="gpt-9"),
        ask(stack.url, key, QUESTION, n=0),
        ask(stack.url, key, f"{QUESTION} [[fault:status code=500]]", model="gigachat-pro"),
        ask(stack.url, key, f"{QUESTION} [[fault:cut_mid_stream after=2]]", model="gigachat-pro", stream=True),
        call(stack.url, "GET", "/v1/models", headers=authorization),
        call(stack.url, "GET", "/nowhere", headers=authorization),
    ]

    found = [canonical(stack, heard) for heard in answers]

    assert [line["status"] for line in found] == [200, 200, 401, 404, 400, 502, 200, 200, 404]
    assert [line.get("error") for line in found] == [
        None, None, "invalid_key", "model_not_found", "invalid_parameters", "provider_error", "provider_error", None,
        "not_found",
    ]  # fmt: skip
    assert [len(line["trace_id"]) for line in found] == [32] * len(answers)
    assert found[-2]["route"] == "/v1/models"


def test_the_request_id_is_known_everywhere(stack: RunningStack, providers: Providers, books: Books) -> None:
    """The id of the header is that of the row, of `/v1/requests/{id}`, of the router's lines and of the provider."""
    account = stack.new_account()

    heard = ask(stack.url, account.key, f"{QUESTION} [[fault:status code=500 times=1]]", model="gigachat-pro")

    [row] = books.wait_for_rows(account.user_id)
    assert row["request_id"] == heard.request_id
    assert [entry["request_id"] for entry in providers.calls()] == [heard.request_id] * 2
    shown = call(
        stack.url, "GET", f"/v1/requests/{heard.request_id}", headers={"authorization": f"Bearer {account.key}"}
    )
    assert (shown.status, shown.json["id"]) == (200, heard.request_id)
    # What failed in tests before may have left a circuit that this call closes.
    events = wait_until(
        lambda: [line["event"] for line in lines(stack, "router", heard.request_id)],
        lambda found: "router.retry" in found,
    )
    assert [event for event in events if event != "router.circuit"] == ["router.retry"]


def test_a_measurement_leads_to_a_trace(stack: RunningStack) -> None:
    """Whoever sees a slow bucket finds a request of it: histograms keep the trace id of the last one in each."""
    trace_id = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    accepted = {"accept": "application/openmetrics-text; version=1.0.0"}

    def asked_and_scraped() -> str:
        # Again, when another test's request came between: a bucket has one exemplar.
        ask(stack.url, stack.api_key, QUESTION, model="yandexgpt:latest", stream=True, headers=headers)
        return httpx.get(stack.metrics_url("gateway"), headers=accepted, trust_env=False, timeout=10).text

    text = wait_until(asked_and_scraped, lambda text: text.count(f'# {{trace_id="{trace_id}"}}') >= 2)

    measured = {line.partition("_bucket")[0] for line in text.splitlines() if trace_id in line}
    assert measured == {"razvilka_gateway_request_seconds", "razvilka_gateway_first_token_seconds"}
