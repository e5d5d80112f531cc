"""The endpoints of the protocol for programs: what goes through as it came, and what the edge itself refuses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from razvilka.auth.v1 import oauth_pb2

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway, visitor
from services.gateway.tests.identity_backends import ISSUER, access_token

FORM = "application/x-www-form-urlencoded"
FORMS = ["/token", "/par", "/revoke", "/introspect", "/device_authorization"]


async def post(edge: Edge, path: str, content: bytes = b"grant_type=x", **headers: str) -> httpx.Response:
    """Post a form without a credential."""
    given = {"content-type": FORM, **headers}
    async with visitor(edge) as client:
        return await client.post(path, content=content, headers=given)


async def test_a_token_is_answered_as_the_protocol_says(edge: Edge) -> None:
    """200, JSON, Bearer, expires_in, scope, and nothing that is stored on the way (rules 22 and 28)."""
    answer = await post(edge, "/token")

    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "a b")
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}


@pytest.mark.parametrize("prefix", ["", "/oauth"])
async def test_parameters_go_through_as_they_came(edge: Edge, backends: Backends, prefix: str) -> None:
    """Order, repetition, empty values and the Authorization header (rules 4, 5 and 23)."""
    await post(edge, f"{prefix}/token", b"a=1&a=2&b=&c=%2B+%D1%8F&d", authorization="Basic dTpw")

    request = backends.oauth.requests[-1]
    params = [(param.name, param.value) for param in request.params]
    assert params == [("a", "1"), ("a", "2"), ("b", ""), ("c", "+ я"), ("d", "")]
    assert request.authorization == "Basic dTpw"
    assert request.origin.ip == "127.0.0.1"


async def test_a_pushed_request_is_answered_201(edge: Edge) -> None:
    """RFC 9126 2.2: created, JSON, stored nowhere on the way."""
    answer = await post(edge, "/par")

    assert (answer.status_code, answer.json()) == (201, {"request_uri": "urn:x", "expires_in": 90})
    assert answer.headers["cache-control"] == "no-store"


async def test_errors_keep_their_status_and_challenge(edge: Edge, backends: Backends) -> None:
    """invalid_client after an Authorization header names the scheme (rule 21)."""
    backends.oauth.error = oauth_pb2.OAuthError(
        error="invalid_client", description='no "such" client', http_status=401, challenge_basic=True, retry_after_s=3
    )

    answer = await post(edge, "/token")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.headers["retry-after"] == "3"
    assert answer.json() == {"error": "invalid_client", "error_description": "no such client"}
    assert answer.headers["cache-control"] == "no-store"


BAD_BODIES: dict[str, tuple[dict[str, str], bytes, int]] = {
    "JSON": ({"content-type": "application/json"}, b'{"grant_type":"x"}', 400),
    "text": ({"content-type": "text/plain"}, b"grant_type=x", 400),
    "no content type": ({"content-type": ""}, b"grant_type=x", 400),
    "multipart": ({"content-type": "multipart/form-data; boundary=x"}, b"--x--", 400),
    "not UTF-8": ({}, b"code=%ff%fe", 400),
    "raw bytes": ({}, b"code=\xff\xfe", 400),
    "a NUL": ({}, b"code=a%00b", 400),
    "too many parameters": ({}, b"a=1&" * 300, 400),
    "2 MB": ({}, b"code=" + b"a" * 2_000_000, 413),
    "just too large": ({}, b"code=" + b"a" * 56 * 1024, 413),
    "compressed": ({"content-encoding": "gzip"}, b"x", 400),
}


@pytest.mark.parametrize(("headers", "body", "status"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_body_that_is_no_form_is_an_invalid_request(
    edge: Edge, backends: Backends, headers: dict[str, str], body: bytes, status: int
) -> None:
    """JSON in the protocol's form, never a 422 or a detail (rules 20 and 32)."""
    answers = [await post(edge, path, body, **headers) for path in FORMS]

    for answer in answers:
        assert answer.status_code == status
        assert answer.json()["error"] == "invalid_request"
        assert set(answer.json()) == {"error", "error_description"}
        assert answer.headers["cache-control"] == "no-store"
    assert not any(isinstance(request, oauth_pb2.TokenRequest) for request in backends.oauth.requests)


async def test_parameters_in_the_address_are_refused(edge: Edge) -> None:
    """Credentials never travel in a query (rule 20)."""
    answers = [await post(edge, f"{path}?client_secret=s") for path in FORMS]

    refused = [(answer.status_code, answer.json()["error"]) for answer in answers]
    assert refused == [(400, "invalid_request")] * len(FORMS)


@pytest.mark.parametrize("path", [*FORMS, "/register"])
async def test_other_methods_are_405_with_allow(edge: Edge, path: str) -> None:
    """A token never comes by GET (rule 20)."""
    methods = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"]

    answers = [await edge.client.request(method, path) for method in methods]

    assert [(answer.status_code, answer.headers["allow"]) for answer in answers] == [(405, "POST")] * len(methods)


async def test_two_authorization_headers_are_no_authentication(edge: Edge, backends: Backends) -> None:
    """Which of them counts would be a guess (rule 23)."""
    async with visitor(edge) as client:
        await client.post(
            "/token",
            content=b"grant_type=x",
            headers=[("content-type", FORM), ("authorization", "Basic dTpw"), ("authorization", "Basic eDp5")],
        )

    assert backends.oauth.requests[-1].authorization == "invalid"


