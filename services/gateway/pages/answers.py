"""What pages answer, and how that becomes headers and HTML. The one renderer of errors as pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.responses import HTMLResponse, Response
from starlette.types import Send

from servicekit.errors import Internal, NotFound, QuotaExceeded, ServiceError, Unauthenticated
from services.gateway.edge.header_values import address_value
from services.gateway.edge.origin import header
from services.gateway.edge.problems import Headers, status_of, wait_headers
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import Answer
from services.gateway.pages.compressing import EACH_TIME, PACKED, VARY, pack, takes_gzip
from services.gateway.pages.cookies import LANGUAGE, CookieJar
from services.gateway.pages.forms import FIELD, ONCE, once_token
from services.gateway.pages.language import choose
from services.gateway.pages.menu import menu
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.policy import REPORTING, page_policy, scripted_policy
from services.gateway.pages.rendering import render

ERROR: Final = "error.html"
AWAY: Final = "service_unavailable"
ACCOUNTS_AWAY: Final = "accounts_away"
REFUSED_FORM: Final = "form_refused"
NO_COOKIE: Final = "no_cookie"
SESSION_ENDED: Final = "session_ended"
# What may be another time, as it was asked.
_PASSING: Final = (
    AWAY, ACCOUNTS_AWAY, REFUSED_FORM, NO_COOKIE, SESSION_ENDED,
    "rate_limit_exceeded", "temporarily_unavailable", "internal_error",
)  # fmt: skip
# Where people come from an application, and go back to it.
_OF_APPLICATIONS: Final = ("/authorize", "/oauth/", "/login")
# Never written into a page again.
_SECRETS: Final = ("password", "code", "secret", "sealed")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """A page to show. `targets`: where its forms may lead beside here; `scripted`: it brings a script of ours."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    targets: tuple[str, ...] = ()
    headers: Headers = field(default_factory=list)
    scripted: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect: 303, so that the browser never repeats a post with its password elsewhere (RFC 9700 4.12)."""

    url: str


@dataclass(frozen=True, slots=True)
class Download:
    """Something else than a page."""

    media_type: bytes
    body: bytes
    headers: Headers = field(default_factory=list)
    cache_control: bytes = b"no-store"


@dataclass(frozen=True, slots=True)
class FromApi:
    """What the API answers, as it makes it: `serve` sends it. For scripts of ours."""

    serve: Callable[[Send], Awaitable[None]]


# What becomes a page.
Rendered = TemplatePage | Redirect | Download
PageAnswer = Rendered | FromApi


def error_page(error: str, description: str, status: int, headers: Headers | None = None) -> TemplatePage:
    """Return a page that says what went wrong. `description` is never a piece of the request."""
    values: dict[str, Any] = {
        "error": error,
        "description": description,
        "again": None,
        "typed": [],
        "is_ours": False,
        "login": "",
    }
    return TemplatePage(ERROR, values, status, headers=headers or [])


def message_page(text: str, status: int = 200) -> TemplatePage:
    """Return a page that says what was done, in the texts `<text>_title` and `<text>`, and leads to the login."""
    return TemplatePage("message.html", {"title": f"{text}_title", "text": text, "link": "/login"}, status)


def failure_page(error: ServiceError) -> TemplatePage:
    """Return a page that says what kind of thing failed; what exactly only where the visitor can mend it."""
    if isinstance(error, Unauthenticated):
        return error_page("expired", "", 400)
    if isinstance(error, NotFound):
        return error_page("not_found", "", 404)
    code = "rate_limit_exceeded" if isinstance(error, QuotaExceeded) else AWAY
    if isinstance(error, Internal):
        code = "internal_error"
    status = status_of(error)
    if 400 <= status < 500 and code != "rate_limit_exceeded":
        return error_page("invalid_request", error.message, status)
    return error_page(code, "", status, wait_headers(error))


def told_error(page: PageContext, shown: TemplatePage, *, is_members: bool) -> TemplatePage:
    """Return a page of an error with what can be done: ask again, or send the form again as it was typed.

    Args:
        page: what was asked for.
        shown: what went wrong.
        is_members: the page is for people who are logged in: without the accounts it cannot even begin.
    """
    code, is_post = shown.values["error"], page.scope["method"] == "POST"
    if code == AWAY and page.user is None and (is_members or is_post):
        code = ACCOUNTS_AWAY
    typed = typed_of(page) if is_members and code in _PASSING else []
    offered = page.address if code in _PASSING and not is_post else None
    is_ours = not page.path.startswith(_OF_APPLICATIONS)
    values = {"error": code, "again": offered, "typed": typed, "is_ours": is_ours}
    return replace(shown, values={**shown.values, **values})


def typed_of(page: PageContext) -> list[tuple[str, str]]:
    """Return what a form of ours said, to be sent again by whoever reads it; nothing of one that had secrets.

    With the form's own name: sent again after it was done, it is not done again.
    """
    is_ours = header(page.scope, b"sec-fetch-site") == "same-origin"
    has_secrets = any(secret in name and value for name, value in page.form for secret in _SECRETS)
    says_something = any(name not in (FIELD, ONCE) and value for name, value in page.form)
    if not is_ours or has_secrets or not says_something:
        return []
    return [(name, value) for name, value in page.form if name != FIELD]


def page_answer(page: PageContext, answer: Rendered) -> Answer:
    """Return a page's answer with the cookies that were set on the way."""
    headers: Headers = [(b"set-cookie", cookie) for cookie in page.set_cookies]
    status, body = 200, b""
    page.context.policy = page_policy()
    if isinstance(answer, Redirect):
        status = 303 if page.scope["method"] == "POST" else 302
        headers.append((b"location", address_value(answer.url)))
    elif isinstance(answer, Download):
        body = answer.body
        page.context.cache_control = answer.cache_control
        headers += [(b"content-type", answer.media_type), *answer.headers]
    else:
        status = answer.status
        body, packing = _packed(page, _rendered(page, answer))
        page.context.policy = scripted_policy() if answer.scripted else page_policy(answer.targets)
        headers += [_HTML, (b"pragma", b"no-cache"), *packing, *answer.headers]
    headers += [REPORTING, (b"x-frame-options", b"DENY"), (b"content-length", str(len(body)).encode())]
    return Answer(status, headers, b"" if page.scope["method"] == "HEAD" else body)


