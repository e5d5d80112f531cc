"""Every page in ru and en, light and dark, on a phone and on a desk; by keyboard; without scripts."""

import asyncio
import os
import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of, running_chromium
from tests.browser.walk.looking import FOLDER, Look, keyboard_faults
from tests.browser.walk.places import PLACES, Place
from tests.browser.walk.residents import Resident, furnish
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.demo_data.__main__ import write

pytestmark = pytest.mark.skipif("RAZVILKA_PAGES_WALK" not in os.environ, reason="make pages-walk")
SIZES: Final = {"phone": PHONE, "desk": DESK}
COMBINATIONS: Final = pytest.mark.parametrize(
    ("language", "size"), [(language, size) for language in ("ru", "en") for size in SIZES]
)


@pytest.fixture(scope="module")
def resident(house: House) -> Resident:
    """The demo person with ninety days of usage, one of everything, and the rights of an administrator."""
    demo = house.stack.demo
    asyncio.run(write(house.stack.parts.home))
    house.stack.query("UPDATE auth.users SET is_admin = true WHERE id = $1", demo.demo_user_id)
    return furnish(house, Person(demo.demo_user_id, demo.demo_email, demo.demo_password))


@pytest.fixture(scope="module")
def chromium(resident: Resident) -> Iterator[Chromium]:
    """Chromium; started when everybody is there."""
    assert resident.ids
    with running_chromium() as launched:
        yield launched


def places() -> list[Place]:
    """Return where to go; RAZVILKA_PAGES names some of them by a pattern."""
    return [place for place in PLACES if re.search(os.environ.get("RAZVILKA_PAGES", ""), place.name)]


@COMBINATIONS
def test_every_page_is_fit_to_be_seen(chromium: Chromium, house: House, resident: Resident, language: str, size: str):
    """No violation of the policy or of WCAG 2.2 AA, nothing in the console, no scroll bar; Tab reaches everything."""
    faults: list[str] = []
    axe = axe_source()
    with context_of(chromium, language, SIZES[size]) as context:
        visitor = Visitor(context, house.url, axe, language)
        for place in [place for place in places() if place.is_open]:
            faults += look_at(visitor, place, resident, Look(visitor, axe, language, size, place.name))
        # From here on as somebody at the machine itself: only they are shown what can be broken.
        context.set_extra_http_headers({})
        visitor.open(f"/login?lang={language}")
        visitor.log_in(resident.person)
        visitor.page.wait_for_url("**/console")
        for place in [place for place in places() if not place.is_open]:
            faults += look_at(visitor, place, resident, Look(visitor, axe, language, size, place.name))

    (FOLDER / f"faults-{language}-{size}.txt").write_text("\n".join(faults))
    assert not faults, "\n".join(faults)


def look_at(visitor: Visitor, place: Place, resident: Resident, look: Look) -> list[str]:
    """Return what is wrong with a page."""
    path = place.path(resident.ids)
    if not path:
        return [f"{place.name}: there is nothing of this kind to look at"]
    visitor.page.emulate_media(color_scheme="light")
    visitor.open(f"{path}{'&' if '?' in path else '?'}lang={look.language}")
    return [f"{place.name}: {fault}" for fault in [*look.faults(), *keyboard_faults(visitor.page)]]
