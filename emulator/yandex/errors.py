"""Yandex error bodies: `{"error":{grpcCode,httpCode,message,httpStatus,details}}`."""

from http import HTTPStatus
from typing import Final

import msgspec

GRPC_OF_HTTP: Final = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 501: 12, 503: 14, 504: 4}
MESSAGES: Final = {
    400: "invalid model_uri",
    401: "The token is invalid",
    403: "Permission denied",
    404: "Failed to get model",
    429: "ai.textGenerationCompletionSessionsCount.count gauge quota limit exceed: allowed 10 requests",
    500: "Internal error",
    501: "Method not implemented",
    503: "Service unavailable",
    504: "Deadline exceeded",
}


def error_body(code: int, message: str | None = None) -> bytes:
    """Return the native error body of an HTTP code."""
    try:
        phrase = HTTPStatus(code).phrase
    except ValueError:
        phrase = "Unknown"
    inner = {
        "grpcCode": GRPC_OF_HTTP.get(code, 2),
        "httpCode": code,
        "message": message or MESSAGES.get(code, phrase),
        "httpStatus": phrase,
        "details": [],
    }
    return msgspec.json.encode({"error": inner})
