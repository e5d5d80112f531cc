"""No page is heavier than 200 kB as it travels, with everything that it makes a browser fetch."""

from __future__ import annotations

import httpx

from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, log_in
from services.gateway.tests.pages.test_forms import pages_of
from tools.page_weight import MOST_BYTES, assets_of


def addresses_of(edge: Edge) -> list[str]:
    """Return the addresses of all pages that have one of their own."""
    return [path for path, page in pages_of(edge).items() if "GET" in page.handlers and "{" not in path]


def bytes_of(answer: httpx.Response) -> int:
    """Return what travelled."""
    return answer.num_bytes_downloaded


async def test_no_page_is_heavier_than_it_may_be(edge: Edge) -> None:
    """Whatever it answers here: the pages of the reference are the heaviest, and whole."""
    weights: dict[str, int] = {}
    known: dict[str, int] = {}
    async with browser(edge, accept="text/html") as client:
        await log_in(client)
        for path in [*addresses_of(edge), "/docs/administration", "/docs/inference"]:
            page = await client.get(path)
            for address in assets_of(page.text):
                if address not in known:
                    known[address] = bytes_of((await client.get(address)).raise_for_status())
            weights[path] = bytes_of(page) + sum(known[address] for address in assets_of(page.text))

    assert len(weights) > 30
    assert {path: weight for path, weight in weights.items() if weight > MOST_BYTES} == {}
    assert weights["/docs/administration"] > 20_000
