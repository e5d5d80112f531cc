"""build_app: the routes of the public API under one outermost layer."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Internal, InvalidRequest, NotFound, ServiceError
from servicekit.lifecycle import Background
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.router import RouterClient
from services.gateway.clients.usage import UsageClient
from services.gateway.console.access import AccessPages
from services.gateway.console.account import AccountPages
from services.gateway.console.login import LoginPages
from services.gateway.console.registration import EntryPages
from services.gateway.edge.api_description import TITLE, VERSION, describe
from services.gateway.edge.cancellation import Cancellations
from services.gateway.edge.health import health_router
from services.gateway.edge.middleware import Edge
from services.gateway.edge.problems import code_of, encode_body, headers_of, status_of
from services.gateway.edge.readiness import Readiness
from services.gateway.edge.request_context import context_of
from services.gateway.identity.access import CHAT, COMPLETIONS, EMBEDDINGS, check_every_route, need_of
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.authentication import Authenticator
from services.gateway.identity.key_sets import KeyRing
from services.gateway.inference.completions import CompletionService
from services.gateway.inference.paid_call import PaidCalls
from services.gateway.inference.routes.chat import ChatCompletions
from services.gateway.inference.routes.dependencies import InferenceDependencies
from services.gateway.inference.routes.embeddings import EmbeddingsEndpoint
from services.gateway.inference.routes.models import models_router
from services.gateway.inference.routes.provider_status import providers_router
from services.gateway.inference.routes.requests import requests_router
from services.gateway.inference.routes.text_completions import TextCompletions
from services.gateway.management.account import access_router, account_router
from services.gateway.management.clients import clients_router
from services.gateway.management.key_info import auth_key_router
from services.gateway.management.keys import keys_router
from services.gateway.oauth.authorize import Authorization
from services.gateway.oauth.device import DevicePages
from services.gateway.oauth.endpoint import Cors, OAuthEndpoint
from services.gateway.oauth.metadata import MetadataEndpoints
from services.gateway.oauth.token import TokenEndpoints
from services.gateway.pages.page_endpoint import Page, Site
from services.gateway.pages.static_route import STATIC_PATH, StaticFiles
from services.gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes are made of; the composition root builds it."""

    settings: GatewaySettings
    authenticator: Authenticator
    catalog: CatalogWatch
    router: RouterClient
    usage: UsageClient
    auth: AuthClient
    oauth: OAuthClient
    grants: GrantClient
    accounts: AccountClient
    ring: KeyRing
    limit: OAuthLimit
    paid_calls: PaidCalls
    readiness: Readiness
    cancellations: Cancellations
    tasks: Background
    clock: Clock


