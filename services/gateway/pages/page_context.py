"""One page to a page: who, in which language, with which form; and what is answered."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from starlette.types import Scope

from servicekit.call import CallContext
from services.gateway.clients.account_views import LoggedIn, Profile, SessionView
from services.gateway.clients.caller import Caller
from services.gateway.clients.oauth_views import Origin, Params
from services.gateway.edge.origin import header
from services.gateway.edge.reading.params import first
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.access import Scope as CredentialScope
from services.gateway.pages import cookies, forms
from services.gateway.pages.cookies import CookieJar
from services.gateway.pages.language import LANGUAGES, choose

LANGUAGE_FIELD: Final = "lang"


def part_of_path(text: str) -> str:
    """Return any text as one part of a path."""
    return quote(text, safe="")


@dataclass(frozen=True, slots=True)
class LoggedInUser:
    """Who is logged in; `caller`: whom the API sees when a page asks it, None in the answer to the login itself."""

    session: SessionView
    profile: Profile
    caller: Caller | None = None


@dataclass(slots=True)
class PageContext:
    """A request for a page. Whatever is set here goes out with the answer."""

    scope: Scope
    context: RequestContext
    origin: Origin
    jar: CookieJar
    public_url: str
    query: Params
    form: Params = field(default_factory=list)
    session: str = ""
    browser: str = ""
    language: str = ""
    user: LoggedInUser | None = None
    set_cookies: list[bytes] = field(default_factory=list)
    shows_docs: bool = False
    came_with_cookie: bool = False

    def begin(self) -> None:
        """Read the cookies; a browser without a name gets one."""
        headers = self.scope["headers"]
        self.session = self.jar.read(headers, cookies.SESSION)
        self.browser = self.jar.read(headers, cookies.BROWSER)
        self.came_with_cookie = bool(self.browser)
        if not self.browser:
            self.browser = secrets.token_urlsafe(32)
            self.set_cookies.append(self.jar.write(cookies.BROWSER, self.browser, max_age_s=cookies.LONG_S))
        self.choose_language()

    def choose_language(self, *wishes: str) -> None:
        """Choose the language: what was switched to, then these wishes, then the browser's."""
        headers = self.scope["headers"]
        switched = first(self.form, LANGUAGE_FIELD) or first(self.query, LANGUAGE_FIELD)
        kept = self.jar.read(headers, cookies.LANGUAGE)
        self.language = choose(switched, kept, *wishes, header(self.scope, b"accept-language"))
        if switched in LANGUAGES and switched != kept:
            kept_already = any(
                cookie.startswith(self.jar.name(cookies.LANGUAGE).encode()) for cookie in self.set_cookies
            )
            if not kept_already:
                self.set_cookies.append(self.jar.write(cookies.LANGUAGE, switched, max_age_s=cookies.LONG_S))

    def switch_to(self, language: str) -> None:
        """Speak this language from now on, whatever was switched to before."""
        if language in LANGUAGES:
            self.language = language
            self.set_cookies.append(self.jar.write(cookies.LANGUAGE, language, max_age_s=cookies.LONG_S))

    @property
    def call(self) -> CallContext:
        """Return what travels with calls."""
        return self.context.call

    @property
    def path(self) -> str:
        """Return the path of the page."""
        path: str = self.scope["path"]
        return path

    @property
    def address(self) -> str:
        """Return the path with what was asked: where the page is shown again as it is."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def path_value(self, name: str) -> str:
        """Return what stands in the path at a place of the route, decoded."""
        value: str = self.scope["path_params"][name]
        return value

    def path_part(self, name: str) -> str:
        """Return the same as a part of another path."""
        return part_of_path(self.path_value(name))

    @property
    def csrf(self) -> str:
        """Return what forms on this page carry."""
        return forms.form_token(self.browser, self.session)

    @property
    def known_user(self) -> LoggedInUser:
        """Return who is logged in, on a page for them only."""
        if self.user is None:
            raise RuntimeError("the page was reached without a session")
        return self.user

    @property
    def known_caller(self) -> Caller:
        """Return whom the API sees, on a page for people who are logged in only."""
        caller = self.known_user.caller
        if caller is None:
            raise RuntimeError("the session was opened in this very request")
        return caller

    @property
    def is_admin(self) -> bool:
        """Tell whether who is logged in is shown the pages of administrators; the API decides on each question."""
        caller = self.user.caller if self.user else None
        return caller is not None and CredentialScope.ADMIN in caller.scopes

    def log_in(self, logged_in: LoggedIn) -> None:
        """Take over a fresh session: forms shown from now on belong to it."""
        self.session = logged_in.secret
        self.user = LoggedInUser(logged_in.session, logged_in.profile)
        self.set_cookies.append(self.jar.write(cookies.SESSION, logged_in.secret))

    def log_out(self) -> None:
        """Forget the session."""
        self.session = ""
        self.user = None
        self.set_cookies.append(self.jar.write(cookies.SESSION, ""))

    def switches(self) -> list[tuple[str, str]]:
        """Return each language with the address that shows this page in it."""
        rest = [(name, value) for name, value in self.query if name != LANGUAGE_FIELD]
        return [(tag, f"{self.path}?{urlencode([*rest, (LANGUAGE_FIELD, tag)])}") for tag in LANGUAGES]
