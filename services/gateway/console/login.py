"""Log in (password, second factor, an external provider), log out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import Conflict, ErrorReason, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.clients.account_views import LoggedIn
from services.gateway.console.sealed import seal, unseal
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.problems import wait_headers
from services.gateway.edge.reading.params import first, typed
from services.gateway.oauth.authorize import Authorization
from services.gateway.pages import cookies
from services.gateway.pages.answers import PageAnswer, Redirect, TemplatePage, error_page
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint
from services.gateway.pages.policy import form_targets

HOME: Final = "/console"
# Where a login may lead: our own pages, with what was asked of them. Anything else would be an open redirect.
_NEXT: Final = re.compile(
    r"/(((console|docs)(/[A-Za-z0-9_-]{1,128}){0,6}|status)(\?[A-Za-z0-9_.~*%+=&-]{0,1024})?"
    r"|device(\?user_code=[A-Za-z0-9-]{0,40})?)"
)
PENDING_PREFIX: Final = "pending:"
# As what address and password are sealed.
_PASSWORD: Final = b"password"


@dataclass(frozen=True, slots=True)
class LoginPages:
    """The pages of logging in and out."""

    shared: PageDependencies
    authorization: Authorization
    clock: Clock

    def all(self) -> list[Endpoint]:
        """Return them."""
        external = "/login/external/{provider_id}"
        return [
            page_endpoint("/login", self.shared, self.show, self.log_in),
            page_endpoint("/login/code", self.shared, None, self.second_factor),
            page_endpoint(external, self.shared, None, self.start_external),
            page_endpoint(f"{external}/callback", self.shared, self.finish_external),
            page_endpoint("/logout", self.shared, self.show_logout, self.log_out),
        ]

    async def show(self, page: PageContext) -> PageAnswer:
        """Show the form."""
        return await self.authorization.login_page(page, next_path=safe_next(first(page.query, "next")))

    async def log_in(self, page: PageContext) -> PageAnswer:
        """Take an address and a password."""
        email, password = typed(page.form, "email"), typed(page.form, "password")
        return await self._try(page, email, password, "")

    async def second_factor(self, page: PageContext) -> PageAnswer:
        """Take the code of the second factor; address and password come sealed from the step before."""
        opened = unseal(page.browser, _PASSWORD, first(page.form, "sealed"), self.clock.now())
        if opened is None:
            return await self._again(page, "login.expired", status=400)
        email, password = opened
        return await self._try(page, email, password, typed(page.form, "code"))

    async def _try(self, page: PageContext, email: str, password: str, code: str) -> PageAnswer:
        try:
            logged_in = await self.shared.accounts.login(
                email, password, code.replace(" ", ""), page.origin, page.call, previous=page.session
            )
        except Unauthenticated as exc:
            if exc.reason is ErrorReason.SECOND_FACTOR_REQUIRED:
                return await self._ask_code(page, email, password, wrong=bool(code))
            if code:
                return await self._ask_code(page, email, password, wrong=True)
            return await self._again(page, "login.wrong", status=400, email=email)
        except QuotaExceeded as exc:
            answer = await self._again(page, "login.too_many", status=429, email=email)
            answer.headers.extend(wait_headers(exc))
            return answer
        return await self._welcome(page, logged_in, first(page.form, "pending_id"), first(page.form, "next"))

    async def _welcome(self, page: PageContext, logged_in: LoggedIn, pending_id: str, next_path: str) -> PageAnswer:
        page.log_in(logged_in)
        page.choose_language(logged_in.profile.language)
        if pending_id:
            return await self.authorization.go_on(page, pending_id)
        return Redirect(safe_next(next_path))

    async def _ask_code(self, page: PageContext, email: str, password: str, *, wrong: bool) -> TemplatePage:
        pending_id = first(page.form, "pending_id")
        values = {
            "sealed": seal(page.browser, _PASSWORD, [email, password], self.clock.now()),
            "pending_id": pending_id,
            "next": safe_next(first(page.form, "next")),
            "error": "login.wrong_code" if wrong else "",
        }
        pending = await self.authorization.waiting(page, pending_id) if pending_id else None
        targets = tuple(form_targets(pending.application.redirect_uris)) if pending else ()
        return TemplatePage("login_code.html", values, 400 if wrong else 200, targets=targets)

    async def _again(self, page: PageContext, error: str, *, status: int, email: str = "") -> TemplatePage:
        pending_id = first(page.form, "pending_id")
        return await self.authorization.login_page(
            page,
            next_path=safe_next(first(page.form, "next")),
            pending_id=pending_id,
            error=error,
            status=status,
            email=email,
        )

    async def start_external(self, page: PageContext) -> PageAnswer:
        """Send the browser to another provider. By a page: form-action does not know the provider's address."""
        pending_id = first(page.form, "pending_id")
        return_to = f"{PENDING_PREFIX}{pending_id}" if pending_id else safe_next(first(page.form, "next"))
        provider_id = page.path_value("provider_id")
        url, cookie = await self.shared.accounts.start_external_login(
            provider_id, return_to, _callback(page, provider_id), page.call
        )
        page.set_cookies.append(page.jar.write(cookies.EXTERNAL, cookie, max_age_s=900))
        return TemplatePage("external.html", {"url": url})

    async def finish_external(self, page: PageContext) -> PageAnswer:
        """Take what the provider sent back."""
        provider_id = page.path_value("provider_id")
        cookie = page.jar.read(page.scope["headers"], cookies.EXTERNAL)
        page.set_cookies.append(page.jar.write(cookies.EXTERNAL, ""))
        try:
            logged_in = await self.shared.accounts.finish_external_login(
                provider_id,
                page.query,
                cookie,
                _callback(page, provider_id),
                page.origin,
                page.call,
                previous=page.session,
            )
        except Conflict:
            page.context.error_code = ErrorReason.CONFLICT.value.lower()
            return error_page("external_exists", "", 409)
        except ServiceError as exc:
            page.context.error_code = exc.reason.value.lower()
            return error_page("external_failed", "", 400)
        pending_id = logged_in.return_to.removeprefix(PENDING_PREFIX)
        is_pending = logged_in.return_to.startswith(PENDING_PREFIX)
        return await self._welcome(page, logged_in, pending_id if is_pending else "", logged_in.return_to)

    async def show_logout(self, page: PageContext) -> PageAnswer:
        """Ask: a link alone must not log anybody out."""
        return TemplatePage("logout.html")

    async def log_out(self, page: PageContext) -> PageAnswer:
        """End the session."""
        if page.session:
            await self.shared.accounts.logout(page.session, page.call)
        page.log_out()
        return Redirect("/login")


def _callback(page: PageContext, provider_id: str) -> str:
    return f"{page.public_url}/login/external/{provider_id}/callback"


def safe_next(path: str) -> str:
    """Return the path when it is one of our pages, else the home page."""
    return path if _NEXT.fullmatch(path) else HOME
