"""build_app: the routes of every room under one outermost layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound
from services.gateway.admission.redis.explanations import RedisExplanations
from services.gateway.clients.accounts import AccountClient
from services.gateway.clients.administration import AdministrationClient
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.clients.grants import GrantClient
from services.gateway.clients.oauth import OAuthClient
from services.gateway.clients.router.client import RouterClient
from services.gateway.clients.usage import UsageClient
from services.gateway.console.access import AccessPages
from services.gateway.console.account import AccountPages
from services.gateway.console.login import LoginPages
from services.gateway.console.registration import RegistrationPages
from services.gateway.edge.api_cors import ApiCors
from services.gateway.edge.api_description import (
    OPENAPI_PATH,
    TITLE,
    VERSION,
    Description,
    describe,
)
from services.gateway.edge.endpoint import Cors, Endpoint
from services.gateway.edge.errors.exception_handlers import add_exception_handlers
from services.gateway.edge.errors.path_hints import NOTHING
from services.gateway.edge.middleware import Edge
from services.gateway.edge.reading.params import check_query
from services.gateway.edge.request_context import context_of
from services.gateway.edge.server import health
from services.gateway.edge.server.admin_listener import is_elsewhere
from services.gateway.edge.server.health import health_router
from services.gateway.edge.server.readiness import Readiness
from services.gateway.files import access as files
from services.gateway.files.routes import files_router
from services.gateway.identity.access import AccessTable, Needs, Open
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.authentication import Authenticator
from services.gateway.identity.key_sets import KeySet
from services.gateway.identity.possession import PossessionCheck
from services.gateway.identity.refusals import Refusals
from services.gateway.identity.step_up import StepUp
from services.gateway.inference.answers import Answers
from services.gateway.inference.anthropic.entering import enter, speaks_anthropic
from services.gateway.inference.caching.answer_cache import AnswerCache
from services.gateway.inference.keeping.idempotency import Idempotency
from services.gateway.inference.paid_call import PaidCalls
from services.gateway.inference.pricing import Pricing
from services.gateway.inference.responses.kept import KeptResponses
from services.gateway.inference.routes import access as inference
from services.gateway.inference.routes.access import BOTH_SPEAK
from services.gateway.inference.routes.chat import ChatCompletions
from services.gateway.inference.routes.description import OPERATIONS, components
from services.gateway.inference.routes.embeddings import EmbeddingsRoute
from services.gateway.inference.routes.kept_responses import kept_responses_router
from services.gateway.inference.routes.messages import CountTokens, Messages
from services.gateway.inference.routes.models import models_router
from services.gateway.inference.routes.paid_route import InferenceDependencies, PaidRoute
from services.gateway.inference.routes.provider_status import providers_router
from services.gateway.inference.routes.requests import requests_router
from services.gateway.inference.routes.responses import InputTokens, Responses
from services.gateway.inference.routes.text_completions import TextCompletions
from services.gateway.inference.routes.tokenize import Tokenize
from services.gateway.management import bodies, needs, orders
from services.gateway.management.abuse import abuse_router
from services.gateway.management.access import grants_router, sessions_router
from services.gateway.management.account import account_router, profile_router
from services.gateway.management.administration import administration_router, credentials_router
from services.gateway.management.clients import clients_router
from services.gateway.management.expiring_models import expiring_models_router
from services.gateway.management.key_info import auth_key_router
from services.gateway.management.keys import keys_router
from services.gateway.management.model_names import model_names_router
from services.gateway.oauth.authorize import Authorization
from services.gateway.oauth.device import DevicePages
from services.gateway.oauth.metadata import MetadataEndpoints
from services.gateway.oauth.token import TokenEndpoints
from services.gateway.pages.docs_page import docs_endpoint
from services.gateway.pages.page_endpoint import PageDependencies
from services.gateway.pages.policy_reports import reports_endpoint
from services.gateway.pages.static_route import static_endpoint
from services.gateway.settings import GatewaySettings

# What is of the protocol was at /oauth/… in release 1.0, and is there still.
OAUTH_PREFIX: Final = "/oauth"
# The edge knows no credentials, so what it serves is everybody's.
EDGE_NEEDS: Final[Needs] = dict.fromkeys((*health.PATHS, OPENAPI_PATH), Open.EVERYONE)
ROOM_NEEDS: Final = (EDGE_NEEDS, inference.NEEDS, files.NEEDS, *needs.NEEDS)


@dataclass(frozen=True, slots=True)
class AppDependencies:
    """What the routes are made of; the composition root builds it."""

    settings: GatewaySettings
    authenticator: Authenticator
    possession: PossessionCheck
    catalog: CatalogWatch
    router: RouterClient
    usage: UsageClient
    auth: AuthClient
    oauth: OAuthClient
    grants: GrantClient
    accounts: AccountClient
    administration: AdministrationClient
    key_set: KeySet
    limit: OAuthLimit
    refusals: Refusals
    paid_calls: PaidCalls
    kept_responses: KeptResponses
    explanations: RedisExplanations
    idempotency: Idempotency
    cache: AnswerCache
    readiness: Readiness
    clock: Clock


class Application(FastAPI):
    """FastAPI behind the edge: its own layers cost the hot routes a tenth of their time, so those are not in them."""

    edge: Edge
    known_routes: tuple[BaseRoute, ...]

    def methods_at(self, request: Request) -> set[str]:
        """Return the methods of every route at a path, or of those whose own it is, with no id in it."""
        known = (route for route in self.known_routes if isinstance(route, Route))
        here = [route for route in known if route.matches(request.scope)[0] is not Match.NONE]
        own = [route for route in here if route.path == request.scope["path"]]
        methods = {method for route in own or here for method in route.methods or ()}
        return methods | {"HEAD"} if "GET" in methods else methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self.edge(scope, receive, send)

    async def serve_by_framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of any route but the hot ones."""
        await super().__call__(scope, receive, send)