async def test_registration_takes_json_and_answers_201(edge: Edge, backends: Backends) -> None:
    """RFC 7591 3.2.1 (rule 46)."""
    made = await post(edge, "/register", b'{"redirect_uris":[]}', **{"content-type": "application/json"})
    form = await post(edge, "/register", b"a=b")

    assert (made.status_code, made.json()) == (201, {"client_id": "made"})
    assert made.headers["cache-control"] == "no-store"
    assert (form.status_code, form.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_user_info_takes_the_header_only(edge: Edge, method: str) -> None:
    """A good token by both methods; none, a bad one and one in the address are refused (rule 41)."""
    async with visitor(edge) as client:
        good = await client.request(method, "/userinfo", headers={"authorization": f"Bearer {access_token()}"})
        none = await client.request(method, "/userinfo")
        bad = await client.request(method, "/userinfo", headers={"authorization": "Bearer nonsense"})
        query = await client.request(method, f"/userinfo?access_token={access_token()}")

    assert (good.status_code, good.json()) == (200, {"sub": "user-1"})
    assert none.status_code == 401
    assert none.headers["www-authenticate"].startswith('Bearer realm="razvilka", DPoP ')
    assert bad.status_code == 401
    assert 'error="invalid_token"' in bad.headers["www-authenticate"]
    assert query.status_code == 400


@pytest.mark.parametrize("prefix", ["", "/oauth"])
async def test_metadata_and_keys_are_public_and_cacheable(edge: Edge, prefix: str) -> None:
    """The issuer is auth's, whatever Host says (rule 42); only public members of keys (rule 40)."""
    documents = [
        await edge.client.get(f"{prefix}/.well-known/{name}", headers={"host": "evil.example"})
        for name in ("oauth-authorization-server", "openid-configuration")
    ]
    keys = await edge.client.get(f"{prefix}/.well-known/jwks.json")

    assert [document.json()["issuer"] for document in documents] == [ISSUER, ISSUER]
    assert [document.headers["cache-control"] for document in documents] == ["public, max-age=300"] * 2
    assert set(keys.json()["keys"][0]) == {"kty", "n", "e", "kid", "alg", "use"}


async def test_pages_of_other_sites_may_use_what_public_clients_need(edge: Edge) -> None:
    """CORS at the token endpoint and the metadata, never at the authorization endpoint (rule 10)."""
    origin = {"origin": "https://app.example.com"}
    asking = {**origin, "access-control-request-method": "POST"}
    async with visitor(edge, headers=origin) as client:
        token = await client.post("/token", content=b"a=b", headers={"content-type": FORM})
        preflight = await client.request("OPTIONS", "/token", headers=asking)
        keys = await client.get("/.well-known/jwks.json")
        closed = [
            await client.get("/authorize"),
            await client.request("OPTIONS", "/authorize", headers=asking),
            await client.request("OPTIONS", "/introspect", headers=asking),
        ]

    allowed = [answer.headers["access-control-allow-origin"] for answer in (token, preflight, keys)]
    assert allowed == ["*", "*", "*"]
    assert preflight.status_code == 204
    for answer in (token, preflight, keys, *closed):
        assert "access-control-allow-credentials" not in answer.headers
    assert not any("access-control-allow-origin" in answer.headers for answer in closed)


async def test_cors_can_be_a_list(start_gateway: StartGateway) -> None:
    """Only listed origins are named, and none is reflected."""
    edge = await start_gateway(oauth={"cors_origins": "https://a.example, https://b.example"})

    listed = await post(edge, "/token", origin="https://b.example")
    other = await post(edge, "/token", origin="https://evil.example")

    assert listed.headers["access-control-allow-origin"] == "https://b.example"
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/token", "/authorize", "/login"])
async def test_an_address_can_ask_so_often_and_no_more(start_gateway: StartGateway, path: str) -> None:
    """429 with Retry-After; the API is not concerned (rule 32)."""
    edge = await start_gateway(oauth={"requests_per_minute": 3})

    answers: list[Any] = [await (post(edge, path) if path == "/token" else edge.client.get(path)) for _ in range(8)]
    api = await edge.client.get("/v1/models")

    refused = [answer for answer in answers if answer.status_code == 429]
    # At least two in a row fall into one window, wherever the minute turns.
    assert len(refused) >= 2
    assert [answer for answer in refused if not 1 <= int(answer.headers["retry-after"]) <= 60] == []
    if path == "/token":
        assert refused[0].json()["error"] == "temporarily_unavailable"
    assert api.status_code == 200


async def test_addresses_are_counted_apart_behind_a_trusted_proxy_only(start_gateway: StartGateway) -> None:
    """X-Forwarded-For of a stranger makes no new addresses (rule 32)."""
    strict = await start_gateway(oauth={"requests_per_minute": 1})
    behind = await start_gateway(oauth={"requests_per_minute": 1}, trusted_proxies="127.0.0.0/8")

    async def statuses(edge: Edge, network: str) -> list[int]:
        headers: list[dict[str, Any]] = [{"x-forwarded-for": f"{network}.{n}"} for n in range(4)]
        return [(await post(edge, "/token", **each)).status_code for each in headers]

    forged, real = await statuses(strict, "10.9.0"), await statuses(behind, "10.8.0")

    assert 429 in forged
    assert real == [200] * 4


async def test_the_limit_holds_without_redis(start_gateway: StartGateway) -> None:
    """Each gateway then counts for itself, more strictly (rule 32)."""
    from servicekit.settings import RedisSettings

    edge = await start_gateway(
        oauth={"requests_per_minute": 4},
        redis=RedisSettings(url="redis://127.0.0.1:1/0"),
    )

    statuses = [(await post(edge, "/token")).status_code for _ in range(8)]

    assert statuses.count(429) >= 4
