"""The errors that adapters raise, each with one fixed sentence that is safe to show."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec
import structlog

from servicekit.clock import Clock
from servicekit.errors import (
    DeadlineExceeded,
    ErrorReason,
    InvalidRequest,
    NotFound,
    ProviderFailed,
    ServiceError,
    Unavailable,
    invalid_parameter,
)
from services.router.domain.failure import FINAL_DETAIL

# What decoding raises of a reply that is no JSON, no UTF-8 (in half a letter), or nested without end.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FINAL = {FINAL_DETAIL: "yes"}
_LONGEST_MESSAGE = 500
# Characters of an error in which its meaning is looked for: it may repeat a prompt of ten megabytes.
MOST_READ: Final = 16_384
# Longer than any quota lasts; more digits than a number has are as much as that, too.
_LONGEST_WISH_S = 31 * 86_400.0
# "folder_id=b1g…: number of input tokens must be…", and addresses of models, which begin with it.
_FOLDER_ID: Final = re.compile(r"\bfolder[_ ]?id\s*[=:]\s*['\"]?[\w-]+['\"]?[:,;]?\s*", re.IGNORECASE)
_URI: Final = re.compile(r"\b(?:gpt|emb|cls|art|ds)://[^\s'\",;()]*[^\s'\",;():.]")
_PAGE: Final = re.compile(r"<(!doctype|html|head|body)\b", re.IGNORECASE)
_HTTP_OF_GRPC: Final = {3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 12: 501, 13: 500, 14: 503, 16: 401}

log = structlog.get_logger()


def unreachable(why: str = "The provider could not be reached.") -> ServiceError:
    """Nothing was answered: refused, reset, DNS, TLS."""
    return Unavailable(ErrorReason.PROVIDER_UNAVAILABLE, why, retry_after_s=1.0)


def unavailable(retry_after_s: float | None = None) -> ServiceError:
    """The provider says it is down for a moment, maybe for how long."""
    text = "The provider is temporarily unavailable."
    return ProviderFailed(ErrorReason.PROVIDER_ERROR, text, retry_after_s=retry_after_s)


def broken(why: str = "The provider failed.") -> ServiceError:
    """The provider failed or spoke nonsense; the same call may work again."""
    return ProviderFailed(ErrorReason.PROVIDER_ERROR, why)


def broken_for_good(why: str) -> ServiceError:
    """The provider cannot do this; the same call fails again."""
    return ProviderFailed(ErrorReason.PROVIDER_ERROR, why, details=dict(_FINAL))


def slow(why: str = "The provider did not answer in time.") -> ServiceError:
    """A time limit of ours or of the provider's ran out."""
    return DeadlineExceeded(ErrorReason.PROVIDER_TIMEOUT, why)


class CutShort(DeadlineExceeded):
    """The request's remaining time ran out, which may be less than the provider could be expected to need."""

    def __init__(self) -> None:
        super().__init__(ErrorReason.PROVIDER_TIMEOUT, "The provider did not answer in time.")


def refused_us(why: str = "The provider refused the router's credentials.") -> ServiceError:
    """Our key or rights: nothing the caller can change."""
    return ProviderFailed(ErrorReason.PROVIDER_CREDENTIALS, why)


def no_healthy_provider(ready_in_s: float) -> ServiceError:
    """Every model that may answer is left out: its circuit is open, or an administrator has drained it."""
    text = "No model that may answer this request can be asked now. Try again later."
    return Unavailable(ErrorReason.NO_HEALTHY_PROVIDER, text, retry_after_s=ready_in_s)


def no_credentials(provider: str) -> ServiceError:
    """The operator has not given any credentials."""
    return ProviderFailed(ErrorReason.PROVIDER_CREDENTIALS, f"No credentials are configured for {provider}.")


def out_of_money() -> ServiceError:
    """The package or account at the provider is spent."""
    return ProviderFailed(ErrorReason.PROVIDER_QUOTA_EXHAUSTED, "The account at the provider is spent.")


def rate_limited(retry_after_s: float | None, *, limit: str = "", waits_long: bool = False) -> ServiceError:
    """A limit of ours at the provider is reached.

    Args:
        retry_after_s: the provider's own wish.
        limit: `concurrency` or `rate`, when known.
        waits_long: a pause of seconds does not help.
    """
    details = {"limit": limit} if limit else {}
    return Unavailable(
        ErrorReason.PROVIDER_RATE_LIMITED,
        "The provider's limit is reached. Try again later.",
        retry_after_s=retry_after_s,
        details=details | _FINAL if waits_long else details,
    )


