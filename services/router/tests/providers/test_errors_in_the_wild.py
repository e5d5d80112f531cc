"""Errors of servers that speak the OpenAI dialect, as they come: callers are told what they mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.failure import FINAL_DETAIL
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.tests.adapters import IDS, ask

R = ErrorReason
REPLIES = OpenAIReplies(IDS, SystemClock(), Quirks())


def told(status: int, body: bytes) -> ServiceError:
    return REPLIES.error_of(status, {}, body)


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "x"}},
        {"error": {"code": 400, "message": "no words", "type": "exceed_context_size_error", "n_ctx": 4096}},
        {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400},
        {"object": "error", "message": "The input (9 tokens) is longer than the model's context length (8 tokens)."},
        {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000"},
        {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"},
        {"object": "error", "message": {"detail": [{"msg": "This model's maximum context length is 4096 tokens"}]}},
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                }
            }
        ],
    ],
    ids=["llama.cpp", "llama.cpp, by type", "vLLM", "SGLang", "TGI", "TGI, with the answer", "Mistral", "Gemini"],
)
def test_servers_of_open_models_say_too_long_in_their_own_words(error: Any) -> None:
    """A model with a larger window is asked, and clients trim; it was a bad request without a word of why."""
    assert told(400, json.dumps(error).encode()).reason is R.CONTEXT_LENGTH_EXCEEDED


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"object": "error", "message": "top_k must be -1 or at least 1", "type": "BadRequestError"}, "top_k must be"),
        ({"detail": [{"loc": ["body", "top_k"], "msg": "Input should be an integer"}]}, "top_k: Input should be"),
        ({"object": "error", "message": {"detail": [{"loc": ["body", "n"], "msg": "Too many"}]}}, "n: Too many"),
        ({"message": "Extra inputs are not permitted"}, "Extra inputs"),
    ],
    ids=["vLLM and SGLang", "FastAPI", "Mistral", "others"],
)
def test_the_words_of_a_refusal_are_told_wherever_they_stand(error: Any, words: str) -> None:
    """The caller read that the provider had refused, and not what."""
    refused = told(422, json.dumps(error).encode())

    assert refused.reason is R.INVALID_PARAMETERS
    assert words in str(refused)


def test_a_404_of_a_server_of_open_models_is_told_from_one_of_its_address() -> None:
    """vLLM and SGLang say `object: error` of a model; their framework, and proxies, say that there is no such path."""
    model = {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}

    assert told(404, json.dumps(model).encode()).reason is R.MODEL_NOT_FOUND
    for path in ({"detail": "Not Found"}, {"message": "no Route matched with those values"}):
        assert told(404, json.dumps(path).encode()).reason is R.PROVIDER_ERROR


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, {"message": "Project `p` does not have access to model `x`", "code": "model_not_found"}),
        (400, {"message": "The model `x` does not exist", "code": "model_not_found"}),
        (400, {"message": "Model Not Exist", "type": "invalid_request_error", "code": "invalid_request_error"}),
        (410, {"message": "The model `x` has been retired"}),
    ],
    ids=["OpenAI's 403", "a 400", "DeepSeek", "retired"],
)
def test_a_model_that_is_not_there_is_no_fault_of_the_caller(status: int, error: dict[str, Any]) -> None:
    """Whatever its status: another model may answer, and neither key nor request is wrong."""
    assert told(status, json.dumps({"error": error}).encode()).reason is R.MODEL_NOT_FOUND


@pytest.mark.parametrize("status", [405, 415])
def test_a_call_that_an_address_does_not_take_is_no_fault_of_the_caller(status: int) -> None:
    """Method and type of the body are ours: the caller read of an invalid parameter, and no other model was asked."""
    refused = told(status, b'{"error":{"message":"Method Not Allowed"}}')

    assert (refused.reason, FINAL_DETAIL in refused.details) == (R.PROVIDER_ERROR, True)


def test_a_prompt_that_a_moderator_flags_is_no_refused_key() -> None:
    """OpenRouter's 403: any caller could have shut the upstream for all others with three such prompts."""
    error = {
        "code": 403,
        "message": "Your input was flagged",
        "metadata": {"reasons": ["violence"], "flagged_input": ""},
    }

    assert told(403, json.dumps({"error": error}).encode()).reason is R.CONTENT_FILTER
    assert told(403, b'{"error":{"message":"No access"}}').reason is R.PROVIDER_CREDENTIALS


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "Your account is not active", "type": "billing_not_active", "code": "billing_not_active"}),
        (400, {"message": "Billing hard limit has been reached", "code": "billing_hard_limit_reached"}),
        (400, {"message": "Access denied, make sure your account is in good standing.", "code": "Arrearage"}),
        (429, {"message": "Your account is suspended", "type": "exceeded_current_quota_error"}),
        (429, {"message": "No balance", "code": "1113"}),
    ],
    ids=["OpenAI", "OpenAI's 400", "Qwen", "Moonshot", "Zhipu"],
)
def test_a_spent_account_is_no_fault_of_the_caller(status: int, error: dict[str, Any]) -> None:
    """Whatever its status: the next model is asked, and nobody is told to wait a second, or about our account."""
    found = told(status, json.dumps({"error": error}).encode())

    assert found.reason is R.PROVIDER_QUOTA_EXHAUSTED
    assert error["message"] not in found.message


