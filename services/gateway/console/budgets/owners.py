"""Whose budgets there are: the account's, its keys' and its applications', by the names that people gave them."""

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.console.credentials import Credentials, credentials_of
from services.gateway.pages.own_api import OwnApi
from services.gateway.pages.page_context import PageContext


@dataclass(frozen=True, slots=True)
class Owners:
    """Names by owner and id. A key is known by the first of its line, an application by its grant.

    `looked_through`: the newest so many keys, where there are older ones, too; else 0.
    """

    keys: dict[str, str]
    apps: dict[str, str]
    looked_through: int

    def name(self, owner: str, owner_id: str) -> str:
        """Return the name of an owner; "" for the account, an organization, and what is gone."""
        return {"key": self.keys, "app": self.apps}.get(owner, {}).get(owner_id, "")


async def owners_of(page: PageContext, api: OwnApi) -> Owners:
    """Return who can have budgets; without the names that cannot be told at the moment."""
    return owners_among(await credentials_of(page, api))


def owners_among(credentials: Credentials) -> Owners:
    """Return who can have budgets of all that may ask in a person's name."""
    live = [key for key in credentials.keys if not key["revoked_at"]]
    # A rotated key goes by the name of its successor, which comes first.
    named = {key["first_key_id"]: key["name"] for key in reversed(live)}
    apps = {grant["id"]: grant["client_name"] for grant in credentials.grants}
    return Owners(named, apps, len(credentials.keys) if credentials.older_keys else 0)
