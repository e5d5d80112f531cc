"""Pages of other sites call the API when a setting lists them, and not otherwise."""

from __future__ import annotations

import pytest

from services.gateway.tests.conftest import Edge, StartGateway

CHAT = "/v1/chat/completions"
ASKING = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-stainless-os"}


@pytest.mark.parametrize(("origins", "allowed"), [("https://a.example", "https://a.example"), ("*", "*")])
async def test_a_listed_page_may_call_and_read(start_gateway: StartGateway, origins: str, allowed: str) -> None:
    """Also errors, also the limits; never with cookies."""
    edge = await start_gateway(cors_origins=origins)
    page = {"origin": "https://a.example"}

    preflight = await edge.client.options(CHAT, headers={**page, **ASKING})
    answers = [
        await edge.client.get("/v1/models", headers=page),
        await edge.client.post(CHAT, content=b"{", headers=page),
        await edge.client.get("/v1/models", headers={**page, "authorization": "Bearer wrong"}),
    ]

    assert preflight.status_code == 204
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert [answer.status_code for answer in answers] == [200, 400, 401]
    for answer in (preflight, *answers):
        assert answer.headers["access-control-allow-origin"] == allowed
        assert "x-ratelimit-remaining-requests" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


async def test_nobody_else_is_named_and_pages_are_not_concerned(start_gateway: StartGateway) -> None:
    """An origin that is not listed is never reflected; caches are told that answers differ."""
    edge = await start_gateway(cors_origins="https://a.example")

    other = await edge.client.get("/v1/models", headers={"origin": "https://evil.example"})
    page = await edge.client.get("/login", headers={"origin": "https://a.example"})

    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "origin"
    assert "access-control-allow-origin" not in page.headers


async def test_without_the_setting_there_is_no_preflight(edge: Edge) -> None:
    """OPTIONS is another method then."""
    answer = await edge.client.options(CHAT, headers={"origin": "https://a.example", **ASKING})

    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_a_preflight_allows_every_method_that_the_api_has(start_gateway: StartGateway) -> None:
    """A browser does not send what the preflight leaves out: schedules, names of models and overrides are put."""
    edge = await start_gateway(cors_origins="*")
    described = (await edge.client.get("/openapi.json")).json()["paths"]
    methods = {method.upper() for path, item in described.items() if path.startswith("/v1/") for method in item}

    preflight = await edge.client.options(CHAT, headers={"origin": "https://a.example", **ASKING})

    allowed = preflight.headers["access-control-allow-methods"].split(", ")
    assert methods - {"PARAMETERS"} <= set(allowed)