def _packed(page: PageContext, body: bytes) -> tuple[bytes, Headers]:
    packed = pack(body, EACH_TIME) if takes_gzip(page.scope) else b""
    return (packed, [PACKED, VARY]) if packed else (body, [VARY])


def _rendered(page: PageContext, shown: TemplatePage) -> bytes:
    values: dict[str, Any] = {
        "csrf": page.csrf if page.browser else "",
        "once_token": once_token,
        "path": page.path,
        "address": page.address,
        "menu": menu(is_admin=page.is_admin, shows_docs=page.shows_docs),
        "user": page.user,
        "switches": page.switches() if page.scope["method"] == "GET" else [],
        "switch_fields": {},
        **shown.values,
    }
    zone = page.user.profile.time_zone if page.user else ""
    return render(shown.template, page.language, values, time_zone=zone)


def is_for_people(context: RequestContext) -> bool:
    """Tell whether a browser shows what is answered to whoever sits there; programs are answered as everywhere."""
    return "text/html" in header(context.scope, b"accept")


def language_of(context: RequestContext, lang: str = "") -> str:
    """Return what whoever asks reads: what was switched to, now or on another page, then the browser's."""
    headers = context.scope["headers"]
    kept = [CookieJar(secure=secure).read(headers, LANGUAGE) for secure in (True, False)]
    return choose(lang, *kept, header(context.scope, b"accept-language"))


def lone_page(
    context: RequestContext,
    template: str,
    values: Mapping[str, Any],
    *,
    language: str,
    status: int = 200,
    switches: Sequence[tuple[str, str]] = (),
) -> Response:
    """Return a page at an address of the API, which a link in a mail leads to.

    Args:
        context: what was asked.
        template: of the page; it shows nobody's own.
        values: of the template.
        language: of whoever reads it.
        status: of the answer.
        switches: each language with the address that shows the page in it.
    """
    context.policy = page_policy()
    known: dict[str, Any] = {"switches": switches, "switch_fields": {}, "user": None}
    return HTMLResponse(render(template, language, {**known, **values}), status)
