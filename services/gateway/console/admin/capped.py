"""Whose budgets administrators set: an organization's, or those of a person with their keys and applications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from services.gateway.console.budgets import orders
from services.gateway.console.forms.draft import Draft, draft_of
from services.gateway.console.forms.shown import one_of
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path

ORGANIZATIONS: Final = "/v1/admin/organizations"
USERS: Final = "/v1/admin/users"
ORGANIZATION_LIST: Final = f"{CONSOLE}/admin/organizations"
PEOPLE_LIST: Final = f"{CONSOLE}/admin/people"
ORGANIZATION_ROUTE: Final = f"{ORGANIZATION_LIST}/{{organization_id}}"
# Accounts of 1.0 may have slashes in their ids.
PERSON_ROUTE: Final = f"{PEOPLE_LIST}/{{user_id:path}}"
ORGANIZATION: Final = "organization"
USER: Final = "user"


@dataclass(frozen=True, slots=True)
class Capped:
    """Whose budgets a page is about.

    Attributes:
        owner: as the API has it: "organization" or "user".
        id: of the organization or the account.
        name: of the organization, or the person's address.
        section: the page of the menu below which theirs is.
        told: what the API says of them.
    """

    owner: str
    id: str
    name: str
    section: str
    told: Any

    @property
    def path(self) -> str:
        """Return the address of their page."""
        return f"{self.section}/{part_of_path(self.id)}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Return how the API is asked for their budgets."""
        return [(f"{self.owner}_id", self.id)]

    @property
    def template(self) -> str:
        """Return the form of a new budget of theirs."""
        return f"admin/{self.owner}_budget.html"

    @property
    def fields(self) -> tuple[str, ...]:
        """Return what that form has: an organization is capped as a whole, and of cost only."""
        return ("period", "mode", "limit") if self.owner == ORGANIZATION else (*orders.FIELDS, "owner_id")

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """Return what is chosen from in that form."""
        if self.owner != ORGANIZATION:
            return orders.CHOICES
        return {**orders.CHOICES, "measures": (orders.COST,), "periods": orders.PERIODS[1:]}

    def blank(self) -> Draft:
        """Return the form of a new budget before anything is typed."""
        return draft_of(owner=USER, measure=orders.COST, period="month", mode="hard")

    def order(self, draft: Draft) -> dict[str, Any]:
        """Return the order of a new budget.

        Raises:
            FormRefused: a field says nothing that could be asked for.
        """
        if self.owner == ORGANIZATION:
            order = orders.new_budget(Draft([("measure", orders.COST), *draft.pairs]))
            return {**order, "owner": ORGANIZATION, "owner_id": self.id}
        order = orders.new_budget(draft)
        return order | {"owner_id": self.id if order["owner"] == USER else draft.one("owner_id")}


async def organization_of(api: OwnApi, page: PageContext) -> Capped:
    """Return the organization of a page.

    Raises:
        NotFound: there is none.
        ApiRefused: who asks is no administrator.
    """
    id = page.path_value("organization_id")
    found = one_of((await api.get(page, ORGANIZATIONS, [("search", id)]))["data"], id, ORGANIZATION)
    return Capped(ORGANIZATION, found["id"], found["name"], ORGANIZATION_LIST, found)


async def person_of(api: OwnApi, page: PageContext) -> Capped:
    """Return the account of a page.

    Raises:
        NotFound: there is none.
        ApiRefused: who asks is no administrator.
    """
    id = page.path_value("user_id")
    found = one_of(await accounts_like(api, page, id), id, "account")
    return Capped(USER, found["id"], found["email"], PEOPLE_LIST, found)


async def accounts_like(api: OwnApi, page: PageContext, search: str) -> list[Any]:
    """Return the accounts of which this is the id, or a part of the address."""
    found = await api.get(page, USERS, [("search", search)])
    return list(found["data"])
