"""build_app: the routes of every room under one outermost layer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.errors import ErrorReason, NotFound
from services.gateway.console.unknown import BELOW
from services.gateway.edge.api_cors import ApiCors
from services.gateway.edge.api_description import (
    TITLE,
    VERSION,
    Description,
    describe,
    description_route,
)
from services.gateway.edge.endpoint import Cors
from services.gateway.edge.errors.exception_handlers import add_exception_handlers
from services.gateway.edge.errors.path_hints import NOTHING
from services.gateway.edge.middleware import Edge
from services.gateway.edge.reading.params import check_path, check_query
from services.gateway.edge.reading.query_names import QueryNames
from services.gateway.edge.request_context import context_of
from services.gateway.edge.server.admin_listener import is_elsewhere
from services.gateway.edge.server.admitted_route import AdmittedRoute
from services.gateway.identity.access import AccessTable, Open
from services.gateway.inference.anthropic.entering import enter, is_anthropic, speak_anthropic, speaks_anthropic
from services.gateway.inference.keeping.orders import Admit, KeptOrders
from services.gateway.inference.paths import BOTH_SPEAK
from services.gateway.inference.routes.description import OPERATIONS, components
from services.gateway.pages.answers import is_for_people
from services.gateway.pages.own_api import OwnApi
from services.gateway.room_pages import page_endpoints, protocol_endpoints
from services.gateway.rooms import (
    LISTS_IN_QUERIES,
    ROOM_NEEDS,
    AppDependencies,
    hot_endpoints,
    routers,
)


class Application(FastAPI):
    """FastAPI behind the edge: its own layers cost the hot routes a tenth of their time, so those are not in them."""

    edge: Edge
    orders: KeptOrders
    known_routes: tuple[BaseRoute, ...]

    def methods_at(self, request: Request) -> set[str]:
        """Return the methods of every route at a path, or of those whose own it is, with no id in it."""
        known = (route for route in self.known_routes if isinstance(route, Route))
        here = [route for route in known if route.matches(request.scope)[0] is not Match.NONE]
        own = [route for route in here if route.path == request.scope["path"]]
        methods = {method for route in own or here for method in route.methods or ()}
        return methods | {"HEAD"} if "GET" in methods else methods

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Serve one request."""
        return self.edge(scope, receive, send)

    async def serve_by_framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of any route but the hot ones."""
        if scope["type"] == "http":
            if is_anthropic(scope["path"]):
                # Other methods, and paths at which nothing is: its clients read errors in their own form only.
                speak_anthropic(context_of(scope))
            if self.orders.concerns(scope):
                await self.orders.serve(scope, receive, send, super().__call__)
                return
        await super().__call__(scope, receive, send)

    def route_of(self, scope: Scope) -> str | None:
        """Return the template of the path at which a request is served; None: nothing is there."""
        known = (route for route in self.known_routes if isinstance(route, Route))
        return next((route.path for route in known if route.matches(scope)[0] is Match.FULL), None)


def build_app(parts: AppDependencies) -> FastAPI:
    """Return the application.

    Raises:
        RuntimeError: no room says what one of the routes needs.
        ValueError: two rooms say what one route needs.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await app.serve_by_framework(scope, receive, send)

    endpoints = {**protocol_endpoints(parts), **page_endpoints(parts, OwnApi(serve))}
    # The protocol authenticates its clients itself, and pages have sessions.
    table = AccessTable(*ROOM_NEEDS, dict.fromkeys(endpoints, Open.EVERYONE))
    of_rooms = [route for router in routers(parts) for route in router.routes]
    names = QueryNames(of_rooms, lambda path: table.need_of("GET", path) is Open.EVERYONE)
    admit = partial(_admit, parts, table, names)
    app = _bare_application()
    hot = hot_endpoints(parts)
    app.orders = KeptOrders(parts.idempotency, _admission(app, table, admit), hot)
    # Registered all the same: for other methods (405), and for the description.
    app.router.routes[:0] = [Route(path, endpoint, methods=["POST"]) for path, endpoint in hot.items()]
    app.router.routes.extend(Route(path, endpoint) for path, endpoint in endpoints.items())
    if parts.settings.environment != "production":
        app.router.routes.append(description_route(app))
    app.known_routes = (*app.routes, *of_rooms)
    table.check_every_route(app.known_routes)
    app.router.routes.extend(AdmittedRoute(route, admit) for route in of_rooms if isinstance(route, Route))
    add_exception_handlers(app, app.methods_at)
    app.router.default = _by_reader(replace(endpoints[BELOW], path=""), app.router.default)
    app.edge = Edge(
        app.serve_by_framework,
        hot,
        hsts=parts.settings.hsts,
        cors=ApiCors(Cors(parts.settings.cors_list)),
        note_refusal=parts.refusals.note,
    )
    describe(app, lambda: _description(app.known_routes, table))
    return app


def _by_reader(page: ASGIApp, error: ASGIApp) -> ASGIApp:
    """Return what answers where nothing is: the API and programs by an error, a browser elsewhere by a page."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and not scope["path"].startswith("/v1/")
        await (page if reads and is_for_people(context_of(scope)) else error)(scope, receive, send)

    return answer


async def _admit(parts: AppDependencies, table: AccessTable, names: QueryNames, scope: Scope, route: str) -> None:
    """Let a request in at a route: refuse who may not, and what could be understood in two ways."""
    context = context_of(scope)
    check_path(scope["path"])
    check_query(scope["query_string"], LISTS_IN_QUERIES.get(route, ()))
    names.check(scope["method"], route, scope["query_string"])
    if parts.settings.admin_port is not None and is_elsewhere(scope, route):
        raise NotFound(ErrorReason.NOT_FOUND, NOTHING)
    if route in BOTH_SPEAK and speaks_anthropic(scope):
        enter(context)
    await parts.authenticator.enter(context, table.need_of(scope["method"], route))


def _admission(app: Application, table: AccessTable, admit: Callable[[Scope, str], Awaitable[None]]) -> Admit:
    """Return what lets an order in before the framework does."""

    async def admitted(scope: Scope) -> str | None:
        route = app.route_of(scope)
        if route is None or table.need_of(scope["method"], route) is Open.EVERYONE:
            return None
        await admit(scope, route)
        return route

    return admitted


def _bare_application() -> Application:
    return Application(
        title=TITLE,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )


def _description(routes: Sequence[BaseRoute], table: AccessTable) -> Description:
    return Description(
        routes=routes,
        hot=OPERATIONS,
        components=components(),
        complete=partial(_complete, table),
    )


def _complete(table: AccessTable, whole: dict[str, Any]) -> None:
    # Not at the top: its words and examples are read from files, for those who ask for the description.
    from services.gateway.reference.completing import complete

    complete(whole, table.need_of)
