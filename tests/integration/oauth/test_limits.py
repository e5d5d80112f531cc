"""How much one address may ask (rule 32); on a gateway of its own, for the others do not count."""

from collections.abc import Iterator

import pytest

from tests.oauth_kit.application import Pkce
from tests.oauth_kit.gateways import another_gateway
from tests.oauth_kit.house import House
from tools.browser.browser import any_address

PER_MINUTE = 20


@pytest.fixture(scope="module")
def strict(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway that counts."""
    folder = tmp_path_factory.mktemp("strict")
    with another_gateway(house.stack, folder, GATEWAY_OAUTH_REQUESTS_PER_MINUTE=str(PER_MINUTE)) as url:
        yield url


@pytest.mark.parametrize("path", ["/token", "/par", "/revoke", "/introspect", "/register", "/device_authorization"])
def test_endpoints_for_programs_are_limited_by_address(house: House, strict: str, path: str):
    """Rule 32: 429, Retry-After, the protocol's JSON; another address is not touched."""
    with house.client(strict) as busy, house.client(strict) as other:
        # At the turn of a minute the count begins anew, so a few more than twice.
        answers = [busy.post(path, data={"token": "x"}) for _ in range(2 * PER_MINUTE + 2)]
        calm = other.post(path, data={"token": "x"})

    limited = next(answer for answer in answers if answer.status_code == 429)
    assert limited.json()["error"] == "temporarily_unavailable"
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    assert limited.headers["cache-control"] == "no-store"
    assert calm.status_code != 429


@pytest.mark.parametrize("path", ["/authorize", "/login"])
def test_pages_are_limited_by_address(house: House, strict: str, path: str, public):
    """Rule 32: a page that says so, and no redirect."""
    with house.client(strict) as busy:
        answers = [busy.get(path, params=public.request(Pkce.fresh())) for _ in range(2 * PER_MINUTE + 2)]

    limited = next(answer for answer in answers if answer.status_code == 429)
    assert limited.headers["content-type"].startswith("text/html")
    assert "retry-after" in limited.headers
    assert "location" not in limited.headers


def test_an_address_cannot_be_made_up_by_who_is_no_proxy(house: House, tmp_path_factory):
    """Rule 32: X-Forwarded-For counts only from proxies that we trust."""
    settings = {"GATEWAY_OAUTH_REQUESTS_PER_MINUTE": str(PER_MINUTE), "GATEWAY_TRUSTED_PROXIES": ""}
    with (
        another_gateway(house.stack, tmp_path_factory.mktemp("open"), **settings) as url,
        house.client(url) as client,
    ):
        statuses = {
            client.post("/token", data={"x": "y"}, headers={"x-forwarded-for": any_address()}).status_code
            for _ in range(2 * PER_MINUTE + 2)
        }

    assert 429 in statuses


def test_large_bodies_are_refused(house: House):
    """Rule 32: 56 KiB."""
    for path in ("/token", "/revoke", "/introspect"):
        assert house.http.post(path, data={"token": "x" * 60_000}).status_code in (400, 413)
