"""The pages of administrators in Chromium, each with its main job, and what the books of the services say of it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.browser.visiting import DESK, Visitor, axe_source, context_of, running_chromium
from tests.integration.waiting import wait_until
from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person

MAKE_ADMIN = "UPDATE auth.users SET is_admin = true WHERE id::text = $1 RETURNING id"
# Nobody else asks for it: tests share the suite.
MODEL, PRICED = "gigachat-max", "GigaChat-2-Max"


@pytest.fixture(scope="module")
def somebody(house: House) -> Person:
    """Whom the administrator looks for."""
    return house.new_person()


@pytest.fixture(scope="module")
def admin(house: House) -> Person:
    """An administrator."""
    person = house.new_person()
    assert house.stack.query(MAKE_ADMIN, person.user_id)
    return person


@pytest.fixture(scope="module")
def chromium(admin: Person, somebody: Person) -> Iterator[Chromium]:
    """Chromium; started when everybody is there."""
    with running_chromium() as launched:
        yield launched


@pytest.fixture
def visitor(chromium: Chromium, house: House, admin: Person) -> Iterator[Visitor]:
    """The administrator, logged in at a desk, in English."""
    with context_of(chromium, "en", DESK) as context:
        made = Visitor(context, house.url, axe_source(), "admin")
        made.enter(admin)
        yield made
        assert made.troubles == []


def told(house: House, path: str) -> str:
    """Return what the API tells an administrator."""
    headers = {"authorization": f"Bearer {house.stack.admin_key}"}
    return house.http.get(path, headers=headers).raise_for_status().text


def press(page: Page, order: str) -> None:
    """Press the first button that gives an order."""
    page.locator(f"button[name=order][value={order}]").first.click()


def test_a_tier_is_given_and_an_account_is_shut_and_opened(visitor: Visitor, house: House, somebody: Person) -> None:
    """Found by the address; whoever is shut out cannot log in."""
    page = visitor.page
    visitor.open("/console/admin/people?lang=en")
    page.locator("#search").fill(somebody.email)
    page.locator("#search").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody select").select_option("pro")
    press(page, "tier")
    expect(page.locator("tbody select")).to_have_value("pro")
    press(page, "disable")
    expect(page.locator("tbody .state.down")).to_be_visible()
    visitor.check("admin-people", "en")
    assert '"disabled":true' in told(house, f"/v1/admin/users?search={somebody.email}")
    press(page, "enable")
    expect(page.locator("tbody .state.operational")).to_be_visible()
    assert '"tier":"pro"' in told(house, f"/v1/admin/users?search={somebody.email}")


def test_a_provider_is_drained_and_taken_back(visitor: Visitor, house: House) -> None:
    """With a reason, which everybody who looks is told."""
    page = visitor.page
    visitor.open("/console/admin/providers?lang=en")
    page.locator("#provider").select_option("gigachat")
    page.locator("#model").fill(MODEL)
    page.locator("#reason").fill("works at night")
    press(page, "drain")
    expect(page.locator("main ul.cards").first).to_contain_text("works at night")
    visitor.check("admin-providers", "en")
    assert "works at night" in told(house, "/v1/admin/providers/circuits")
    press(page, "undrain")
    expect(page.locator("button[value=undrain]")).to_have_count(0)
    assert "works at night" not in told(house, "/v1/admin/providers/circuits")


def test_a_model_is_switched_off_and_back_and_a_price_is_given(visitor: Visitor, house: House) -> None:
    """From a far day on, so that nobody pays it. What was given back stays listed, and is on again soon."""
    page = visitor.page
    visitor.open("/console/admin/catalog?lang=en")
    row = page.locator("tbody tr", has=page.locator(f"button[aria-label$=' {MODEL}']"))
    row.locator("button[value=off]").click()
    expect(row.locator(".state.down")).to_be_visible()
    assert MODEL in told(house, "/v1/admin/catalog/overrides")
    row.locator("button[value=remove]").click()
    expect(row).to_be_visible()
    expect(row.locator("button[value=remove]")).to_have_count(0)

    def is_listed() -> bool:
        visitor.reopen()
        return row.locator(".state.operational").is_visible()

    wait_until(is_listed, within_s=60)
    row.locator("th a").click()
    expect(page.locator("main")).to_contain_text("New price")
    page.locator("#valid_from").fill("2099-01-01")
    page.locator("#input").fill("1,5")
    page.locator("#output").fill("3")
    press(page, "price")
    expect(page.locator("main")).to_contain_text("1.5")
    visitor.check("admin-catalog", "en")
    assert '"1.5' in told(house, f"/v1/admin/catalog/prices?model={PRICED}")


def test_an_organization_gets_a_member_and_a_budget_that_the_member_sees(
    visitor: Visitor, house: House, somebody: Person
) -> None:
    """Made, joined by address, capped by a trial; figures are the API's; the member sees what limits them."""
    page = visitor.page
    visitor.open("/console/admin/organizations?lang=en")
    page.locator("#name").fill("Roastery")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("h1")).to_have_text("Roastery")
    page.locator("#member").fill(somebody.email)
    press(page, "add")
    expect(page.locator("button[value=remove]")).to_have_count(1)
    page.get_by_role("link", name="New budget").first.click()
    page.locator("#limit").fill("0")
    page.locator("#mode").select_option("shadow")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#fault-limit")).to_be_visible()
    page.locator("#limit").fill("1234,56")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("main ul.cards").first).to_contain_text("1,234.56")
    expect(page.locator("main ul.cards").first).to_contain_text("would have refused: 0")
    visitor.check("admin-organization", "en")
    capped = told(house, f"/v1/admin/budgets?user_id={somebody.user_id}")
    assert '"owner":"organization"' in capped
    assert '"limit_micro_rub":1234560000' in capped
    with house.browser(somebody, language="en") as member:
        seen = member.get("/console/budgets?lang=en").text
    assert "1,234.56" in seen
    assert "set by an administrator" in seen
    page.locator("main ul.cards a[href*='/people/']").click()
    expect(page.locator("main")).to_contain_text(f"Budgets of {somebody.email}")
    visitor.check("admin-person", "en")
    page.get_by_role("link", name="To the organization").click()
    page.get_by_role("link", name="Remove", exact=True).first.click()
    page.locator("main form button.danger").click()
    expect(page.locator("main")).to_contain_text("Nothing caps this organization")
    assert '"owner":"organization"' not in told(house, f"/v1/admin/budgets?user_id={somebody.user_id}")


def test_the_chain_of_the_log_and_the_books_are_checked(visitor: Visitor, house: House, admin: Person) -> None:
    """Both are right; what the administrator did is found by who did it."""
    page = visitor.page
    visitor.open("/console/admin/audit?lang=en")
    for order in ("chain", "ledger"):
        press(page, order)
        expect(page.locator("main [role=status].note.good")).to_be_visible()
    visitor.check("admin-audit", "en")
    page.locator("#action").fill("user.tier_changed")
    page.locator("#actor").fill(f"user:{admin.user_id}")
    page.locator("form.filters button").click()
    expect(page.locator("main")).to_contain_text(f"user:{admin.user_id}")
