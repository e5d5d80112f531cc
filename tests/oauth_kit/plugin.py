"""Fixtures for tests of the authorization server's outside."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.oauth_kit.application import Application
from tests.oauth_kit.gateways import another_gateway
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser
from tools.stack.running_stack import RunningStack


@pytest.fixture(scope="session")
def house(stack: RunningStack) -> Iterator[House]:
    """Return the running suite's authorization server."""
    made = House(stack)
    yield made
    made.http.close()


@pytest.fixture(scope="session")
def person(house: House) -> Person:
    """Return somebody whose password no test changes."""
    return house.person()


@pytest.fixture(scope="session")
def browser(house: House, person: Person) -> Iterator[Browser]:
    """Return a browser in which `person` stays logged in: what ends sessions is tested with another."""
    with house.browser(person) as made:
        yield made


@pytest.fixture
def stranger(house: House) -> Iterator[Browser]:
    """Return a browser in which nobody is logged in."""
    with house.browser() as made:
        yield made


@pytest.fixture(scope="session")
def public(house: House) -> Application:
    """Return the demo's public client."""
    return house.public()


@pytest.fixture(scope="session")
def confidential(house: House) -> Application:
    """Return the demo's confidential client."""
    return house.confidential()


@pytest.fixture(scope="session")
def second(house: House, servers_folder: Path) -> Iterator[httpx.Client]:
    """Return a client at a second gateway."""
    with another_gateway(house.stack, servers_folder / "second-gateway") as url, house.client(url) as made:
        yield made


@pytest.fixture(scope="session")
def other(house: House) -> Application:
    """Return a client of somebody else."""
    return house.register(confidential=True)
