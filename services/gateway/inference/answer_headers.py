"""What the headers of a paid answer say: what answered, what it cost, and what will end."""

from __future__ import annotations

from services.gateway.clients.catalog import Model
from services.gateway.clients.completion import Route
from services.gateway.edge.header_values import plain_value
from services.gateway.edge.problems import Headers


def answer_headers(route: Route, model: Model) -> Headers:
    """Return the headers that say what answered, and when the model asked for will end."""
    headers: Headers = [
        (b"x-razvilka-model", plain_value(route.resolved_model or route.model)),
        (b"x-razvilka-provider", plain_value(route.provider)),
    ]
    if route.dropped_params:
        headers.append((b"x-razvilka-dropped-params", plain_value(", ".join(route.dropped_params))))
    if model.deprecated_at is not None:
        headers.append((b"deprecation", f"@{int(model.deprecated_at.timestamp())}".encode()))
    if model.shutdown_at is not None:
        headers.append((b"sunset", model.shutdown_at.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()))
    return headers


def cost_header(cost_micro_rub: int) -> tuple[bytes, bytes]:
    """Return the header that says what the answer cost."""
    return b"x-razvilka-cost-micro-rub", str(cost_micro_rub).encode()


def lowered_header(max_tokens: int) -> tuple[bytes, bytes]:
    """Return the header that says how long an answer may be at most because a budget has no more left."""
    return b"x-razvilka-max-tokens-lowered", f"{max_tokens}; reason=budget".encode()
