"""No page is heavier than 200 kB as it travels, with everything that it makes a browser fetch."""

from __future__ import annotations

import httpx
from starlette.routing import Route

from services.gateway.app import Application
from services.gateway.edge.endpoint import Endpoint
from services.gateway.pages.page_endpoint import Page
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, log_in
from tools.page_weight import MOST_BYTES, assets_of


def pages_of(edge: Edge) -> list[str]:
    """Return the addresses of all pages that have one of their own."""
    assert isinstance(edge.gateway.app, Application)
    endpoints = [route for route in edge.gateway.app.known_routes if isinstance(route, Route)]
    return [
        route.path
        for route in endpoints
        if isinstance(route.endpoint, Endpoint)
        and isinstance(page := route.endpoint.responder, Page)
        and "GET" in page.handlers
        and "{" not in route.path
    ]


def bytes_of(answer: httpx.Response) -> int:
    """Return what travelled."""
    return answer.num_bytes_downloaded


async def test_no_page_is_heavier_than_it_may_be(edge: Edge) -> None:
    """Whatever it answers here: the pages of the reference are the heaviest, and whole."""
    weights: dict[str, int] = {}
    known: dict[str, int] = {}
    async with browser(edge, accept="text/html") as client:
        await log_in(client)
        for path in [*pages_of(edge), "/docs/administration", "/docs/inference"]:
            page = await client.get(path)
            for address in assets_of(page.text):
                if address not in known:
                    known[address] = bytes_of((await client.get(address)).raise_for_status())
            weights[path] = bytes_of(page) + sum(known[address] for address in assets_of(page.text))

    assert len(weights) > 30
    assert {path: weight for path, weight in weights.items() if weight > MOST_BYTES} == {}
    assert weights["/docs/administration"] > 20_000
