"""What the errors of speakers of the OpenAI dialect mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router.providers import failures


class _Body(msgspec.Struct):
    error: Any = None


_LAST_GRPC_CODE: Final = 16


def status_inside(error: Any) -> int:
    """Return the HTTP status that an error inside a 200 stands for."""
    for key in ("code", "status", "httpCode"):
        value = error.get(key) if isinstance(error, dict) else None
        if isinstance(value, int) and 400 <= value < 600:
            return value
        if isinstance(value, int) and 0 < value <= _LAST_GRPC_CODE:
            return failures.status_of_grpc(value)
    return 400 if _says_too_long(_fields(error)[0]) else 500


def error_of(status: int, headers: Mapping[str, str], body: bytes, clock: Clock) -> ServiceError:
    """Return the error of an HTTP answer that is not 200; the body may be anything."""
    try:
        error = msgspec.json.decode(body, type=_Body).error
    except failures.UNREADABLE:
        error = None
    return openai_error(status, headers, error, clock)


def openai_error(status: int, headers: Mapping[str, str], error: Any, clock: Clock) -> ServiceError:
    """Return the ServiceError of an OpenAI-style error; decided by status, refined by its code."""
    text, code, param = _fields(error)
    if code == "insufficient_quota" or status == 402:
        return failures.out_of_money()
    if code == "context_length_exceeded" or status == 413 or (status in (400, 422) and _says_too_long(text)):
        return failures.too_long(text)
    if status == 429:
        return failures.rate_limited(failures.retry_after(headers.get("Retry-After"), clock))
    if status in (401, 403):
        return failures.refused_us()
    if status == 404:
        return failures.no_such_model() if error is not None else failures.wrong_address("openai_compatible")
    if status in (400, 405, 415, 422):
        return failures.bad_request("" if "model uri" in text.lower() else text, param)
    if status in (408, 504):
        return failures.slow("The provider ran out of time.")
    if status == 501 or 300 <= status < 400:
        return failures.broken_for_good("The provider does not take this call.")
    if status in (502, 503, 529):
        return failures.unavailable(failures.retry_after(headers.get("Retry-After"), clock))
    return failures.broken()


def _fields(error: Any) -> tuple[str, str, str | None]:
    if not isinstance(error, dict):
        return (error if isinstance(error, str) else ""), "", None
    text, code, param = error.get("message") or error.get("error"), error.get("code"), error.get("param")
    return (
        text if isinstance(text, str) else "",
        code if isinstance(code, str) else "",
        param if isinstance(param, str) and param else None,
    )


def _says_too_long(text: str) -> bool:
    lowered = text.lower()
    return (
        "maximum context length" in lowered
        or "number of input tokens must be no more than" in lowered
        or "which is outside the range (0," in lowered
    )
