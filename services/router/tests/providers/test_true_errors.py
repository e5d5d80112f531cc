"""What providers say went wrong, told for what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.testing import RunningEmulator
from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.completion import EmbeddingInput
from services.router.domain.context_overflow import overflow_sentence
from services.router.domain.failure import FINAL_DETAIL
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.providers.provider import ProviderCall
from services.router.providers.reading import Replies
from services.router.providers.yandexgpt.replies import NativeReplies
from services.router.tests.adapters import IDS, ask, call_for, model, open_adapters
from services.router.tests.providers.test_tokens import service_account

CLOCK = SystemClock()
R = ErrorReason
REPLIES: dict[str, Replies] = {
    "native": NativeReplies(IDS, 0, CLOCK),
    "gigachat": GigaChatReplies(IDS, CLOCK),
    "openai": OpenAIReplies(IDS, CLOCK, Quirks()),
}
DIALECTS = pytest.mark.parametrize("dialect", list(REPLIES))


def told(dialect: str, status: int, body: bytes, **headers: str) -> ServiceError:
    return REPLIES[dialect].error_of(status, headers, body)


def in_words(dialect: str, message: str) -> bytes:
    """Return an error body with this message in the provider's own envelope."""
    envelope = {"status": 0, "message": message} if dialect == "gigachat" else {"error": {"message": message}}
    return json.dumps(envelope).encode()


@DIALECTS
@pytest.mark.parametrize("body", [b"404 page not found\n", b"<html><body>404</body></html>", b""])
def test_a_404_that_is_no_json_is_a_wrong_address(dialect: str, body: bytes) -> None:
    """The operator's base URL is wrong; the caller's model may well exist, so another provider is asked."""
    error = told(dialect, 404, body)

    assert error.reason is R.PROVIDER_ERROR
    assert FINAL_DETAIL in error.details
    assert "address" in str(error)


@DIALECTS
def test_a_404_in_the_provider_s_words_is_an_unknown_model(dialect: str) -> None:
    """The other kind of 404."""
    assert told(dialect, 404, in_words(dialect, "No such model")).reason is R.MODEL_NOT_FOUND


@DIALECTS
@pytest.mark.parametrize(
    "message", ["max_tokens must be greater than 0", "Invalid params: max_tokens must be in range (0, +inf)"]
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_wrong_max_tokens_is_no_overflow(dialect: str, status: int, message: str) -> None:
    """The word `tokens` alone says nothing about the prompt's length."""
    error = told(dialect, status, in_words(dialect, message))

    assert (error.reason, str(error)) == (R.INVALID_PARAMETERS, message)


def test_gigachat_says_too_long_in_several_ways() -> None:
    """By status, or by words."""
    assert told("gigachat", 413, in_words("gigachat", "Payload too large")).reason is R.CONTEXT_LENGTH_EXCEEDED
    assert told("gigachat", 422, in_words("gigachat", "Token limit exceeded")).reason is R.CONTEXT_LENGTH_EXCEEDED


def test_a_definition_that_is_too_large_points_at_the_tools() -> None:
    """Shorter messages would not help; for vectors the same words point at the texts."""
    body = in_words("gigachat", "Tokens limit exceeded for index 1: 4451 (max 4096)")

    error = told("gigachat", 413, body)
    of_texts = GigaChatReplies(IDS, CLOCK, indexed="input").error_of(413, {}, body)

    assert (error.reason, error.param) == (R.TOOL_TOO_LARGE, "tools[1]")
    assert "4451 (max 4096)" in str(error)
    assert (of_texts.reason, of_texts.param) == (R.INVALID_PARAMETERS, "input[1]")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (8, R.PROVIDER_RATE_LIMITED),
        (16, R.PROVIDER_CREDENTIALS),
        (4, R.PROVIDER_TIMEOUT),
        (5, R.MODEL_NOT_FOUND),
        (14, R.PROVIDER_ERROR),
        (99, R.PROVIDER_ERROR),
    ],
)
@pytest.mark.parametrize("field", ["code", "grpcCode"])
def test_a_line_of_yandex_with_nothing_but_a_grpc_code_is_understood(
    field: str, code: int, reason: ErrorReason
) -> None:
    """`{"error": {"code": 8}}` in the middle of a stream is a limit, not a broken provider."""
    stream = REPLIES["native"].answer_stream(ask())
    with pytest.raises(ServiceError) as caught:
        stream.feed([json.dumps({"error": {field: code, "message": "x"}}).encode()])

    assert caught.value.reason is reason


