"""The description, as tests of the reference look at it."""

from __future__ import annotations

import pytest

from services.gateway.app import Application
from services.gateway.reference.operations import Whole
from services.gateway.tests.conftest import Edge

_MADE: list[Whole] = []


@pytest.fixture
def app(edge: Edge) -> Application:
    """The application."""
    assert isinstance(edge.gateway.app, Application)
    return edge.gateway.app


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> Whole:
    """Its description: made once, for it takes a second, and no test changes it."""
    if not _MADE:
        _MADE.append(request.getfixturevalue("app").openapi())
    return _MADE[0]
