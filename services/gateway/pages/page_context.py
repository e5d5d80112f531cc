"""One visit to a page: who, in which language, with which form; and what is answered."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from starlette.types import Scope

from servicekit.call import CallContext
from services.gateway.clients.account_views import LoggedIn, Profile, SessionView
from services.gateway.clients.oauth_views import Origin, Params
from services.gateway.edge.params import first
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import RequestContext
from services.gateway.oauth.endpoint import header
from services.gateway.pages import cookies, forms
from services.gateway.pages.cookies import CookieJar
from services.gateway.pages.language import LANGUAGES, choose

LANGUAGE_FIELD: Final = "lang"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in."""

    session: SessionView
    profile: Profile


@dataclass(slots=True)
class Visit:
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
    person: Person | None = None
    set_cookies: list[bytes] = field(default_factory=list)

    def begin(self) -> None:
        """Read the cookies; a browser without a name gets one."""
        headers = self.scope["headers"]
        self.session = self.jar.read(headers, cookies.SESSION)
        self.browser = self.jar.read(headers, cookies.BROWSER)
        if not self.browser:
            self.browser = secrets.token_urlsafe(32)
            self.set_cookies.append(self.jar.write(cookies.BROWSER, self.browser, max_age_s=cookies.LONG_S))
        self.speak()

    def speak(self, *wishes: str) -> None:
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
    def csrf(self) -> str:
        """Return what forms on this page carry."""
        return forms.form_token(self.browser, self.session)

    @property
    def known_person(self) -> Person:
        """Return who is logged in, on a page for them only."""
        if self.person is None:
            raise RuntimeError("the page was reached without a session")
        return self.person

    def log_in(self, logged_in: LoggedIn) -> None:
        """Take over a fresh session: forms shown from now on belong to it."""
        self.session = logged_in.secret
        self.person = Person(logged_in.session, logged_in.profile)
        self.set_cookies.append(self.jar.write(cookies.SESSION, logged_in.secret))

    def log_out(self) -> None:
        """Forget the session."""
        self.session = ""
        self.person = None
        self.set_cookies.append(self.jar.write(cookies.SESSION, ""))

    def switches(self) -> list[tuple[str, str]]:
        """Return each language with the address that shows this page in it."""
        rest = [(name, value) for name, value in self.query if name != LANGUAGE_FIELD]
        return [(tag, f"{self.path}?{urlencode([*rest, (LANGUAGE_FIELD, tag)])}") for tag in LANGUAGES]


@dataclass(frozen=True, slots=True)
class Shown:
    """A page to show. `targets`: where its forms may lead beside here."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    targets: tuple[str, ...] = ()
    headers: Headers = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sent:
    """A redirect: 303, so that the browser never repeats a post with its password elsewhere (RFC 9700 4.12)."""

    url: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Something else than a page."""

    media_type: bytes
    body: bytes
    headers: Headers = field(default_factory=list)
    cache_control: bytes = b"no-store"


PageAnswer = Shown | Sent | Raw