@DIALECTS
@pytest.mark.parametrize("status", [400, 422, 500, 503])
def test_a_page_is_never_shown(dialect: str, status: int) -> None:
    """SOWA's page comes bare, or as the message of an error."""
    page = "<html><head><title>SOWA</title></head><body>Request rejected</body></html>"
    for body in (page.encode(), in_words(dialect, page)):
        assert "SOWA" not in str(told(dialect, status, body))
        assert "<" not in str(told(dialect, status, body))


@DIALECTS
@pytest.mark.parametrize(
    ("status", "reason"), [(429, R.PROVIDER_RATE_LIMITED), (503, R.PROVIDER_ERROR), (502, R.PROVIDER_ERROR)]
)
def test_the_provider_s_wish_to_wait_is_kept(dialect: str, status: int, reason: ErrorReason) -> None:
    """Whichever surface said it, and whether it is full or down."""
    error = told(dialect, status, in_words(dialect, "Too many requests"), **{"Retry-After": "7"})

    assert (error.reason, error.retry_after_s) == (reason, 7.0)


@DIALECTS
@pytest.mark.parametrize(
    ("header", "wish_s"),
    [
        ("9" * 400, 31 * 86_400.0),
        ("1e999", 31 * 86_400.0),
        ("inf", 31 * 86_400.0),
        ("nan", None),
        ("-1", 0.0),
        (f"Fri, 31 Dec {'9' * 20} 23:59:59 GMT", None),
    ],
)
def test_a_wish_to_wait_is_a_number_that_a_header_can_say(dialect: str, header: str, wish_s: float | None) -> None:
    """What is larger than any number has no ceiling: the caller would be told of an internal error instead of 429."""
    error = told(dialect, 429, in_words(dialect, "Too many requests"), **{"Retry-After": header})

    assert (error.reason, error.retry_after_s) == (R.PROVIDER_RATE_LIMITED, wish_s)


@pytest.mark.parametrize(
    ("message", "wish", "is_final"),
    [
        ("ai.embeddingsTextEmbeddingRequestsPerSecond.rate rate quota limit exceed: allowed 10 requests", {}, False),
        ("ai.textGenerationCompletionRequestsPerHour.rate rate quota limit exceed: allowed 100 requests", {}, True),
        (
            "ai.textGenerationCompletionRequestsPerHour.rate rate quota limit exceed: allowed 100 requests",
            {"Retry-After": "2"},
            False,
        ),
        ("ai.textGenerationCompletionSessionsCount.count gauge quota limit exceed: allowed 10 requests", {}, False),
    ],
)
@pytest.mark.parametrize("dialect", ["native", "openai"])
def test_a_quota_of_a_second_is_waited_out_and_one_of_an_hour_is_not(
    dialect: str, message: str, wish: dict[str, str], is_final: bool
) -> None:
    """Yandex names the quota, also to those who ask its /v1; the embeddings' is of a second."""
    error = told(dialect, 429, in_words(dialect, message), **wish)

    assert (error.reason, FINAL_DETAIL in error.details) == (R.PROVIDER_RATE_LIMITED, is_final)


