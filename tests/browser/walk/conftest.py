"""Whose pages are walked, and in what."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.visiting import running_chromium
from tests.browser.walk.residents import Resident, furnish, make_administrator
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.demo_data.__main__ import write


@pytest.fixture(scope="session")
def resident(house: House) -> Resident:
    """The demo person with ninety days of usage, one of everything, and the rights of an administrator."""
    demo = house.stack.demo
    asyncio.run(write(house.stack.parts.home))
    make_administrator(house, demo.demo_user_id)
    return furnish(house, Person(demo.demo_user_id, demo.demo_email, demo.demo_password))


@pytest.fixture(scope="module")
def chromium(resident: Resident) -> Iterator[Chromium]:
    """Chromium; started when everybody is there."""
    assert resident.ids
    with running_chromium() as launched:
        yield launched
