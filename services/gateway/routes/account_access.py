"""/console: who else may act for the user: connected applications and API keys; and leaving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from servicekit.errors import InvalidRequest, PermissionDenied, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.grants import GrantClient
from services.gateway.console.pages import micro_rub_of
from services.gateway.params import every, first
from services.gateway.people import NewKey
from services.gateway.routes.oauth_authorize import PERIODS
from services.gateway.routes.page import Page, Site
from services.gateway.routes.visit import PageAnswer, Raw, Sent, Shown, Visit

MAX_FIELD: Final = 1024
# What the form offers; the rest is for the API.
KEY_SCOPES: Final = (
    "models:read", "completions:write", "embeddings:write", "usage:read", "keys:read", "keys:write", "profile:read",
    "profile:write", "clients:write",
)  # fmt: skip
DEFAULT_KEY_SCOPES: Final = KEY_SCOPES[:4]


@dataclass(frozen=True, slots=True)
class AccessPages:
    """Applications, keys, export, deletion, mails."""

    site: Site
    grants: GrantClient
    auth: AuthClient

    def all(self, *, outbox: bool) -> list[Page]:
        """Return the pages; the outbox only outside production."""
        site = self.site
        pages = [
            Page("/console/applications", site, self.show_applications, self.end_application, members=True),
            Page("/console/keys", site, self.show_keys, self.create_key, members=True),
            Page("/console/keys/revoke", site, None, self.revoke_key, members=True),
            Page("/console/data", site, self.show_data, members=True),
            Page("/console/export", site, None, self.export, members=True),
            Page("/console/delete", site, None, self.delete, members=True),
        ]
        return [*pages, Page("/dev/outbox", site, self.show_outbox)] if outbox else pages

    async def show_applications(self, visit: Visit) -> PageAnswer:
        """List the applications that were let in."""
        grants = await self.grants.list_grants(visit.known_person.profile.user_id, visit.call)
        return Shown("applications.html", {"grants": grants})

    async def end_application(self, visit: Visit) -> PageAnswer:
        """End one with all its tokens."""
        await self.grants.revoke_grant(visit.known_person.profile.user_id, _field(visit, "grant_id"), visit.call)
        return Sent("/console/applications")

    async def show_keys(self, visit: Visit) -> PageAnswer:
        """List the keys."""
        return await self._keys_page(visit)

    async def _keys_page(self, visit: Visit, *, error: str = "", secret: str = "", status: int = 200) -> Shown:
        keys, _ = await self.auth.list_keys(visit.known_person.profile.user_id, visit.call, size=100)
        live = [key for key in keys if key.revoked_at is None]
        values = {"keys": live, "error": error, "secret": secret, "all_scopes": KEY_SCOPES}
        return Shown("keys.html", {**values, "default_scopes": DEFAULT_KEY_SCOPES}, status)

    async def create_key(self, visit: Visit) -> PageAnswer:
        """Make a key and show it, this once."""
        budget = micro_rub_of(_field(visit, "budget"))
        scopes = every(visit.form, "scope")
        if budget is None:
            return await self._keys_page(visit, error="consent.bad_budget", status=400)
        if not scopes or not set(scopes) <= set(KEY_SCOPES):
            return await self._keys_page(visit, error="keys.no_scope", status=400)
        period = PERIODS.get(_field(visit, "budget_period")) if budget else None
        order = NewKey(_field(visit, "name"), scopes, budget_micro_rub=budget, budget_period=period)
        try:
            issued = await self.auth.create_key(visit.known_person.profile.user_id, order, visit.call, maker=None)
        except InvalidRequest:
            return await self._keys_page(visit, error="keys.bad_name", status=400)
        return await self._keys_page(visit, secret=issued.secret)

    async def revoke_key(self, visit: Visit) -> PageAnswer:
        """End a key."""
        await self.auth.revoke_key(visit.known_person.profile.user_id, _field(visit, "key_id"), visit.call)
        return Sent("/console/keys")

    async def show_data(self, visit: Visit) -> PageAnswer:
        """Show export and deletion."""
        return Shown("data.html", {"profile": visit.known_person.profile, "error": ""})

    async def export(self, visit: Visit) -> PageAnswer:
        """Return everything that is known of the user."""
        body = await self.site.accounts.export_account(visit.known_person.profile.user_id, visit.call)
        name = b'attachment; filename="razvilka-account.json"'
        return Raw(b"application/json", body, [(b"content-disposition", name)])

    async def delete(self, visit: Visit) -> PageAnswer:
        """End the account."""
        profile = visit.known_person.profile
        try:
            await self.site.accounts.delete_account(
                profile.user_id, _field(visit, "password"), visit.origin, visit.call
            )
        except (InvalidRequest, Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return Shown("data.html", {"profile": profile, "error": _refusal(exc)}, 400)
        visit.log_out()
        return Shown("message.html", {"title": "data.deleted_title", "text": "data.deleted", "link": "/login"})

    async def show_outbox(self, visit: Visit) -> PageAnswer:
        """Show the mails that were not sent because no server is set."""
        return Shown("outbox.html", {"mails": await self.site.accounts.list_outbox(visit.call)})


def _refusal(error: ServiceError) -> str:
    return "login.too_many" if isinstance(error, QuotaExceeded) else "security.wrong_password"


def _field(visit: Visit, name: str) -> str:
    return first(visit.form, name)[:MAX_FIELD]
