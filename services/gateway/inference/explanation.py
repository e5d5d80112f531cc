"""What a request tells of itself afterwards: what was asked for and not done, and which attempts were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from servicekit.errors import ErrorReason, InvalidRequest, ServiceError
from services.gateway.clients.completion import Route
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference import metrics
from services.gateway.metering.storable import MAX_TEXT
from services.gateway.metering.usage_record import Attempt, UsageRecord
from services.gateway.schemas.steering import ProviderPreferences, left_out, requires_all

# Anybody's text: a header and a row have room for a few names.
MOST_NAMES: Final = 20
LONGEST_NAME: Final = 64
SEPARATOR: Final = ", "
# In the error of a request that failed: how the router says what it tried.
_ATTEMPTS: Final = "attempts"
# And how long it has waited for slots.
_QUEUED_MS: Final = "queued_ms"
_MORE: Final = "..."


class _Tried(msgspec.Struct):
    provider: str
    model: str
    reason: str
    latency_ms: int


_TRIED: Final = msgspec.json.Decoder(list[_Tried])


def dropped_names(route: Route, ignored: Sequence[str]) -> list[str]:
    """Return what was asked for and not done, each name once.

    Args:
        route: what answered: it knows what its provider could not take.
        ignored: fields of the body that are no parameters; the first few are named.
    """
    if not route.dropped_params and not ignored:
        return []
    strange = (name[:LONGEST_NAME] for name in ignored[:MOST_NAMES])
    return list(dict.fromkeys([*route.dropped_params, *strange]))


def leave_out(context: RequestContext, preferences: ProviderPreferences | None, names: Iterable[str] = ()) -> None:
    """Note what of a request cannot count, for its caller to be told: fields of the chat, and wishes who answers.

    Raises:
        InvalidRequest: the caller wants every parameter to count; the first that cannot.
    """
    context.ignored_params += [*map(context.field_name, names), *left_out(preferences)]
    if context.ignored_params and requires_all(preferences):
        first = context.ignored_params[0]
        raise InvalidRequest(
            ErrorReason.UNSUPPORTED_PARAMETER,
            f"'{first}' would be ignored, and `provider.require_parameters` is true.",
            param=first,
        )


def stored_names(names: Sequence[str]) -> str:
    """Return the names as the usage row keeps them: whole ones, as many as fit."""
    text = SEPARATOR.join(names)
    while len(text) > MAX_TEXT:
        kept = text[: MAX_TEXT - len(SEPARATOR + _MORE)].rpartition(SEPARATOR)[0]
        text = f"{kept}{SEPARATOR}{_MORE}" if kept else _MORE
    return text


def attempts_of(error: ServiceError) -> tuple[Attempt, ...]:
    """Return what was tried before a request failed; nothing when the error does not say."""
    said = error.details.get(_ATTEMPTS)
    if not said:
        return ()
    try:
        tried = _TRIED.decode(said)
    except msgspec.DecodeError:
        return ()
    return tuple(Attempt(each.provider, each.model, each.reason, each.latency_ms) for each in tried)


def note_row(context: RequestContext, row: UsageRecord) -> None:
    """Have the log line and the span of a request say what its row says."""
    context.provider, context.model = row.provider, row.model
    context.tokens_in, context.tokens_out = row.tokens_input, row.tokens_output
    context.cost_micro_rub, context.finish_reason = row.cost_micro_rub, row.finish_reason
    context.error_code = context.error_code or row.error_code


def note_cut(context: RequestContext, cause: str) -> None:
    """Note and count why the caller has not got the whole answer."""
    context.cut = cause
    metrics.CUT.labels(cause).inc()


def waited_s(error: ServiceError) -> float:
    """Return how many seconds a request that failed had waited for slots; its caller reads that in Server-Timing."""
    told = error.details.pop(_QUEUED_MS, "")
    return int(told) / 1000 if told.isascii() and told.isdecimal() else 0.0
