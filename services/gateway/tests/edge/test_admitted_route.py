"""AdmittedRoute: routes are made once, at the start, and admit who asks before they read."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from services.gateway.tests.conftest import Edge


async def test_the_first_request_makes_no_route(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """All routes are made when the gateway starts: half a second of work would hold every stream up."""
    made: list[str] = []
    handler_of = APIRoute.get_route_handler

    def noting(route: APIRoute) -> object:
        made.append(route.path)
        return handler_of(route)

    monkeypatch.setattr(APIRoute, "get_route_handler", noting)

    answers = [await edge.client.get(path) for path in ("/v1/models", "/nowhere")]

    assert [answer.status_code for answer in answers] == [200, 404]
    assert made == []
