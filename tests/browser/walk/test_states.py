"""The pages in every state: empty, one of each, ten thousand, a billion roubles, long words, refused, services away."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser as Chromium

from tests.browser.visiting import DESK, PHONE, Visitor, axe_source, context_of, running_chromium
from tests.browser.walk.looking import FOLDER, Look
from tests.browser.walk.places import PLACES, Place
from tests.browser.walk.residents import Resident
from tests.browser.walk.states import beginner, magnate, newcomer, wait_for_reports
from tests.oauth_kit.house import House

pytestmark = pytest.mark.skipif("RAZVILKA_PAGES_WALK" not in os.environ, reason="make pages-walk")
COMBINATIONS: Final = pytest.mark.parametrize(
    ("language", "size"), [("ru", "phone"), ("en", "desk"), ("ru", "desk")], ids="-".join
)
SIZES: Final = {"phone": PHONE, "desk": DESK}
LISTS: Final = (
    "console", "console-usage", "console-requests", "console-requests-one", "console-keys", "console-applications",
    "console-budgets", "console-alerts", "console-alerts-new", "console-webhooks", "console-reports", "console-profile",
)  # fmt: skip
ADMIN: Final = ("console-admin-people", "console-admin-audit", "console-admin-providers", "console-admin-catalog")
CROWDED: Final = (*LISTS, *ADMIN, "console-keys-one", "console-keys-one-revoke", "console-budgets-new")
# Longer than anybody looks.
SLOW: Final = "Где север? [[tokens:300]] [[chunks:100]] [[gap:300]]"
MAKERS: Final[dict[str, Callable[[House], Resident]]] = {"empty": newcomer, "one": beginner, "many": magnate}


@pytest.fixture(scope="module")
def residents(house: House) -> dict[str, Resident]:
    """Somebody in each state."""
    made = {state: make(house) for state, make in MAKERS.items()}
    wait_for_reports(house, made["one"].person.user_id)
    return made


@pytest.fixture(scope="module")
def chromium(residents: dict[str, Resident]) -> Iterator[Chromium]:
    """Chromium; started when everybody is there."""
    assert residents
    with running_chromium() as launched:
        yield launched


def named(*names: str) -> list[Place]:
    """Return places by their names."""
    return [place for place in PLACES if place.name in names]


@contextmanager
def visit(chromium: Chromium, house: House, resident: Resident, language: str, size: str) -> Iterator[Visitor]:
    """Yield a visitor who is logged in."""
    with context_of(chromium, language, SIZES[size]) as context:
        visitor = Visitor(context, house.url, axe_source(), language)
        visitor.enter(resident.person, language)
        yield visitor


def look_at(visitor: Visitor, paths: dict[str, str], state: str, language: str, size: str) -> list[str]:
    """Return what is wrong with pages in a state, by their names and addresses."""
    faults = []
    for name, path in paths.items():
        look = Look(visitor, axe_source(), language, size, f"{state}-{name}")
        visitor.page.emulate_media(color_scheme="light")
        visitor.open(path)
        faults += [f"{look.name}: {fault}" for fault in look.faults()]
    return faults


def tell(faults: list[str], language: str, size: str, what: str) -> None:
    """Keep what is wrong beside the pictures, and fail with it."""
    (FOLDER / f"faults-{what}-{language}-{size}.txt").write_text("\n".join(faults))
    assert not faults, "\n".join(faults)


@COMBINATIONS
@pytest.mark.parametrize(("state", "names"), [("empty", LISTS), ("one", LISTS), ("many", CROWDED)], ids=MAKERS)
def test_what_an_account_has(chromium: Chromium, house: House, residents, state, names, language, size):
    """Nothing, one of each, and more than anybody reads: with long words and amounts."""
    resident = residents[state]
    paths = {place.name: path for place in named(*names) if (path := place.path(resident.ids))}
    with visit(chromium, house, resident, language, size) as visitor:
        tell(look_at(visitor, paths, state, language, size), language, size, state)


@COMBINATIONS
def test_what_is_refused_or_not_there(chromium: Chromium, house: House, residents, language, size):
    """Pages of administrators for somebody who is none, things of others, filters that mean nothing."""
    paths = {place.name: place.path({}) for place in named(*ADMIN)} | {
        "console-keys-one": "/console/keys/unknown",
        "console-requests": "/console/requests?from=2020-01-01&to=2019-01-01&period=",
        "console-usage": "/console/usage?period=7d&bucket=minute",
    }
    with visit(chromium, house, residents["one"], language, size) as visitor:
        tell(look_at(visitor, paths, "refused", language, size), language, size, "refused")


@COMBINATIONS
def test_what_is_on_its_way(chromium: Chromium, house: House, residents, language, size):
    """An answer that is streamed, and can be stopped."""
    with visit(chromium, house, residents["one"], language, size) as visitor:
        page = visitor.page
        visitor.open("/console/playground")
        page.locator("#message").fill(SLOW)
        page.locator("form#playground button[type=submit]").first.click()
        page.locator("#answers[aria-busy=true] .said:not(:empty)").wait_for()
        faults = list(Look(visitor, axe_source(), language, size, "loading-console-playground").faults())
        page.locator("#stop").click()
        page.locator("#answers .figures").wait_for()
        tell(faults, language, size, "loading")


@COMBINATIONS
def test_a_report_on_its_way(chromium: Chromium, house: House, residents, language, size):
    """How far it is, beside one that is done and one that could not be made."""
    # In a thread of its own: Playwright's event loop runs in this one.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(wait_for_reports, house, residents["one"].person.user_id).result()
    with visit(chromium, house, residents["one"], language, size) as visitor:
        visitor.open("/console/reports")
        assert visitor.page.locator("progress").count() == 1
        faults = look_at(visitor, {"console-reports": "/console/reports"}, "under-way", language, size)
        tell(faults, language, size, "under-way")


@pytest.mark.parametrize("service", ["usage", "router", "auth"])
def test_what_is_shown_while_a_service_is_away(chromium: Chromium, house: House, residents, service):
    """Parts that cannot be told say so, and pages that need it say that something failed; not a blank, not a trace."""
    faults = []
    with ExitStack() as visits:
        visitors = {
            (language, size): visits.enter_context(visit(chromium, house, residents["one"], language, size))
            for language, size in (("ru", "phone"), ("en", "desk"))
        }
        house.stack.stop(service)
        try:
            seen = named(*LISTS, "console-models", "status", "front-door", "login", "docs")
            paths = {place.name: place.path(residents["one"].ids) for place in seen}
            for (language, size), visitor in visitors.items():
                faults += look_at(visitor, paths, f"without-{service}", language, size)
        finally:
            house.stack.start(service)
            house.stack.wait_until_ready()
    tell(faults, "all", "all", f"without-{service}")
