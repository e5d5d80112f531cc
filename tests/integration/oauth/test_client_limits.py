"""How much one application may ask (rule 51), at an authorization server that lets each ask little."""

from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from tests.integration.processes import Processes
from tests.oauth_kit.house import House

PER_MINUTE: Final = 20


@pytest.fixture
def strict(house: House, processes: Processes) -> Iterator[httpx.Client]:
    """Return a client at a gateway whose auth counts to a number that every machine reaches within a minute."""
    auth = processes.start("auth", {"AUTH_OAUTH_CLIENT_REQUESTS_PER_MINUTE": str(PER_MINUTE)})
    with house.client(processes.gateway(GATEWAY_AUTH_TARGET=auth.target).url) as made:
        yield made


def test_an_application_over_its_limit_is_told_when_to_come_again(house: House, strict: httpx.Client):
    """Rule 51: 429, Retry-After, the protocol's JSON; another application at the same address is not touched."""
    busy, other = (house.register(confidential=True).at(strict) for _ in range(2))

    # At the turn of a minute the count begins anew, so a few more than twice.
    answers = [busy.revoke("x") for _ in range(2 * PER_MINUTE + 2)]
    calm = other.revoke("x")

    assert {answer.status_code for answer in answers} == {200, 429}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {each.json()["error"] for each in refused} == {"temporarily_unavailable"}
    assert all(1 <= int(each.headers["retry-after"]) <= 60 for each in refused)
    assert {each.headers["cache-control"] for each in refused} == {"no-store"}
    assert calm.status_code == 200
