"""Whose pages are looked at: somebody who has one of everything, made by the pages' own forms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.oauth_kit.house import House
from tests.oauth_kit.people import Person
from tools.browser.browser import Browser
from tools.browser.forms import Form, forms_in

# What a page names its things by, in the addresses of its links.
ID: Final = r"([^/\"?]+)"
NOT_IDS: Final = ("new", "made", "names", "errors")
IDS: Final = {
    "room": ("/docs", f'"/docs/{ID}"'),
    "request_id": ("/console/requests", f'"/console/requests/{ID}"'),
    "key_id": ("/console/keys", f'"/console/keys/{ID}/revoke'),
    "client_id": ("/console/applications", f'"/console/applications/{ID}/rotate'),
    "budget_id": ("/console/budgets", f'"/console/budgets/{ID}/delete'),
    "rule_id": ("/console/alerts", f'"/console/alerts/rules/{ID}/delete'),
    "channel_id": ("/console/alerts", f'"/console/alerts/channels/{ID}"'),
    "webhook_id": ("/console/webhooks", f'"/console/webhooks/{ID}"'),
    "schedule_id": ("/console/reports", f'"/console/reports/schedules/{ID}/delete'),
    "report_id": ("/console/reports", f'"/console/reports/{ID}/delete'),
}
# Of the API, one that can be run on its page.
OPERATION: Final = "list_models"
NAME: Final = "Магазин"
ADMIN: Final = "/console/admin"
# What is made, in this order: each form with what is typed into it.
FORMS: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("/console/keys/new", {"name": NAME, "budget": "5 000"}),
    ("/console/applications/new", {"name": NAME, "redirect_uris": "https://shop.example.ru/callback"}),
    ("/console/budgets/new", {"limit": "10 000"}),
    ("/console/alerts/channels/new", {"kind": "email", "name": NAME}),
    ("/console/webhooks/new", {"url": "https://hooks.example.ru/razvilka"}),
    ("/console/alerts/new", {}),
    ("/console/reports", {"format": "csv"}),
    ("/console/reports/schedules/new", {}),
)


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody with an account, and the ids of what they have."""

    person: Person
    ids: Mapping[str, str] = field(default_factory=dict)


def furnish(house: House, person: Person) -> Resident:
    """Give a person one of everything, and learn its ids."""
    with house.browser(person, language="ru") as browser:
        for path, values in FORMS:
            fill_in(browser, path, values)
        return Resident(person, ids_of(browser) | _administered(browser, person))


def _administered(browser: Browser, person: Person) -> dict[str, str]:
    """Return the ids of what an administrator has set, of an organization and of their own account; of others, none."""
    listed = f"{ADMIN}/organizations"
    if browser.get(listed).status_code != 200:
        return {}
    fill_in(browser, listed, {"name": NAME})
    organization_id = _first_id(browser, listed, f'"{listed}/{ID}"')
    whose = {"org_budget_id": f"{listed}/{organization_id}", "person_budget_id": f"{ADMIN}/people/{person.user_id}"}
    for path in whose.values():
        fill_in(browser, f"{path}/budgets/new", {"limit": "20 000"})
    budgets = {name: _first_id(browser, path, f'"{path}/budgets/{ID}/delete') for name, path in whose.items()}
    return {"organization_id": organization_id, "user_id": person.user_id, **budgets}


def _first_id(browser: Browser, path: str, pattern: str) -> str:
    return str(re.findall(pattern, browser.get(path).text)[0])


def ids_of(browser: Browser) -> dict[str, str]:
    """Return the ids that a person's pages link to; of what they have not, none."""
    found = {name: re.findall(pattern, browser.get(path).text) for name, (path, pattern) in IDS.items()}
    own = {name: [each for each in ids if each not in NOT_IDS] for name, ids in found.items()}
    return {"operation_id": OPERATION} | {name: ids[0] for name, ids in own.items() if ids}


def fill_in(browser: Browser, path: str, values: Mapping[str, str]) -> None:
    """Fill in the form that a page has, and send it.

    Raises:
        AssertionError: it was refused.
    """
    form = _form_of(browser.get(path).text, path)
    answer = browser.post(form.action, form.filled(**values))
    assert answer.is_redirect, (path, answer.status_code, re.findall(r'class="fault".*', answer.text))


def _form_of(html: str, path: str) -> Form:
    return next(form for form in forms_in(html) if form.method == "post" and form.action == path)


def make_administrator(house: House, user_id: str) -> None:
    """Give an account the rights that only the operator gives."""
    house.stack.query("UPDATE auth.users SET is_admin = true WHERE id = $1", user_id)