def build_app(parts: AppDependencies) -> FastAPI:
    """Return the application.

    Raises:
        RuntimeError: no room says what one of the routes needs.
        ValueError: two rooms say what one route needs.
    """
    endpoints = {**_protocol_endpoints(parts), **_page_endpoints(parts)}
    # The protocol authenticates its clients itself, and pages have sessions.
    table = AccessTable(*ROOM_NEEDS, dict.fromkeys(endpoints, Open.EVERYONE))
    app = _bare_application(parts, table)
    hot = _hot_endpoints(parts)
    # Registered all the same: for other methods (405), and for the description.
    app.router.routes[:0] = [Route(path, endpoint, methods=["POST"]) for path, endpoint in hot.items()]
    app.router.routes.extend(Route(path, endpoint) for path, endpoint in endpoints.items())
    app.known_routes = tuple(app.routes)
    for router in _routers(parts):
        app.known_routes += tuple(router.routes)
        app.include_router(router)
    table.check_every_route(app.known_routes)
    add_exception_handlers(app, app.methods_at)
    app.edge = Edge(
        app.serve_by_framework,
        hot,
        hsts=parts.settings.hsts,
        cors=ApiCors(Cors(parts.settings.cors_list)),
        note_refusal=parts.refusals.note,
    )
    describe(app, _description(table))
    if app.openapi_url:
        app.openapi()  # Now: whoever asks first would hold up everybody else for a tenth of a second.
    return app


def _bare_application(parts: AppDependencies, table: AccessTable) -> Application:
    has_admin_listener = parts.settings.admin_port is not None

    async def authenticate(request: Request) -> None:
        check_query(request.scope["query_string"])
        route: str = request.scope["route"].path
        if has_admin_listener and is_elsewhere(request.scope, route):
            raise NotFound(ErrorReason.NOT_FOUND, NOTHING)
        need = table.need_of(request.method, route)
        if route in BOTH_SPEAK and speaks_anthropic(request.scope):
            enter(context_of(request.scope))
        await parts.authenticator.enter(context_of(request.scope), need)

    shown = parts.settings.environment != "production"
    return Application(
        title=TITLE,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        openapi_url=OPENAPI_PATH if shown else None,
        redirect_slashes=False,
        dependencies=[Depends(authenticate)],
    )


