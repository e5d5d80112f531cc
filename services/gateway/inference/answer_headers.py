"""What the headers of a paid answer say: what answered, what it cost, and what will end; and a failure what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from servicekit.errors import ServiceError
from services.gateway.clients.catalog import Model
from services.gateway.clients.completion import Route
from services.gateway.edge.errors.json_errors import name_field
from services.gateway.edge.header_values import plain_value
from services.gateway.edge.money import roubles
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import RequestContext
from services.gateway.inference.explanation import SEPARATOR, dropped_names
from services.gateway.metering.usage_record import TokenUsage


def answer_headers(route: Route, model: Model, ignored: Sequence[str]) -> Headers:
    """Return the headers that say what answered, what was left out, and when the model asked for will end.

    Args:
        route: what answered.
        model: what was asked for.
        ignored: fields of the body that are no parameters; the first few are named.
    """
    headers: Headers = [
        (b"x-razvilka-model", plain_value(route.resolved_model or route.model)),
        (b"x-razvilka-provider", plain_value(route.provider)),
        (b"x-razvilka-queue-ms", b"%d" % route.queued_ms),
    ]
    headers += left_out_headers(route, ignored)
    if model.deprecated_at is not None:
        headers.append((b"deprecation", f"@{int(model.deprecated_at.timestamp())}".encode()))
    if model.shutdown_at is not None:
        headers.append((b"sunset", model.shutdown_at.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()))
    if model.successor and model.deprecated_at is not None:
        link = f'</v1/models/{quote(model.successor, safe=":")}>; rel="successor-version"'
        headers.append((b"link", link.encode()))
    return headers


def left_out_headers(route: Route, ignored: Sequence[str]) -> Headers:
    """Return the header that names what was asked for and not done; none: nothing."""
    dropped = dropped_names(route, ignored)
    return [(b"x-razvilka-dropped-params", plain_value(SEPARATOR.join(dropped)))] if dropped else []


def late_facts(headers: Headers) -> dict[str, str]:
    """Return headers that came too late to be sent as the fields of an object: `x-razvilka-model` is `model`."""
    names = [name.decode().removeprefix("x-razvilka-").replace("-", "_") for name, _ in headers]
    return {name: value.decode() for name, (_, value) in zip(names, headers, strict=True)}


def cost_header(cost_micro_rub: int) -> tuple[bytes, bytes]:
    """Return the header that says what the answer cost."""
    return b"x-razvilka-cost-micro-rub", b"%d" % cost_micro_rub


def lowered_header(max_tokens: int) -> tuple[bytes, bytes]:
    """Return the header that says how long an answer may be at most because a budget has no more left."""
    return b"x-razvilka-max-tokens-lowered", f"{max_tokens}; reason=budget".encode()


def failure(context: RequestContext, error: ServiceError, billed: TokenUsage, cost_micro_rub: int) -> bytes:
    """Return the body of a whole answer that failed; what a provider had made of it is billed, and both say so."""
    note_cost(context, error, billed, cost_micro_rub)
    # Whoever sends it names the field, too.
    told = error.anew()
    name_field(context, told)
    return context.error_form(told, context.request_id)


def note_cost(context: RequestContext, error: ServiceError, billed: TokenUsage, cost_micro_rub: int) -> None:
    """Have an error, and the headers that go with it, say what is billed in spite of it."""
    if billed.tokens_input or billed.tokens_output:
        error.details = {**error.details, "cost_rub": roubles(cost_micro_rub)}
        name, value = cost_header(cost_micro_rub)
        context.headers[:] = [*(header for header in context.headers if header[0] != name), (name, value)]
