"""What all pages share: the checks of form posts, who is logged in, errors as pages, cookies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.types import Receive, Scope

from servicekit.errors import ServiceError, Unauthenticated
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.origin import header
from services.gateway.edge.problems import Headers
from services.gateway.edge.reading.body import SMALL, BodyLimits
from services.gateway.edge.reading.params import first, parse_params, read_form
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import Answer, Handover
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.key_sets import PublicAddress
from services.gateway.pages import forms, metrics
from services.gateway.pages.answers import (
    NO_COOKIE,
    SESSION_ENDED,
    FromApi,
    PageAnswer,
    Redirect,
    TemplatePage,
    error_page,
    failure_page,
    page_answer,
    told_error,
    typed_of,
)
from services.gateway.pages.cookies import CookieJar
from services.gateway.pages.menu import CONSOLE
from services.gateway.pages.own_api import ApiRefused
from services.gateway.pages.page_context import LoggedInUser, PageContext

# A longer address is not gone on to after a login: the page is, as it begins.
LONGEST_NEXT: Final = 1024
Handle = Callable[[PageContext], Awaitable[PageAnswer]]


@dataclass(frozen=True, slots=True)
class PageDependencies:
    """What all pages are made with.

    Attributes:
        address: our own, as browsers see it.
        accounts: tell who is logged in.
        limit: of what an address may ask.
        orders_kept_s: seconds for which the API gives the answer to an order again.
        shows_docs: there are pages about the API.
    """

    address: PublicAddress
    accounts: AccountClient
    limit: OAuthLimit
    orders_kept_s: float
    shows_docs: bool = False


def page_endpoint(
    path: str,
    shared: PageDependencies,
    get: Handle | None = None,
    post: Handle | None = None,
    *,
    login_required: bool = False,
    foreign_posts: bool = False,
    form_limits: BodyLimits = SMALL,
) -> Endpoint:
    """Return a page.

    Args:
        path: of the route.
        shared: what all pages share.
        get: shows it.
        post: takes its form.
        login_required: only for people who are logged in; others are sent to log in and come back.
        foreign_posts: other sites may post here: the authorization endpoint (OpenID Connect Core 3.1.2.1).
        form_limits: what a form may weigh.
    """
    handlers = {method: handle for method, handle in (("GET", get), ("HEAD", get), ("POST", post)) if handle}
    definition = Page(shared, handlers, login_required, foreign_posts, form_limits)
    return Endpoint(path, tuple(handlers), definition, shared.limit)


def member_pages(shared: PageDependencies, pages: Iterable[tuple[str, Handle | None, Handle | None]]) -> list[Endpoint]:
    """Return pages for people who are logged in, each of its path, what shows it, and what takes its form."""
    return [page_endpoint(path, shared, get, post, login_required=True) for path, get, post in pages]


@dataclass(frozen=True, slots=True)
class Page:
    """What a page does by method, and who may use it: see `page_endpoint`."""

    shared: PageDependencies
    handlers: Mapping[str, Handle]
    login_required: bool
    foreign_posts: bool
    form_limits: BodyLimits

    def __call__(self, scope: Scope, context: RequestContext) -> PageResponder:
        """Return what answers one request; until its cookies are read, it speaks the browser's language."""
        page = PageContext(scope, context, self.shared.limit.origin(scope), CookieJar(secure=False), "", [])
        page.choose_language()
        return PageResponder(page, self)


@dataclass(frozen=True, slots=True)
class PageResponder:
    """Answers one request for a page."""

    page: PageContext
    definition: Page

    async def answer(self, receive: Receive) -> Answer | Handover:
        """Return what the page says, or the way to the login."""
        try:
            answer = await self._answered(receive)
            return Handover(answer.serve) if isinstance(answer, FromApi) else page_answer(self.page, answer)
        except ApiRefused as exc:
            self.page.context.error_code = exc.code
            return self._told(error_page(exc.code, exc.message, exc.status))
        except NotLoggedIn:
            login = f"/login?next={quote(self._own_address(), safe='')}"
            if typed_of(self.page):
                ended = error_page(SESSION_ENDED, "", 401)
                return self._told(replace(ended, values={**ended.values, "login": login}))
            return page_answer(self.page, Redirect(login))

    async def _answered(self, receive: Receive) -> PageAnswer:
        page, definition = self.page, self.definition
        page.public_url = await definition.shared.address()
        page.shows_docs = definition.shared.shows_docs
        page.jar = CookieJar(secure=page.public_url.startswith("https://"))
        page.query = parse_params(page.scope["query_string"])
        page.begin()
        if page.scope["method"] == "POST":
            page.form = await read_form(page.scope, receive, definition.form_limits)
            page.choose_language()
            if not definition.foreign_posts:
                _check_form(page)
        if definition.login_required:
            await require_user(page, definition.shared.accounts)
        return await definition.handlers[page.scope["method"]](page)

    def _own_address(self) -> str:
        """Return where somebody goes on who logs in first; what only takes a form has no page of its own."""
        page = self.page
        if "GET" not in self.definition.handlers:
            return CONSOLE
        user_code = first(page.query, "user_code") or first(page.form, "user_code")
        if user_code:
            return f"{page.path}?user_code={quote(user_code, safe='')}"
        return page.address if len(page.address) <= LONGEST_NEXT else page.path

    def failed(self, error: OAuthRefused | ServiceError, headers: Headers) -> Answer:
        """Return a page that says what went wrong."""
        if isinstance(error, OAuthRefused):
            return self._told(error_page(error.error, error.description, error.status, headers))
        return self._told(failure_page(error))

    def _told(self, shown: TemplatePage) -> Answer:
        return page_answer(self.page, told_error(self.page, shown, is_members=self.definition.login_required))


class NotLoggedIn(Exception):
    """The page is for people who are logged in."""


async def require_user(page: PageContext, accounts: AccountClient) -> LoggedInUser:
    """Return who is logged in, and speak their language.

    Raises:
        NotLoggedIn: nobody.
        Unavailable: that cannot be known at the moment.
    """
    if page.user is None:
        if not page.session:
            raise NotLoggedIn
        try:
            page.user = LoggedInUser(*await accounts.get_session(page.session, page.call))
        except Unauthenticated as exc:
            raise NotLoggedIn from exc
        # From now on what is done here is done in this person's name.
        page.context.call = replace(page.context.call, credential=b"Session " + page.session.encode())
        page.choose_language(page.user.profile.language)
    return page.user


async def recognise(page: PageContext, accounts: AccountClient) -> None:
    """Let whoever is logged in see their own of a page that is there for everybody."""
    try:
        await require_user(page, accounts)
    except (NotLoggedIn, ServiceError):
        return


def _check_form(page: PageContext) -> None:
    public = urlsplit(page.public_url)
    own_origin = forms.is_own_origin(
        site=header(page.scope, b"sec-fetch-site"),
        origin=header(page.scope, b"origin"),
        host=header(page.scope, b"host"),
        public_url=f"{public.scheme}://{public.netloc}",
    )
    if not own_origin:
        metrics.FORMS_REFUSED.labels("origin").inc()
        raise OAuthRefused("form_refused", "", 403)
    if not forms.is_own_token(first(page.form, forms.FIELD), page.browser, page.session):
        metrics.FORMS_REFUSED.labels("token").inc()
        raise OAuthRefused("form_refused" if page.came_with_cookie else NO_COOKIE, "", 403)
