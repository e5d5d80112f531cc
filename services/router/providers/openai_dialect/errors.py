"""Classifies errors of providers that speak the OpenAI dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router.providers import failures

_LAST_GRPC_CODE: Final = 16
# Words in place of a status, in an error inside a 200.
_STATUS_OF_WORD: Final = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "overloaded_error": 529,
    "invalid_request_error": 400,
    "BadRequestError": 400,
}
# OpenAI, Qwen (a 400), Moonshot, Zhipu: our account there, no limit that passes and no fault of the caller's.
_MONEY_CODES: Final = frozenset(
    {"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"}
    | {"Arrearage", "exceeded_current_quota_error", "1113"}
)
# Azure; OpenAI's pictures, and its reasoning models; Qwen. DeepSeek says it in words only.
_FILTER_CODES: Final = frozenset(
    {"content_filter", "content_policy_violation", "moderation_blocked", "invalid_prompt", "data_inspection_failed"}
)
_FILTERED: Final = re.compile(r"^content exists risk", re.IGNORECASE)
# OpenAI's 403 of a project without the model; DeepSeek's 400 says it in words only.
_NO_MODEL: Final = re.compile(r"^model not exist", re.IGNORECASE)
_TOO_LONG_CODES: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})
# Its /v1 counts against the quotas of the native API, whose words are the same.
_YANDEX_QUOTA: Final = "quota limit exceed"
# Yandex's addresses of models, and folders: ours, and nobody's business.
_INTERNAL: Final = re.compile(r"model uri|folder id", re.IGNORECASE)
# OpenAI, vLLM, Mistral; Yandex; llama.cpp; SGLang; TGI; Anthropic and Gemini in this dialect.
_TOO_LONG: Final = re.compile(
    r"maximum context length|number of input tokens must be no more than|which is outside the range \(0,"
    r"|exceeds? the (available )?context (size|window|length)|longer than the model's context length"
    r"|`inputs` (must have less than|tokens \+ `max_new_tokens` must be)|prompt is too long"
    r"|exceeds the maximum number of tokens allowed",
    re.IGNORECASE,
)


def status_inside(error: Any) -> int:
    """Return the HTTP status that an error inside a 200 stands for."""
    for key in ("code", "status", "httpCode", "status_code", "type"):
        value = error.get(key) if isinstance(error, dict) else None
        if isinstance(value, str):
            value = int(value) if value.isascii() and value.isdigit() and len(value) < 4 else _status_of_word(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
        if isinstance(value, int) and 0 < value <= _LAST_GRPC_CODE:
            return failures.status_of_grpc(value)
    return 400 if _TOO_LONG.search(_fields(error)[0]) else 500


def _status_of_word(word: str) -> int | None:
    return 400 if word in _FILTER_CODES else _STATUS_OF_WORD.get(word)


def error_of(status: int, headers: Mapping[str, str], body: bytes, clock: Clock) -> ServiceError:
    """Return the error of an HTTP answer that is not 200; the body may be anything."""
    try:
        error = _error_in(msgspec.json.decode(body), status)
    except failures.UNREADABLE:
        error = None
    return openai_error(status, headers, error, clock)


def _error_in(body: Any, status: int) -> Any:
    """Return the error of a body.

    It stands under its name, as OpenAI has it (Gemini in a list), or is the body, as SGLang, vLLM and Mistral have it.
    FastAPI and proxies have bodies like that, too; their 404 is about the address, not about a model.
    """
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict):
        return None
    is_error = body.get("object") == "error" or (status != 404 and body.keys() & {"message", "detail"})
    return body.get("error") or (body if is_error else None)


def openai_error(status: int, headers: Mapping[str, str], error: Any, clock: Clock) -> ServiceError:
    """Return the ServiceError of an OpenAI-style error; decided by status, refined by its code."""
    text, code, param = _fields(error)
    text = failures.without_folders(text)
    if code in _MONEY_CODES or status == 402:
        return failures.out_of_money()
    if code in _TOO_LONG_CODES or status == 413 or (status in (400, 422) and _TOO_LONG.search(text)):
        return failures.too_long(text)
    if status == 429:
        wish = failures.retry_after(headers, clock)
        return failures.over_quota(text, wish) if _YANDEX_QUOTA in text else failures.rate_limited(wish)
    if (status == 403 and _is_about_the_prompt(error)) or (status in (400, 403, 422) and _is_filtered(text, code)):
        return failures.filtered(text)
    if code == "model_not_found" or status == 410 or (status == 400 and _NO_MODEL.search(text)):
        return failures.no_such_model()
    if status in (401, 403):
        return failures.refused_us()
    if status == 404:
        return failures.no_such_model() if error is not None else failures.wrong_address("openai_compatible")
    if status in (400, 422):
        return failures.bad_request("" if _INTERNAL.search(text) else text, param)
    if status in (408, 504):
        return failures.slow("The provider ran out of time.")
    if status in (405, 415, 501) or 300 <= status < 400:
        return failures.broken_for_good("The provider does not take this call.")
    if status in (502, 503, 529):
        return failures.unavailable(failures.retry_after(headers, clock))
    return failures.broken()


def _is_filtered(text: str, code: str) -> bool:
    return code in _FILTER_CODES or _FILTERED.search(text) is not None


def _is_about_the_prompt(error: Any) -> bool:
    """Tell whether a 403 is a moderator's: OpenRouter says for which reasons. Our key is not at fault."""
    metadata = error.get("metadata") if isinstance(error, dict) else None
    return isinstance(metadata, dict) and bool(metadata.get("reasons"))


def _fields(error: Any) -> tuple[str, str, str | None]:
    if not isinstance(error, dict):
        return (error[: failures.MOST_READ] if isinstance(error, str) else ""), "", None
    text = next((error[key] for key in ("message", "error", "detail") if error.get(key)), "")
    kind, code, param = error.get("type"), error.get("code"), error.get("param")
    if isinstance(kind, str) and kind in _TOO_LONG_CODES | _MONEY_CODES:
        code = kind
    return (
        _words(text)[: failures.MOST_READ],
        code if isinstance(code, str) else "",
        param if isinstance(param, str) and param else None,
    )


def _words(said: Any) -> str:
    """Return the words of a message; FastAPI says them for each field: `[{"loc": ["body", "n"], "msg": "…"}]`."""
    if isinstance(said, dict):
        said = said.get("detail") or said.get("msg")
    if isinstance(said, list):
        return "; ".join(filter(None, map(_words_of_field, said)))
    return said if isinstance(said, str) else ""


def _words_of_field(fault: Any) -> str:
    if not isinstance(fault, dict) or not isinstance(fault.get("msg"), str):
        return ""
    steps = fault.get("loc")
    where = [str(step) for step in steps if step != "body"] if isinstance(steps, list) else []
    return f"{'.'.join(where)}: {fault['msg']}" if where else str(fault["msg"])
