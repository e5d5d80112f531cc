"""A question with a parameter that nobody reads is refused: a misspelt filter showed everything."""

from __future__ import annotations

import pytest

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.insights_backend import ADVICE

NAMED = {
    "/v1/admin/audit?actr=user:boss": "actr",
    "/v1/admin/users?serach=anna": "serach",
    "/v1/admin/abuse?limit=5&by=ip&resaon=x": "resaon",
    "/v1/admin/providers/history?providr=gigachat": "providr",
    "/v1/keys?limt=5": "limt",
    "/v1/keys?page=&Limit=5": "Limit",
    "/v1/budgets?key_id=key-1": "key_id",
    "/v1/alerts?kind=mail": "kind",
    "/v1/sessions?%6c": "l",
    "/v1/usage/summary?modle=x": "modle",
    f"/v1/keys?{'x' * 100}=1": "x" * 64,
}


@pytest.fixture(autouse=True)
def boss(backends: Backends) -> None:
    """Let the test's key do everything."""
    scopes = ["admin", "keys:read", "usage:read", "profile:read", "notifications:write", "models:read"]
    backends.auth.callers[KEY] = caller(scopes=scopes, user_id="boss")


@pytest.mark.parametrize(("path", "name"), NAMED.items())
async def test_a_parameter_that_nobody_reads_is_named(edge: Edge, path: str, name: str) -> None:
    """With those that there are."""
    answer = await edge.client.get(path)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_parameters", name)
    assert "there are" in error["message"]


async def test_head_is_asked_the_same(edge: Edge) -> None:
    """It asks what GET does."""
    answers = [await edge.client.head(f"/v1/keys?{query}") for query in ("limit=5", "limt=5")]

    assert [answer.status_code for answer in answers] == [200, 400]


@pytest.mark.parametrize(
    "path",
    ["/v1/models", "/v1/models/yandexgpt", "/v1/parameters/yandexgpt", "/v1/providers/status", "/v1/auth/key"],
)
async def test_what_release_1_0_had_takes_no_notice_of_more(edge: Edge, path: str) -> None:
    """It keeps working in all of 1.x, and vendors' clients add parameters of their own."""
    answer = await edge.client.get(f"{path}?api-version=2024-10-21")

    assert answer.status_code == 200


async def test_what_anybody_may_follow_takes_no_notice_of_more(edge: Edge) -> None:
    """Links come back with what mail programs and pages add to them."""
    answer = await edge.client.get("/status.rss?lang=en&utm_source=mail")

    assert answer.status_code == 200


async def test_an_order_says_what_it_wants_in_its_body(edge: Edge, backends: Backends) -> None:
    """What stands in its query nobody takes for a filter."""
    backends.auth.callers[KEY] = caller(scopes=["profile:write"])

    answer = await edge.client.post(f"/v1/usage/recommendations/{ADVICE}?x=1", json={"state": "accepted"})

    assert answer.status_code == 200
