"""/console: who else may act for the user: connected applications and API keys; and leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from servicekit.errors import InvalidRequest, PermissionDenied, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.clients.account_views import IssuedKey, NewKey
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import every, first
from services.gateway.identity.access import Scope
from services.gateway.oauth.authorize import PERIODS
from services.gateway.pages.answers import Download, PageAnswer, Redirect, TemplatePage
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint
from services.gateway.pages.rendering import micro_rub_of

MAX_FIELD: Final = 1024
MOST_MAILS: Final = 50
NEVER: Final = datetime.min.replace(tzinfo=UTC)
# What a key gets when nothing is changed: what a key of release 1.0 could do.
# What the form offers; administration is for the API.
KEY_SCOPES: Final = tuple(scope for scope in Scope if scope is not Scope.ADMIN)
DEFAULT_KEY_SCOPES: Final = (
    Scope.MODELS_READ, Scope.COMPLETIONS_WRITE, Scope.EMBEDDINGS_WRITE, Scope.USAGE_READ,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccessPages:
    """Applications, keys, export, deletion, mails."""

    shared: PageDependencies
    grants: GrantClient
    auth: AuthClient
    notifications: NotificationClient

    def all(self, *, outbox: bool) -> list[Endpoint]:
        """Return the pages; the outbox only outside production."""
        shared = self.shared
        pages = [
            page_endpoint(
                "/console/applications", shared, self.show_applications, self.end_application, login_required=True
            ),
            page_endpoint("/console/keys", shared, self.show_keys, self.create_key, login_required=True),
            page_endpoint("/console/keys/revoke", shared, None, self.revoke_key, login_required=True),
            page_endpoint("/console/data", shared, self.show_data, login_required=True),
            page_endpoint("/console/export", shared, None, self.export, login_required=True),
            page_endpoint("/console/delete", shared, None, self.delete, login_required=True),
        ]
        return [*pages, page_endpoint("/dev/outbox", shared, self.show_outbox)] if outbox else pages

    async def show_applications(self, page: PageContext) -> PageAnswer:
        """List the applications that were let in."""
        grants = await self.grants.list_grants(page.known_user.profile.user_id, page.call)
        return TemplatePage("applications.html", {"grants": grants})

    async def end_application(self, page: PageContext) -> PageAnswer:
        """End one with all its tokens."""
        await self.grants.revoke_grant(page.known_user.profile.user_id, _field(page, "grant_id"), page.call)
        return Redirect("/console/applications")

    async def show_keys(self, page: PageContext) -> PageAnswer:
        """List the keys."""
        return await self._keys_page(page)

    async def _keys_page(
        self, page: PageContext, *, error: str = "", secret: str = "", status: int = 200
    ) -> TemplatePage:
        keys, _ = await self.auth.list_keys(page.known_user.profile.user_id, page.call, size=100)
        live = [key for key in keys if key.revoked_at is None]
        has_password = page.known_user.profile.has_password
        values = {
            "keys": live,
            "error": error,
            "secret": secret,
            "all_scopes": KEY_SCOPES,
            "has_password": has_password,
        }
        return TemplatePage("keys.html", {**values, "default_scopes": DEFAULT_KEY_SCOPES}, status)

    async def create_key(self, page: PageContext) -> PageAnswer:
        """Make a key and show it, this once."""
        budget = micro_rub_of(_field(page, "budget"))
        scopes = every(page.form, "scope")
        if budget is None:
            return await self._keys_page(page, error="consent.bad_budget", status=400)
        if not scopes or not set(scopes) <= set(KEY_SCOPES):
            return await self._keys_page(page, error="keys.no_scope", status=400)
        period = PERIODS.get(_field(page, "budget_period")) if budget else None
        order = NewKey(_field(page, "name"), scopes, budget_micro_rub=budget, budget_period=period)
        try:
            issued = await self._make_key(page, order)
        except InvalidRequest:
            return await self._keys_page(page, error="keys.bad_name", status=400)
        except (Unauthenticated, QuotaExceeded) as exc:
            return await self._keys_page(page, error=_refusal(exc), status=400)
        return await self._keys_page(page, secret=issued.secret)

    async def _make_key(self, page: PageContext, order: NewKey) -> IssuedKey:
        if password := _field(page, "password"):
            await self.shared.accounts.reauthenticate(page.session, password, page.origin, page.call)
        user_id = page.known_user.profile.user_id
        return await self.auth.create_key(user_id, order, page.call, maker=page.known_caller)

    async def revoke_key(self, page: PageContext) -> PageAnswer:
        """End a key."""
        await self.auth.revoke_key(page.known_user.profile.user_id, _field(page, "key_id"), page.call)
        return Redirect("/console/keys")

    async def show_data(self, page: PageContext) -> PageAnswer:
        """Show export and deletion."""
        return TemplatePage("data.html", {"profile": page.known_user.profile, "error": ""})

    async def export(self, page: PageContext) -> PageAnswer:
        """Return everything that is known of the user."""
        body = await self.shared.accounts.export_account(page.known_user.profile.user_id, page.call)
        name = b'attachment; filename="razvilka-account.json"'
        return Download(b"application/json", body, [(b"content-disposition", name)])

    async def delete(self, page: PageContext) -> PageAnswer:
        """End the account."""
        profile = page.known_user.profile
        try:
            password = _field(page, "password")
            await self.shared.accounts.delete_account(
                profile.user_id, password, page.origin, page.call, session=page.session
            )
        except (InvalidRequest, Unauthenticated, QuotaExceeded, PermissionDenied) as exc:
            return TemplatePage("data.html", {"profile": profile, "error": _refusal(exc)}, 400)
        page.log_out()
        return TemplatePage("message.html", {"title": "data.deleted_title", "text": "data.deleted", "link": "/login"})

    async def show_outbox(self, page: PageContext) -> PageAnswer:
        """Show the mails that were not sent because no server is set."""
        of_accounts = await self.shared.accounts.list_outbox(page.call)
        of_notifications = await self.notifications.list_mails(MOST_MAILS, page.call)
        mails = sorted((*of_accounts, *of_notifications), key=lambda mail: mail.sent_at or NEVER, reverse=True)
        return TemplatePage("outbox.html", {"mails": mails})


def _refusal(error: ServiceError) -> str:
    if error.param == "session_id":
        return "security.prove"
    return "login.too_many" if isinstance(error, QuotaExceeded) else "security.wrong_password"


def _field(page: PageContext, name: str) -> str:
    return first(page.form, name)[:MAX_FIELD]