@pytest.mark.parametrize("dialect", ["native", "gigachat"])
async def test_a_token_service_s_wish_to_wait_is_kept(emulator: RunningEmulator, tmp_path: Path, dialect: str) -> None:
    """Its Retry-After is as good as that of the call itself."""
    file = await service_account(emulator, tmp_path)
    await emulator.control.fail("rate_limit", operation="token", retry_after="7")
    iam: dict[str, Any] = {
        "api_key": "",
        "service_account_key_file": file,
        "iam_url": f"{emulator.yandex_url}/iam/v1/tokens",
    }

    async with open_adapters(emulator, **iam) as adapters:
        provider = adapters.yandex if dialect == "native" else adapters.gigachat
        with pytest.raises(ServiceError) as caught:
            await provider.complete(ask(), call_for(dialect))

    assert (caught.value.reason, caught.value.retry_after_s) == (ErrorReason.PROVIDER_RATE_LIMITED, 7.0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "number of input tokens must be no more than 32768, got 56832",
            "This model's maximum context length is 32768 tokens. However, your input is 56832 tokens."
            " (context_length_exceeded: number of input tokens must be no more than 32768, got 56832.)",
        ),
        (
            "Payload too large",
            "This model's maximum context length is 8192 tokens. However, your input is longer."
            " (context_length_exceeded: Payload too large.)",
        ),
    ],
)
def test_an_overflow_says_what_clients_look_for(words: str, sentence: str) -> None:
    """With the numbers of the provider where it gave any, the code as a word, and the provider's own words behind."""
    assert overflow_sentence(words, 8192) == sentence


@DIALECTS
@pytest.mark.parametrize(
    "body", [b'{"x":' + b"[" * 100_000, b'{"x":"\xd0"}'], ids=["nested without end", "half a letter"]
)
def test_vectors_that_cannot_be_read_are_the_providers_fault(dialect: str, body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        REPLIES[dialect].vectors(body)

    assert caught.value.reason is R.PROVIDER_ERROR


@pytest.mark.parametrize("dialect", ["native", "openai"])
@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("folder_id=b1gours: number of input tokens must be no more than 8192, got 28498", "number of input tokens"),
        ("folder_id=b1gours: text length is 349354, which is outside the range (0, 100000]", "text length is 349354"),
        ("gpt://b1gours/yandexgpt/latest: tools are not supported", "the model: tools are not supported"),
    ],
)
def test_our_folder_is_not_told(dialect: str, message: str, shown: str) -> None:
    """Yandex puts it before its sentences; callers are told the rest."""
    error = told(dialect, 400, in_words(dialect, message))

    assert str(error).startswith(shown)
    assert "b1gours" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"code": 3, "message": "number of input tokens must be no more than 2048, got 3000"}, "too long"),
        (400, {"error": "number of input tokens must be no more than 2048, got 3000", "code": 3}, "too long"),
        (404, {"code": 5, "message": "Failed to get model", "details": []}, "no model"),
        (404, {"code": 5, "message": "Not Found", "details": []}, "no address"),
    ],
)
def test_an_error_of_yandex_s_that_stands_in_no_other_is_read(status: int, body: dict[str, Any], reason: str) -> None:
    """As other services of its cloud say theirs."""
    wanted = {"too long": R.CONTEXT_LENGTH_EXCEEDED, "no model": R.MODEL_NOT_FOUND, "no address": R.PROVIDER_ERROR}

    assert told("native", status, json.dumps(body).encode()).reason is wanted[reason]


@pytest.mark.parametrize("name", ["text-search-doc", "Embeddings"])
async def test_a_text_that_is_too_long_is_one_of_the_input(emulator: RunningEmulator, name: str) -> None:
    """Who asks for embeddings has no `messages`."""
    asked = model(name)
    async with open_adapters(emulator) as adapters:
        with pytest.raises(ServiceError) as caught:
            await adapters.of(asked.provider).embed(EmbeddingInput("", ["слово " * 5000]), ProviderCall(asked, "r", {}))

    assert (caught.value.reason, caught.value.param) == (R.CONTEXT_LENGTH_EXCEEDED, "input")
