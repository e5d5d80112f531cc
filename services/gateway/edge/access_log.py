"""One canonical line for each request. Never a prompt, a completion, a key or a token."""

from __future__ import annotations

import structlog

from services.gateway.edge.request_context import Exchange

log = structlog.get_logger("access")


def write(exchange: Exchange, seconds: float) -> None:
    """Write the line of a finished request."""
    fields: dict[str, object] = {
        "request_id": exchange.request_id,
        "trace_id": exchange.call.trace.trace_id,
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "ms": round(seconds * 1000, 1),
    }
    caller = exchange.caller
    if caller is not None:
        fields["user_id"] = caller.user_id
        fields["key_id"] = caller.key_id
    if exchange.model:
        fields.update(_paid(exchange))
    if exchange.error_code:
        fields["error"] = exchange.error_code
    if exchange.cut:
        fields["cut"] = exchange.cut
    log.info("http.request", **fields)


def _paid(exchange: Exchange) -> dict[str, object]:
    return {
        "model": exchange.model,
        "provider": exchange.provider,
        "resolved_model": exchange.resolved_model,
        "stream": exchange.stream,
        "tokens_in": exchange.tokens_in,
        "tokens_out": exchange.tokens_out,
        "cost_micro_rub": exchange.cost_micro_rub,
        "finish_reason": exchange.finish_reason,
        "first_token_ms": exchange.first_token_ms,
    }
