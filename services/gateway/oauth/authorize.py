"""/authorize: what the authorization server decides, as pages. What waits is named by `pending_id`, in forms only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from services.gateway.admission.periods import BudgetPeriod
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.oauth_views import (
    Allowance,
    Application,
    ConsentStep,
    ErrorStep,
    LoginStep,
    Params,
    Pending,
    RedirectStep,
    Step,
)
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first, ticked
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage, error_page
from services.gateway.pages.numbers import typed_micro_rub
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint
from services.gateway.pages.policy import form_targets

# They say who the user is and come with each other; there is nothing to untick.
FIXED_SCOPES: Final = frozenset({"openid"})
PAID_SCOPES: Final = frozenset({"completions:write", "embeddings:write"})
PERIODS: Final = {"day": BudgetPeriod.DAY, "month": BudgetPeriod.MONTH, "total": BudgetPeriod.TOTAL}


@dataclass(frozen=True, slots=True)
class Authorization:
    """The authorization endpoint and its consent form."""

    shared: PageDependencies
    oauth: OAuthClient
    catalog: CatalogWatch

    def all(self) -> list[Endpoint]:
        """Return the pages."""
        return [
            page_endpoint("/authorize", self.shared, self.begin, self.begin, foreign_posts=True),
            page_endpoint("/authorize/continue", self.shared, None, self.show_again),
            page_endpoint("/authorize/consent", self.shared, None, self.decide),
        ]

    async def begin(self, page: PageContext) -> PageAnswer:
        """Take an authorization request: from the query, or from the body of a post."""
        params = page.form if page.scope["method"] == "POST" else page.query
        return await self._next(page, await self.oauth.authorize(params, page.session, page.origin, page.call))

    async def show_again(self, page: PageContext) -> PageAnswer:
        """Show the step that waits anew: in another language, with what was ticked in the one before."""
        said = page.form if first(page.form, "asked") else None
        return await self.go_on(page, first(page.form, "pending_id"), said=said)

    async def go_on(
        self, page: PageContext, pending_id: str, *, error: str = "", said: Params | None = None
    ) -> PageAnswer:
        """Go on with a request that waited; `said` is what a consent form has said so far."""
        step = await self.oauth.authorize([], page.session, page.origin, page.call, pending_id=pending_id)
        return await self._next(page, step, error=error, said=said)

    async def _next(self, page: PageContext, step: Step, *, error: str = "", said: Params | None = None) -> PageAnswer:
        if isinstance(step, RedirectStep):
            return Redirect(step.url)
        if isinstance(step, ErrorStep):
            return error_page(step.error, step.description, 400)
        page.choose_language(step.pending.ui_locales)
        if isinstance(step, LoginStep):
            return await self.login_page(page, pending=step.pending)
        return self._consent_page(step, error, said)

    def _consent_page(self, step: ConsentStep, error: str, said: Params | None) -> TemplatePage:
        pending = step.pending
        values = {
            **consent_values(pending, self.catalog, said),
            "pending_id": pending.pending_id,
            "hosts": hosts_of(pending.application),
            "error": error,
            # Its form has them.
            "switches": [],
        }
        targets = tuple(form_targets(pending.application.redirect_uris))
        return TemplatePage("consent.html", values, 400 if error else 200, targets=targets)

    async def decide(self, page: PageContext) -> PageAnswer:
        """Take the user's decision."""
        pending_id = first(page.form, "pending_id")
        allowance = allowance_of(page)
        if allowance is None:
            return await self.go_on(page, pending_id, error="consent.bad_budget", said=page.form)
        url = await self.oauth.decide_consent(pending_id, page.session, allowance, page.origin, page.call)
        return Redirect(url)

    async def login_page(
        self,
        page: PageContext,
        *,
        pending: Pending | None = None,
        pending_id: str = "",
        next_path: str = "",
        error: str = "",
        status: int = 200,
        email: str = "",
    ) -> TemplatePage:
        """Return the login form, which goes on with what waits, or leads to a page of ours."""
        if pending is None and pending_id:
            pending = await self.waiting(page, pending_id)
        values: dict[str, Any] = {
            "application": pending.application if pending else None,
            "pending_id": pending.pending_id if pending else pending_id,
            "next": next_path,
            "email": email or (pending.login_hint if pending else ""),
            "error": error,
            "providers": await self.shared.accounts.list_external_providers(page.call),
        }
        if values["pending_id"]:
            values |= _switch(values["pending_id"])
        targets = tuple(form_targets(pending.application.redirect_uris)) if pending else ()
        return TemplatePage("login.html", values, status, targets=targets)

    async def waiting(self, page: PageContext, pending_id: str) -> Pending | None:
        """Return the request that waits for a login; None when there is none any more."""
        step = await self.oauth.authorize([], "", page.origin, page.call, pending_id=pending_id)
        return step.pending if isinstance(step, LoginStep) else None


def _switch(pending_id: str) -> dict[str, Any]:
    return {"switch_fields": {"action": "/authorize/continue", "pending_id": pending_id}}


def consent_values(pending: Pending, catalog: CatalogWatch, said: Params | None) -> dict[str, Any]:
    """Return what the user is asked about an application: scopes, and models and a budget where it can spend.

    What a form has `said` stays as it was: who mends the budget, or reads on in another language, gives no right that
    was unticked.
    """
    paid = not PAID_SCOPES.isdisjoint(pending.scopes)
    models = [(model.id, model.name) for model in catalog.current().models] if paid and catalog.is_ready else []
    return {
        "application": pending.application,
        "email": pending.email,
        "scopes": [scope for scope in pending.scopes if scope not in FIXED_SCOPES],
        "fixed_scopes": [scope for scope in pending.scopes if scope in FIXED_SCOPES],
        "models": models,
        "paid": paid,
        "said": None if said is None else dict(said),
    }


def allowance_of(page: PageContext) -> Allowance | None:
    """Return what a consent form says; None when its budget is no amount.

    Only "approve" approves, and only what is ticked: whoever unticks everything allows nothing.
    """
    scopes = ticked(page.form, "scope")
    if first(page.form, "decision") != "approve" or not scopes:
        return Allowance(approved=False)
    budget = typed_micro_rub(first(page.form, "budget"))
    period = PERIODS.get(first(page.form, "budget_period"), BudgetPeriod.MONTH)
    if budget is None:
        return None
    return Allowance(
        approved=True,
        scopes=scopes,
        models=ticked(page.form, "model"),
        budget_micro_rub=budget,
        budget_period=period if budget else None,
    )


def hosts_of(application: Application) -> list[str]:
    """Return where an application may send the browser, in words that a person can judge; "" is this computer."""
    hosts: dict[str, None] = {}
    for uri in application.redirect_uris:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https"):
            hosts[f"{parts.scheme}:"] = None
        else:
            hosts["" if parts.hostname in ("127.0.0.1", "::1", "localhost") else parts.hostname or ""] = None
    return list(hosts)