def _step_up(parts: AppDependencies) -> StepUp:
    return StepUp(parts.clock, parts.settings.oauth.step_up_max_age_s)


def _routers(parts: AppDependencies) -> tuple[APIRouter, ...]:
    return (
        models_router(parts.catalog, parts.clock),
        requests_router(parts.usage, parts.explanations, parts.catalog),
        kept_responses_router(parts.kept_responses),
        auth_key_router(parts.usage, parts.clock),
        providers_router(parts.router),
        files_router(parts.router.files),
        health_router(parts.readiness),
        profile_router(parts.accounts, parts.limit),
        account_router(parts.accounts, parts.limit),
        sessions_router(parts.accounts),
        grants_router(parts.grants),
        keys_router(parts.auth, parts.catalog, _step_up(parts)),
        model_names_router(parts.auth, parts.catalog),
        clients_router(parts.grants, _step_up(parts)),
        administration_router(parts.administration, parts.limit),
        credentials_router(parts.administration, parts.limit),
        abuse_router(parts.refusals),
        expiring_models_router(parts.usage, parts.catalog, parts.clock),
        *orders.order_routers(parts.administration, parts.router, parts.limit),
    )


def _hot_endpoints(parts: AppDependencies) -> dict[str, ASGIApp]:
    inference = InferenceDependencies(
        authenticator=parts.authenticator,
        limits=parts.settings.limit,
        pricing=Pricing(parts.catalog, parts.clock),
        router=parts.router,
        answers=Answers(parts.paid_calls, parts.cache),
        free_calls=parts.paid_calls.free,
        idempotency=parts.idempotency,
        cache=parts.settings.cache,
    )
    routes: tuple[PaidRoute[Any], ...] = (
        ChatCompletions(inference),
        TextCompletions(inference),
        EmbeddingsRoute(inference),
        Messages(inference),
        CountTokens(inference),
        Tokenize(inference),
        Responses(inference, parts.kept_responses),
        InputTokens(inference, parts.kept_responses),
    )
    return {route.path: route for route in routes}


def _protocol_endpoints(parts: AppDependencies) -> dict[str, Endpoint]:
    """Return the endpoints of the protocol by path, each also under /oauth."""
    cors = Cors(parts.settings.oauth.cors_list)
    endpoints = (
        *TokenEndpoints(parts.oauth, parts.possession, parts.limit, cors).all(),
        *MetadataEndpoints(parts.key_set, cors).all(),
    )
    return {prefix + endpoint.path: endpoint for endpoint in endpoints for prefix in ("", OAUTH_PREFIX)}


def _page_endpoints(parts: AppDependencies) -> dict[str, Endpoint]:
    """Return the pages for people by path; those of the protocol also under /oauth."""
    settings = parts.settings
    shared = PageDependencies(parts.key_set, parts.accounts, parts.limit, settings.public_url)
    authorization = Authorization(shared, parts.oauth, parts.catalog)
    protocol = (*authorization.all(), *DevicePages(shared, parts.oauth, parts.catalog).all())
    people = (
        *LoginPages(shared, authorization, parts.clock).all(),
        *RegistrationPages(shared).all(),
        *AccountPages(shared).all(),
        *AccessPages(shared, parts.grants, parts.auth).all(outbox=settings.environment != "production"),
        static_endpoint(),
        reports_endpoint(parts.limit),
        *([docs_endpoint()] if settings.environment != "production" else []),
    )
    return {
        **{page.path: page for page in (*protocol, *people)},
        **{OAUTH_PREFIX + page.path: page for page in protocol},
    }


def _description(table: AccessTable) -> Description:
    return Description(
        hot=OPERATIONS,
        components={**components(), **bodies.components(*orders.ORDERS)},
        needs_credential=lambda method, path: table.need_of(method, path) is not Open.EVERYONE,
    )
