"""What each code, status and spoiled answer of the providers means."""

from __future__ import annotations

import json

import pytest

from servicekit.clock import SystemClock
from servicekit.errors import ErrorReason, ServiceError
from services.router.domain.failure import FINAL_DETAIL
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.reading import Replies
from services.router.providers.yandexgpt.replies import NativeReplies
from services.router.tests.adapters import IDS, ask

CLOCK = SystemClock()
NATIVE, GIGACHAT = NativeReplies(IDS, 0, CLOCK), GigaChatReplies(IDS, CLOCK)
R = ErrorReason


@pytest.mark.parametrize(
    ("grpc", "http", "reason", "is_final"),
    [
        (3, 400, R.INVALID_PARAMETERS, False),
        (4, 504, R.PROVIDER_TIMEOUT, False),
        (5, 404, R.MODEL_NOT_FOUND, False),
        (7, 403, R.PROVIDER_CREDENTIALS, False),
        (8, 429, R.PROVIDER_RATE_LIMITED, False),
        (12, 501, R.PROVIDER_ERROR, True),
        (13, 500, R.PROVIDER_ERROR, False),
        (14, 503, R.PROVIDER_ERROR, False),
        (16, 401, R.PROVIDER_CREDENTIALS, False),
    ],
)
def test_each_code_of_yandex_has_its_reason(grpc: int, http: int, reason: ErrorReason, is_final: bool) -> None:
    """1.8: as a status, and inside a stream by the gRPC code alone."""
    error = {"error": {"grpcCode": grpc, "httpCode": http, "message": "x", "httpStatus": "y", "details": []}}
    inside = {"error": {"grpcCode": grpc, "message": "x"}}
    of_status = NATIVE.error_of(http, {}, json.dumps(error).encode())
    with pytest.raises(ServiceError) as caught:
        NATIVE.answer_stream(ask()).feed([json.dumps(inside).encode()])

    for found in (of_status, caught.value):
        assert (found.reason, FINAL_DETAIL in found.details) == (reason, is_final)


@pytest.mark.parametrize(
    ("status", "reason", "is_final"),
    [
        (400, R.INVALID_PARAMETERS, False),
        (401, R.PROVIDER_CREDENTIALS, False),
        (402, R.PROVIDER_QUOTA_EXHAUSTED, False),
        (403, R.PROVIDER_CREDENTIALS, False),
        (404, R.MODEL_NOT_FOUND, False),
        (413, R.CONTEXT_LENGTH_EXCEEDED, False),
        (422, R.INVALID_PARAMETERS, False),
        (429, R.PROVIDER_RATE_LIMITED, False),
        (500, R.PROVIDER_ERROR, False),
        (502, R.PROVIDER_ERROR, False),
        (503, R.PROVIDER_ERROR, False),
        (504, R.PROVIDER_TIMEOUT, False),
    ],
)
def test_each_status_of_gigachat_has_its_reason(status: int, reason: ErrorReason, is_final: bool) -> None:
    """2.7: in the envelope of its API."""
    found = GIGACHAT.error_of(status, {}, json.dumps({"status": status, "message": "x"}).encode())

    assert (found.reason, FINAL_DETAIL in found.details) == (reason, is_final)


def test_a_page_with_403_is_a_wrong_address_and_no_bad_key() -> None:
    """2.1: the balancer's for a path that it does not know; another token would not help."""
    found = GIGACHAT.error_of(403, {"Server": "SynGX"}, b"<html><body>403 Forbidden</body></html>")

    assert (found.reason, FINAL_DETAIL in found.details) == (R.PROVIDER_ERROR, True)


@pytest.mark.parametrize("replies", [GIGACHAT], ids=["gigachat"])
def test_arguments_that_the_model_spoiled_are_the_provider_s_failure(replies: Replies) -> None:
    """2.4: finish `error`; the same call may work again."""
    whole = {"choices": [{"message": {"content": ""}, "finish_reason": "error"}]}

    with pytest.raises(ServiceError) as caught:
        replies.whole_answer(json.dumps(whole).encode(), ask())

    assert (caught.value.reason, FINAL_DETAIL in caught.value.details) == (R.PROVIDER_ERROR, False)