@pytest.mark.parametrize(
    "error",
    [
        {"message": "The response was filtered.", "param": "prompt", "code": "content_filter", "status": 400},
        {"message": "Invalid prompt: your prompt was flagged", "code": "invalid_prompt"},
        {"message": "Input data may contain inappropriate content.", "code": "data_inspection_failed"},
        {"message": "Content Exists Risk", "type": "invalid_request_error", "code": "invalid_request_error"},
    ],
    ids=["Azure", "OpenAI", "Qwen", "DeepSeek"],
)
def test_a_prompt_that_a_filter_refuses_says_so(error: dict[str, Any]) -> None:
    """Clients look for the code `content_filter`; as an error of its own, and inside a 200."""
    body = json.dumps({"error": error}).encode()
    with pytest.raises(ServiceError) as inside:
        REPLIES.whole_answer(body, ask())

    assert (told(400, body).reason, inside.value.reason) == (R.CONTENT_FILTER, R.CONTENT_FILTER)
    assert told(400, body).message == error["message"]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"object": "error", "message": "out of memory", "code": 500}, R.PROVIDER_ERROR),
        ({"object": "error", "message": "top_k must be at least 1", "code": 400}, R.INVALID_PARAMETERS),
        ({"error": {"message": "x", "code": "429"}}, R.PROVIDER_RATE_LIMITED),
        ({"error": {"message": "x", "type": "tokens", "code": "rate_limit_exceeded"}}, R.PROVIDER_RATE_LIMITED),
        ({"error": {"message": "x", "type": "invalid_request_error", "code": None}}, R.INVALID_PARAMETERS),
        ({"error": {"message": "x", "status_code": 413}}, R.CONTEXT_LENGTH_EXCEEDED),
    ],
    ids=str,
)
def test_an_error_inside_a_200_says_its_status_in_several_ways(event: Any, reason: ErrorReason) -> None:
    """Whole and streamed; one that was no `error` was passed over, and the answer was empty and complete."""
    body = json.dumps(event).encode()
    with pytest.raises(ServiceError) as of_whole:
        REPLIES.whole_answer(body, ask())
    with pytest.raises(ServiceError) as of_stream:
        REPLIES.answer_stream(ask()).feed([body, b"[DONE]"])

    assert of_whole.value.reason is of_stream.value.reason is reason


@pytest.mark.parametrize("error", [{"message": "{}"}, {"error": "{}"}, {"detail": [{"msg": "{}", "loc": ["body"]}]}])
def test_what_an_error_means_is_looked_for_in_its_beginning(error: Any) -> None:
    """Servers repeat a prompt of ten megabytes in it: to look all through that took seconds of all other requests."""
    phrase = "maximum context length"
    before, behind = (
        json.dumps(error).replace("{}", text) for text in (f"{phrase} {'a ' * 9000}", f"{'a ' * 9000} {phrase}")
    )

    assert told(400, before.encode()).reason is R.CONTEXT_LENGTH_EXCEEDED
    assert told(400, behind.encode()).reason is R.INVALID_PARAMETERS
