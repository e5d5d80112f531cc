"""Log in (password, second factor, an external provider), log out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.clients.account_views import LoggedIn
from services.gateway.edge.params import first
from services.gateway.edge.problems import headers_of
from services.gateway.oauth.authorize import Authorization
from services.gateway.pages import cookies
from services.gateway.pages.page_context import PageAnswer, Sent, Shown, Visit
from services.gateway.pages.page_endpoint import Page, Site, error_page
from services.gateway.pages.policy import form_targets
from services.gateway.pages.sealed import seal, unseal

HOME: Final = "/console"
# Where a login may lead: our own pages. Anything else would be an open redirect.
_NEXT: Final = re.compile(r"/(console(/[a-z-]{1,40})?|device(\?user_code=[A-Za-z0-9-]{0,40})?)")
PENDING_PREFIX: Final = "pending:"
MAX_FIELD: Final = 1024


@dataclass(frozen=True, slots=True)
class LoginPages:
    """The pages of logging in and out."""

    site: Site
    authorization: Authorization
    clock: Clock

    def all(self) -> list[Page]:
        """Return them."""
        external = "/login/external/{provider_id}"
        return [
            Page("/login", self.site, self.show, self.log_in),
            Page("/login/code", self.site, None, self.second_factor),
            Page(external, self.site, None, self.start_external),
            Page(f"{external}/callback", self.site, self.finish_external),
            Page("/logout", self.site, self.show_logout, self.log_out),
        ]

    async def show(self, visit: Visit) -> PageAnswer:
        """Show the form."""
        return await self.authorization.login_page(visit, next_path=safe_next(first(visit.query, "next")))

    async def log_in(self, visit: Visit) -> PageAnswer:
        """Take an address and a password."""
        email, password = _field(visit, "email"), _field(visit, "password")
        return await self._try(visit, email, password, "")

    async def second_factor(self, visit: Visit) -> PageAnswer:
        """Take the code of the second factor; address and password come sealed from the step before."""
        opened = unseal(visit.browser, first(visit.form, "sealed"), self.clock.now())
        if opened is None:
            return await self._again(visit, "login.expired", status=400)
        email, password = opened
        return await self._try(visit, email, password, _field(visit, "code"))

    async def _try(self, visit: Visit, email: str, password: str, code: str) -> PageAnswer:
        try:
            logged_in = await self.site.accounts.login(
                email, password, code.replace(" ", ""), visit.origin, visit.call, previous=visit.session
            )
        except Unauthenticated as exc:
            if exc.reason is ErrorReason.SECOND_FACTOR_REQUIRED:
                return await self._ask_code(visit, email, password, wrong=bool(code))
            if code:
                return await self._ask_code(visit, email, password, wrong=True)
            return await self._again(visit, "login.wrong", status=400, email=email)
        except QuotaExceeded as exc:
            answer = await self._again(visit, "login.too_many", status=429, email=email)
            answer.headers.extend(header for header in headers_of(exc) if header[0] == b"retry-after")
            return answer
        return await self._welcome(visit, logged_in, first(visit.form, "pending_id"), first(visit.form, "next"))

    async def _welcome(self, visit: Visit, logged_in: LoggedIn, pending_id: str, next_path: str) -> PageAnswer:
        visit.log_in(logged_in)
        visit.speak(logged_in.profile.language)
        if pending_id:
            return await self.authorization.go_on(visit, pending_id)
        return Sent(safe_next(next_path))

    async def _ask_code(self, visit: Visit, email: str, password: str, *, wrong: bool) -> Shown:
        pending_id = first(visit.form, "pending_id")
        values = {
            "sealed": seal(visit.browser, [email, password], self.clock.now()),
            "pending_id": pending_id,
            "next": safe_next(first(visit.form, "next")),
            "error": "login.wrong_code" if wrong else "",
        }
        pending = await self.authorization.waiting(visit, pending_id) if pending_id else None
        targets = tuple(form_targets(pending.application.redirect_uris)) if pending else ()
        return Shown("login_code.html", values, 400 if wrong else 200, targets=targets)

    async def _again(self, visit: Visit, error: str, *, status: int, email: str = "") -> Shown:
        pending_id = first(visit.form, "pending_id")
        return await self.authorization.login_page(
            visit,
            next_path=safe_next(first(visit.form, "next")),
            pending_id=pending_id,
            error=error,
            status=status,
            email=email,
        )

    async def start_external(self, visit: Visit) -> PageAnswer:
        """Send the browser to another provider. By a page: form-action does not know the provider's address."""
        pending_id = first(visit.form, "pending_id")
        return_to = f"{PENDING_PREFIX}{pending_id}" if pending_id else safe_next(first(visit.form, "next"))
        provider_id = visit.scope["path_params"]["provider_id"]
        url, cookie = await self.site.accounts.start_external_login(
            provider_id, return_to, _callback(visit, provider_id), visit.call
        )
        visit.set_cookies.append(visit.jar.write(cookies.EXTERNAL, cookie, max_age_s=900))
        return Shown("external.html", {"url": url})

    async def finish_external(self, visit: Visit) -> PageAnswer:
        """Take what the provider sent back."""
        provider_id = visit.scope["path_params"]["provider_id"]
        cookie = visit.jar.read(visit.scope["headers"], cookies.EXTERNAL)
        visit.set_cookies.append(visit.jar.write(cookies.EXTERNAL, ""))
        try:
            logged_in = await self.site.accounts.finish_external_login(
                provider_id, visit.query, cookie, _callback(visit, provider_id), visit.origin, visit.call
            )
        except ServiceError as exc:
            visit.context.error_code = exc.reason.value.lower()
            return error_page("external_failed", "", 400)
        pending_id = logged_in.return_to.removeprefix(PENDING_PREFIX)
        is_pending = logged_in.return_to.startswith(PENDING_PREFIX)
        return await self._welcome(visit, logged_in, pending_id if is_pending else "", logged_in.return_to)

    async def show_logout(self, visit: Visit) -> PageAnswer:
        """Ask: a link alone must not log anybody out."""
        return Shown("logout.html")

    async def log_out(self, visit: Visit) -> PageAnswer:
        """End the session."""
        if visit.session:
            await self.site.accounts.logout(visit.session, visit.call)
        visit.log_out()
        return Sent("/login")


def _field(visit: Visit, name: str) -> str:
    return first(visit.form, name)[:MAX_FIELD]


def _callback(visit: Visit, provider_id: str) -> str:
    return f"{visit.public_url}/login/external/{provider_id}/callback"


def safe_next(path: str) -> str:
    """Return the path when it is one of our pages, else the home page."""
    return path if _NEXT.fullmatch(path) else HOME
