"""Every kind of answer says how a browser may use it: pages, files, JSON, errors, the protocol."""

from __future__ import annotations

import pytest

from services.gateway.tests.conftest import Edge

ANSWERS = {
    "a page": ("GET", "/login", "text/html; charset=utf-8"),
    "an error as a page": ("GET", "/reset-password?token=%ff", "text/html; charset=utf-8"),
    "JSON": ("GET", "/v1/models", "application/json"),
    "an error": ("GET", "/nothing", "application/json"),
    "another method": ("TRACE", "/v1/models", "application/json"),
    "an error of the protocol": ("POST", "/token", "application/json"),
    "the description": ("GET", "/docs", "text/html; charset=utf-8"),
}


@pytest.mark.parametrize(("method", "path", "media_type"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_every_kind_of_answer_says_how_it_may_be_used(
    edge: Edge, method: str, path: str, media_type: str
) -> None:
    """No sniffing, no referrer, no frame, no cache, and what it is."""
    headers = (await edge.client.request(method, path)).headers

    assert headers["content-type"] == media_type
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    rules = {rule.strip() for rule in headers["content-security-policy"].split(";")}
    assert {"default-src 'none'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= rules
    assert "server" not in headers
