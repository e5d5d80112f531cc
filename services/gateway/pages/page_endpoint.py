"""What all pages share: methods, limits, the checks of form posts, errors as pages, cookies and security headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import structlog
from starlette.types import Receive, Scope, Send

from servicekit.errors import Internal, NotFound, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway import metrics
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.edge.params import first, parse_params, read_form
from services.gateway.edge.problems import Headers, headers_of, status_of
from services.gateway.edge.request_context import RequestContext, context_of
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.key_sets import KeyRing
from services.gateway.oauth.endpoint import header, origin_of
from services.gateway.pages import forms
from services.gateway.pages.cookies import CookieJar
from services.gateway.pages.page_context import PageAnswer, Person, Raw, Sent, Shown, Visit
from services.gateway.pages.policy import page_policy
from services.gateway.pages.rendering import render

log = structlog.get_logger()

Handle = Callable[[Visit], Awaitable[PageAnswer]]
ERROR: Final = "error.html"
_HTML: Final = b"text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages are made with."""

    ring: KeyRing
    accounts: AccountClient
    limit: OAuthLimit
    public_url: str

    async def address(self) -> str:
        """Return our address as browsers see it.

        Raises:
            Unavailable: it is not set, and the issuer is not known yet.
        """
        return self.public_url or (await self.ring.told()).issuer


@dataclass(frozen=True, slots=True)
class Page:
    """One page, as an ASGI application.

    Args:
        path: of the route.
        site: what all pages share.
        get: shows it.
        post: takes its form.
        members: only for people who are logged in; others are sent to log in and come back.
        foreign_posts: other sites may post here: the authorization endpoint (OpenID Connect Core 3.1.2.1).
    """

    path: str
    site: Site
    get: Handle | None = None
    post: Handle | None = None
    members: bool = False
    foreign_posts: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        context.route = self.path
        visit = _bare_visit(scope, context, self.site)
        try:
            answer = await self._answer(visit, receive)
        except OAuthRefused as exc:
            context.error_code = exc.error
            answer = self._refused(exc)
        except ServiceError as exc:
            context.error_code = exc.reason.value.lower()
            answer = _failed(exc)
        except NotLoggedIn:
            answer = Sent(f"/login?next={quote(_own_address(visit), safe='')}")
        await _send(send, visit, answer)

    async def _answer(self, visit: Visit, receive: Receive) -> PageAnswer:
        handle = {"GET": self.get, "HEAD": self.get, "POST": self.post}.get(visit.scope["method"])
        if handle is None:
            raise OAuthRefused("invalid_request", "This method is not allowed here.", 405)
        await self.site.limit.count(visit.scope)
        visit.public_url = await self.site.address()
        visit.jar = CookieJar(secure=visit.public_url.startswith("https://"))
        visit.query = parse_params(visit.scope["query_string"])
        visit.begin()
        if visit.scope["method"] == "POST":
            visit.form = await read_form(visit.scope, receive)
            visit.speak()
            if not self.foreign_posts:
                _check_form(visit)
        if self.members:
            await require_person(visit, self.site.accounts)
        return await handle(visit)

    def _refused(self, refused: OAuthRefused) -> Shown:
        headers: Headers = []
        if refused.retry_after_s:
            headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        if refused.status == 405:
            allowed = [name for name, handle in (("GET", self.get), ("HEAD", self.get), ("POST", self.post)) if handle]
            headers.append((b"allow", ", ".join(allowed).encode()))
        if refused.status == 413:
            headers.append((b"connection", b"close"))
        return error_page(refused.error, refused.description, refused.status, headers)


class NotLoggedIn(Exception):
    """The page is for people who are logged in."""


