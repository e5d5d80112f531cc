"""The table of what routes need: nothing is open because somebody forgot a row."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from services.gateway.identity.access import AccessTable, Open, Scope
from services.gateway.rooms import ROOM_NEEDS

TABLE = AccessTable({"/v1/models": Scope.MODELS_READ}, {"GET /v1/keys": Scope.KEYS_READ})


async def _answer(request: Request) -> Response:
    return Response()


@pytest.mark.parametrize(
    "route",
    [
        Route("/v1/secrets", _answer),
        Route("/v1/keys", _answer, methods=["GET", "POST"]),
        Mount("/v1/models", routes=[]),
        Route("/v1/secrets", _answer, methods=["HEAD"]),
    ],
    ids=["no row", "a row for another method", "no plain route", "no row for HEAD"],
)
def test_a_route_without_a_row_stops_the_start(route: Route | Mount) -> None:
    """Deny by default: the error names the route."""
    with pytest.raises(RuntimeError, match=route.path):
        TABLE.check_every_route([Route("/v1/models", _answer), route])


def test_routes_with_rows_are_served() -> None:
    """By path for all methods, or by method; HEAD is GET without a body."""
    TABLE.check_every_route([Route("/v1/models", _answer), Route("/v1/keys", _answer, methods=["GET"])])

    assert TABLE.need_of("DELETE", "/v1/models") is Scope.MODELS_READ
    assert TABLE.need_of("HEAD", "/v1/keys") is Scope.KEYS_READ
    with pytest.raises(KeyError):
        TABLE.need_of("POST", "/v1/keys")


def test_two_rooms_cannot_speak_of_one_route() -> None:
    """The second would silently win."""
    with pytest.raises(ValueError, match="/v1/models"):
        AccessTable({"/v1/models": Scope.MODELS_READ}, {"/v1/models": Open.EVERYONE})


def test_only_these_routes_of_the_api_are_open_to_everybody() -> None:
    """Whoever opens another one must say so here."""
    rows = {path: need for room in ROOM_NEEDS for path, need in room.items()}

    assert {path for path, need in rows.items() if isinstance(need, Open)} == {
        "/health",
        "/health/providers",
        "/ready",
        "/openapi.json",
        # The state of the service, which names nobody.
        "/status.json",
        "/status.rss",
        "/v1/auth/key",
        # By the link in a mail, and by a link that is signed and ends.
        "/unsubscribe",
        "/v1/reports/{report_id}/download",
    }