class Application(FastAPI):
    """FastAPI behind the edge: its own layers cost the hot routes a tenth of their time, so those are not in them."""

    edge: Edge
    known_routes: tuple[BaseRoute, ...]

    def methods_at(self, scope: Scope) -> set[str]:
        """Return the methods of every route at a path; the router itself only names those of the first."""
        here = (route for route in self.known_routes if route.matches(scope)[0] is not Match.NONE)
        return {method for route in here if isinstance(route, Route) for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self.edge(scope, receive, send)

    async def unhurried(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of any route but the hot ones."""
        await super().__call__(scope, receive, send)


def build_app(parts: Parts) -> FastAPI:
    """Return the application.

    Raises:
        RuntimeError: a route has no row in the table of what it needs.
    """
    shown = parts.settings.environment != "production"
    app = Application(
        title=TITLE,
        version=VERSION,
        docs_url="/docs" if shown else None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        openapi_url="/openapi.json" if shown else None,
        redirect_slashes=False,
        dependencies=[Depends(_gatekeeper(parts.authenticator))],
    )
    hot = _hot_endpoints(parts)
    # Registered all the same: for other methods (405), and for the description.
    app.router.routes[:0] = [Route(path, endpoint, methods=["POST"]) for path, endpoint in hot.items()]
    _add_oauth_routes(app, parts)
    _add_pages(app, parts)
    app.known_routes = tuple(app.routes)
    for router in (
        models_router(parts.catalog, parts.clock),
        requests_router(parts.usage),
        auth_key_router(parts.usage, parts.clock),
        providers_router(parts.router),
        health_router(parts.readiness),
        account_router(parts.accounts, parts.limit),
        access_router(parts.accounts, parts.grants),
        keys_router(parts.auth),
        clients_router(parts.grants),
    ):
        app.known_routes += tuple(router.routes)
        app.include_router(router)
    check_every_route(app.known_routes)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(Exception, _unexpected)
    app.edge = Edge(app.unhurried, hot, hsts=parts.settings.hsts)
    describe(app)
    return app


def _hot_endpoints(parts: Parts) -> dict[str, ASGIApp]:
    settings = parts.settings
    needs = InferenceDependencies(parts.authenticator, parts.catalog, settings.limit, parts.clock)
    service = CompletionService(
        parts.paid_calls, parts.router, settings, tasks=parts.tasks, cancellations=parts.cancellations
    )
    return {
        CHAT: ChatCompletions(needs, service),
        COMPLETIONS: TextCompletions(needs, service),
        EMBEDDINGS: EmbeddingsEndpoint(needs, parts.paid_calls, parts.router, settings, parts.cancellations),
    }


def _add_oauth_routes(app: FastAPI, parts: Parts) -> None:
    """Add the endpoints of the protocol, each also under /oauth."""
    cors = Cors(parts.settings.oauth.cors_list)
    endpoints: list[OAuthEndpoint] = [
        *TokenEndpoints(parts.oauth, parts.limit, cors).all(),
        *MetadataEndpoints(parts.ring, cors).all(),
    ]
    for endpoint in endpoints:
        for prefix in ("", "/oauth"):
            app.router.routes.append(Route(prefix + endpoint.path, endpoint))


def _add_pages(app: FastAPI, parts: Parts) -> None:
    """Add the pages for people; those of the protocol also under /oauth."""
    settings = parts.settings
    site = Site(parts.ring, parts.accounts, parts.limit, settings.public_url)
    authorization = Authorization(site, parts.oauth, parts.catalog)
    protocol: list[Page] = [*authorization.all(), *DevicePages(site, parts.oauth, parts.catalog).all()]
    people: list[Page] = [
        *LoginPages(site, authorization, parts.clock).all(),
        *EntryPages(site).all(),
        *AccountPages(site).all(),
        *AccessPages(site, parts.grants, parts.auth).all(outbox=settings.environment != "production"),
    ]
    routes = [
        *((page.path, page) for page in (*protocol, *people)),
        *((f"/oauth{page.path}", page) for page in protocol),
    ]
    app.router.routes.extend(Route(path, page) for path, page in routes)
    app.router.routes.append(Route(STATIC_PATH, StaticFiles()))


def _gatekeeper(authenticator: Authenticator):  # type: ignore[no-untyped-def]
    async def enter(request: Request) -> None:
        await authenticator.enter(context_of(request.scope), need_of(request.method, request.scope["route"].path))

    return enter


async def _http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    if exc.status_code == 405:
        error: ServiceError = InvalidRequest(
            ErrorReason.METHOD_NOT_ALLOWED, f"The method {request.method[:16]} is not allowed here."
        )
    elif exc.status_code == 404:
        error = NotFound(ErrorReason.NOT_FOUND, "There is nothing at this path.")
    else:
        error = InvalidRequest(ErrorReason.INVALID_REQUEST, "The request cannot be understood.")
    headers = dict(exc.headers or {})
    if exc.status_code == 405:
        headers = {"allow": ", ".join(sorted(request.app.methods_at(request.scope)))}
    return _rendered(request, error, headers)


async def _validation_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    first = exc.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "body"
    error = InvalidRequest(ErrorReason.INVALID_PARAMETERS, f"{first['msg']} (field `{field}`).", param=field)
    return _rendered(request, error, {})


async def _service_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ServiceError)
    return _rendered(request, exc, {})


async def _unexpected(request: Request, exc: Exception) -> Response:
    # Starlette raises it again after this: the edge logs it.
    return _rendered(request, Internal(), {})


def _rendered(request: Request, error: ServiceError, headers: dict[str, str]) -> Response:
    context = context_of(request.scope)
    context.error_code = code_of(error)
    response = Response(
        encode_body(error, context.request_id), status_of(error), headers, media_type="application/json"
    )
    response.raw_headers.extend(headers_of(error))
    return response
