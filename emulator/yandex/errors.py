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

# The provider's own name of each quota, by the setting that holds its number.
QUOTA_NAMES: Final = {
    "yandex_max_sessions": "ai.textGenerationCompletionSessionsCount.count gauge",
    "yandex_generations_per_hour": "ai.textGenerationCompletionRequestsPerHour.rate rate",
    "yandex_async_per_s": "ai.textGenerationAsyncCompletionRequestsPerSecond.rate rate",
    "yandex_async_per_hour": "ai.textGenerationAsyncCompletionRequestsPerHour.rate rate",
    "yandex_operation_reads_per_s": "ai.textGenerationAsyncGetOperationRequestsPerSecond.rate rate",
    "yandex_embeddings_per_s": "ai.embeddingsTextEmbeddingRequestsPerSecond.rate rate",
    "yandex_tokenizer_per_s": "ai.textGenerationTokenizeRequestsPerSecond.rate rate",
    "yandex_classifications_per_s": "ai.textClassificationClassifyRequestsPerSecond.rate rate",
}


def exceeded(quota: str, limit: int | None) -> str:
    """Return the words of a 429 for a quota."""
    return f"{QUOTA_NAMES[quota]} quota limit exceed: allowed {limit} requests"


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
