"""Every page in ru and en, light and dark, on a phone and on a desk; by keyboard; without scripts."""

import os
import re
from typing import Final

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of
from tests.browser.walk.looking import FOLDER, Look, keyboard_faults
from tests.browser.walk.places import PLACES, Place
from tests.browser.walk.residents import Resident
from tests.oauth_kit.house import House

pytestmark = pytest.mark.skipif("RAZVILKA_PAGES_WALK" not in os.environ, reason="make pages-walk")
SIZES: Final = {"phone": PHONE, "desk": DESK}
COMBINATIONS: Final = pytest.mark.parametrize(
    ("language", "size"), [(language, size) for language in ("ru", "en") for size in SIZES]
)
# Numbers and parts of ids: the log of an administrator grows by each login.
CHANGING: Final = r"[0-9a-f]{4,}|\d+"
# Where each visit has a line of its own.
SESSIONS: Final = "console-sessions"
# What is hidden until a script serves it: buttons that submit nothing, and the reader of a chart.
ADDED: Final = "main button[type=button], main .reading"
# What a page says, line by line, and which lines scripts add.
Lines = tuple[set[str], set[str]]


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
        visitor.enter(resident.person, language)
        for place in [place for place in places() if not place.is_open]:
            faults += look_at(visitor, place, resident, Look(visitor, axe, language, size, place.name))

    (FOLDER / f"faults-{language}-{size}.txt").write_text("\n".join(faults))
    assert not faults, "\n".join(faults)


def test_every_page_says_the_same_without_scripts(chromium: Chromium, house: House, resident: Resident):
    """What scripts add is buttons that only they can serve; numbers aside, which change by the second."""
    told = {script: _told(chromium, house, resident, script=script) for script in (True, False)}

    plain = told[False]
    apart = {name: (lines ^ plain[name][0]) - added for name, (lines, added) in told[True].items() if name != SESSIONS}
    assert {name: lines for name, lines in apart.items() if lines} == {}


def _told(chromium: Chromium, house: House, resident: Resident, *, script: bool) -> dict[str, Lines]:
    """Return what each page says, line by line, and which lines scripts add."""
    told = {}
    with context_of(chromium, "en", DESK, script=script) as context:
        visitor = Visitor(context, house.url, "", "en")
        page = visitor.page
        visitor.enter(resident.person)
        for place in places():
            visitor.open(place.path(resident.ids))
            added = page.locator(ADDED).all_inner_texts() if script else []
            told[place.name] = (_lines(page.locator("main").inner_text()), _lines("\n".join(added)))
    return told


def _lines(text: str) -> set[str]:
    return {re.sub(CHANGING, "#", line).strip() for line in text.splitlines()}


def look_at(visitor: Visitor, place: Place, resident: Resident, look: Look) -> list[str]:
    """Return what is wrong with a page."""
    path = place.path(resident.ids)
    if not path:
        return [f"{place.name}: there is nothing of this kind to look at"]
    visitor.page.emulate_media(color_scheme="light")
    visitor.open(f"{path}{'&' if '?' in path else '?'}lang={look.language}")
    return [f"{place.name}: {fault}" for fault in [*look.faults(), *keyboard_faults(visitor.page)]]