def over_quota(message: str, retry_after_s: float | None) -> ServiceError:
    """A quota of ours at Yandex is used up; its words say which: a gauge, or a rate of a second or an hour."""
    if "rate quota" in message or ".rate " in message:
        # A second is over soon; an hour is not, unless the provider says so.
        waits_long = "PerSecond" not in message and retry_after_s is None
        return rate_limited(retry_after_s, limit="rate", waits_long=waits_long)
    return rate_limited(retry_after_s, limit="concurrency")


def no_token(status: int, headers: Mapping[str, str], clock: Clock, refused: str) -> ServiceError:
    """A token service gave no token: its 400 and 401 are about our credentials, not about the request.

    Args:
        status: of its reply.
        headers: of its reply.
        clock: for a Retry-After that is a date.
        refused: the sentence for a refusal.
    """
    wish = retry_after(headers, clock)
    if status == 429:
        return rate_limited(wish, limit="rate")
    return unavailable(wish) if status >= 500 else refused_us(refused)


def no_such_model() -> ServiceError:
    """The provider does not know the model (any more)."""
    return NotFound(ErrorReason.MODEL_NOT_FOUND, "The provider does not know this model.", param="model")


def no_such_file() -> ServiceError:
    """There is none, or it is another's: nobody is told which."""
    return NotFound(ErrorReason.NOT_FOUND, "There is no such file.", param="file_id")


def wrong_address(provider: str) -> ServiceError:
    """A path that the provider does not know: the operator's setting is wrong, not the caller's model."""
    log.error("router.wrong_address", provider=provider)
    return broken_for_good("The provider does not know the address that is configured for it.")


def too_long(message: str = "") -> ServiceError:
    """The prompt does not fit."""
    return InvalidRequest(
        ErrorReason.CONTEXT_LENGTH_EXCEEDED,
        shortened(message) or "The prompt is longer than the model's context window.",
        param="messages",
    )


def item_too_large(field: str, index: str, message: str) -> ServiceError:
    """One tool's definition, or one text, is larger than the provider takes: the rest is not at fault."""
    reason = ErrorReason.TOOL_TOO_LARGE if field == "tools" else ErrorReason.INVALID_PARAMETERS
    what = "The definition of this tool" if field == "tools" else "This text"
    param = f"{field}[{index}]"
    text = f"{what} is too large for the provider: shorten `{param}`. {shortened(message)}"
    return InvalidRequest(reason, text, param=param)


def bad_request(message: str, param: str | None = None) -> ServiceError:
    """The provider refused what the caller asked for; its own sentence helps the caller."""
    text = shortened(message) or "The provider refused the request."
    return InvalidRequest(ErrorReason.INVALID_PARAMETERS, text, param=param)


def filtered(message: str) -> ServiceError:
    """The provider's filter refused the prompt; what it refused of answers is their finish reason."""
    return InvalidRequest(ErrorReason.CONTENT_FILTER, shortened(message) or "The provider refused the content.")


def no_such_call(at: int) -> ServiceError:
    """A tool's result whose call is neither in the conversation nor told by its id."""
    text = "'tool_call_id' names no tool call of the messages before it."
    return invalid_parameter(f"messages[{at}].tool_call_id", text)


def unsupported(param: str, provider: str, why: str = "") -> ServiceError:
    """The provider has no such thing and leaving it out would change the meaning."""
    text = f"'{param}' is not supported by {provider}" + (f": {why}." if why else ".")
    return InvalidRequest(ErrorReason.UNSUPPORTED_PARAMETER, text, param=param)


def without_folders(message: str) -> str:
    """Return a sentence of Yandex's without the folder that it names: ours, and nobody's business."""
    return _URI.sub("the model", _FOLDER_ID.sub("", message))


def shortened(message: str) -> str:
    """Return a foreign sentence fit for a header and a log: one line, bounded; of a page of HTML nothing."""
    message = message[:MOST_READ]
    if _PAGE.search(message):
        return ""
    return " ".join(message.split())[:_LONGEST_MESSAGE]


def status_of_grpc(code: int) -> int:
    """Return the HTTP status that a gRPC status code stands for."""
    return _HTTP_OF_GRPC.get(code, 500)


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Return the seconds that a reply asks to wait for, 31 days at most; None when it does not, or senselessly.

    OpenAI and Azure say it in milliseconds, too: that is more exact, and counts.
    """
    value = headers.get("Retry-After", "")
    wishes = _number(headers.get("Retry-After-Ms", "")) / 1000, _number(value), _seconds_until(value, clock)
    wish = next((each for each in wishes if not math.isnan(each)), None)
    return None if wish is None else min(max(0.0, wish), _LONGEST_WISH_S)


def _number(value: str) -> float:
    """Return what a header says in digits; NaN when it does not."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def _seconds_until(value: str, clock: Clock) -> float:
    """Return the seconds until a date; NaN when it is none."""
    try:
        return (parsedate_to_datetime(value) - clock.now()).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return math.nan