async def require_person(visit: Visit, accounts: AccountClient) -> Person:
    """Return who is logged in, and speak their language.

    Raises:
        NotLoggedIn: nobody.
        Unavailable: that cannot be known at the moment.
    """
    if visit.person is None:
        if not visit.session:
            raise NotLoggedIn
        try:
            visit.person = Person(*await accounts.get_session(visit.session, visit.call))
        except Unauthenticated as exc:
            raise NotLoggedIn from exc
        visit.speak(visit.person.profile.language)
    return visit.person


def _bare_visit(scope: Scope, context: RequestContext, site: Site) -> Visit:
    visit = Visit(scope, context, origin_of(scope, site.limit), CookieJar(secure=False), "", [])
    visit.speak()
    return visit


def _own_address(visit: Visit) -> str:
    # A form that came after its session ended is not repeated: its page is shown anew.
    user_code = first(visit.query, "user_code") or first(visit.form, "user_code")
    return f"{visit.path}?user_code={quote(user_code, safe='')}" if user_code else visit.path


def _check_form(visit: Visit) -> None:
    public = urlsplit(visit.public_url)
    own_origin = forms.is_own_origin(
        site=header(visit.scope, b"sec-fetch-site"),
        origin=header(visit.scope, b"origin"),
        host=header(visit.scope, b"host"),
        public_url=f"{public.scheme}://{public.netloc}",
    )
    if not own_origin:
        metrics.FORMS_REFUSED.labels("origin").inc()
        raise OAuthRefused("form_refused", "", 403)
    if not forms.is_own_token(first(visit.form, forms.FIELD), visit.browser, visit.session):
        metrics.FORMS_REFUSED.labels("token").inc()
        raise OAuthRefused("form_refused", "", 403)


def error_page(error: str, description: str, status: int, headers: Headers | None = None) -> Shown:
    """Return a page that says what went wrong. `description` is never a piece of the request."""
    return Shown(ERROR, {"error": error, "description": description}, status, headers=headers or [])


def _failed(error: ServiceError) -> Shown:
    if isinstance(error, Unauthenticated):
        return error_page("expired", "", 400)
    if isinstance(error, NotFound):
        return error_page("not_found", "", 404)
    code = "rate_limit_exceeded" if isinstance(error, QuotaExceeded) else "service_unavailable"
    if isinstance(error, Internal):
        code = "internal_error"
    status = status_of(error)
    if 400 <= status < 500 and code != "rate_limit_exceeded":
        return error_page("invalid_request", error.message, status)
    wait = [name for name in headers_of(error) if name[0] == b"retry-after"]
    return error_page(code, "", status, wait)


async def _send(send: Send, visit: Visit, answer: PageAnswer) -> None:
    headers: Headers = [(b"set-cookie", cookie) for cookie in visit.set_cookies]
    status, body = 200, b""
    visit.context.policy = page_policy()
    if isinstance(answer, Sent):
        status = 303 if visit.scope["method"] == "POST" else 302
        headers.append((b"location", _header_value(answer.url)))
    elif isinstance(answer, Raw):
        body = answer.body
        visit.context.cache_control = answer.cache_control
        headers += [(b"content-type", answer.media_type), *answer.headers]
    else:
        status, body = answer.status, _rendered(visit, answer)
        visit.context.policy = page_policy(answer.targets)
        headers += [(b"content-type", _HTML), (b"pragma", b"no-cache"), *answer.headers]
    headers += [(b"x-frame-options", b"DENY"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if visit.scope["method"] == "HEAD" else body})


def _rendered(visit: Visit, shown: Shown) -> bytes:
    values: dict[str, Any] = {
        "csrf": visit.csrf if visit.browser else "",
        "path": visit.path,
        "person": visit.person,
        "switches": visit.switches() if visit.scope["method"] == "GET" else [],
        "switch_fields": {},
        **shown.values,
    }
    zone = visit.person.profile.time_zone if visit.person else ""
    return render(shown.template, visit.language, values, time_zone=zone)


def _header_value(url: str) -> bytes:
    # The authorization server encodes what it puts into addresses. If it ever did not, the header must stay one header.
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~-._").encode("ascii")
