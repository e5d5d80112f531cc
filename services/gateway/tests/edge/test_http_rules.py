"""HEAD, slashes, queries and header values: the same request is the same request, and text stays text."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import ErrorReason, PermissionDenied
from services.gateway.edge.header_values import address_value, plain_value, quoted_value
from services.gateway.edge.problems import headers_of
from services.gateway.tests.backends import KEY
from services.gateway.tests.conftest import Edge

CHAT = "/v1/chat/completions"
READABLE = ["/v1/models", "/v1/models/yandexgpt", "/health", "/ready", "/openapi.json", "/v1/auth/key", "/login",
            "/.well-known/jwks.json", "/nothing", CHAT, "/docs"]  # fmt: skip
# A form's tokens are new each time, as long as those before, but they pack differently.
WHOLE = {"accept-encoding": "identity"}


@pytest.mark.parametrize("path", READABLE)
async def test_head_answers_as_get_does_without_the_body(edge: Edge, path: str) -> None:
    """RFC 9110 9.3.2: the same status and the same headers that speak of the body."""
    got, headed = [await edge.client.request(method, path, headers=WHOLE) for method in ("GET", "HEAD")]

    assert (headed.status_code, headed.content) == (got.status_code, b"")
    for name in ("content-type", "content-length", "cache-control", "allow"):
        assert headed.headers.get(name) == got.headers.get(name), name


@pytest.mark.parametrize("path", [path for path in READABLE if path != "/nothing"])
async def test_a_slash_at_the_end_changes_nothing(edge: Edge, path: str) -> None:
    """Clients that join addresses carelessly get their answer, not a redirect that loses the body."""
    plain, slashed = [await edge.client.get(at, headers=WHOLE) for at in (path, f"{path}/")]

    assert slashed.status_code == plain.status_code
    assert slashed.headers.get("content-length") == plain.headers.get("content-length")


@pytest.mark.parametrize(
    ("path", "allow"),
    [("/v1/responses/input_tokens", "POST"), ("/v1/responses/resp_1", "DELETE, GET, HEAD")],
    ids=["a route's own", "an id"],
)
async def test_a_path_of_its_own_allows_its_own_methods(edge: Edge, path: str, allow: str) -> None:
    """Not those of the route that has an id in that place, as the description says too."""
    answer = await edge.client.put(path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_only_http_1_1_is_answered_in_chunks(edge: Edge, version: str) -> None:
    """RFC 9112 6.1: to a client of HTTP/1.0 the sizes of chunks would be text amid the events."""
    body = json.dumps({"model": "yandexgpt", "stream": True, "messages": [{"role": "user", "content": "Привет"}]})
    head = f"POST {CHAT} HTTP/{version}\r\nhost: a\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.gateway.port)
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())

    said, _, sent = (await reader.read()).partition(b"\r\n\r\n")

    writer.close()
    in_chunks = version == "1.1"
    assert (b"transfer-encoding: chunked" in said) == in_chunks
    assert sent.endswith(b"data: [DONE]\n\n" + b"\r\n0\r\n\r\n" * in_chunks)
    assert in_chunks or all(line.startswith(b"data: ") for line in sent.split(b"\n\n") if line)


async def test_a_hot_route_takes_a_slash_too(edge: Edge) -> None:
    """And is still the hot route."""
    body = {"model": "yandexgpt", "messages": [{"role": "user", "content": "Привет"}]}

    answer = await edge.client.post(f"{CHAT}/", json=body)

    assert (answer.status_code, answer.json()["object"]) == (200, "chat.completion")


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=1&limit=2", "limit"), ("id=a&i%64=b", "id"), ("page=%ff", "query"), ("page=%00", "query"),
     ("&".join(f"a{at}=1" for at in range(300)), "query")],
)  # fmt: skip
async def test_a_query_has_one_reading(edge: Edge, query: str, param: str) -> None:
    """Twice a name, escaped or not, is no request of the API."""
    answer = await edge.client.get(f"/v1/models?{query}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


EVIL = st.text(alphabet=st.characters(codec=None), max_size=40) | st.sampled_from(
    ['a", Basic realm="evil', "a\r\nset-cookie: a=b", "a\x00b", "\ud800", 'a\\"', "é", "\x7f"]
)


@given(EVIL)
def test_no_text_leaves_its_header(text: str) -> None:
    """Printable ASCII only; in quotes, nothing that ends them."""
    quoted = quoted_value(text)

    for value in (plain_value(text), address_value(text), quoted):
        assert all(0x20 <= code <= 0x7E for code in value)
    assert quoted[:1] == quoted[-1:] == b'"'
    assert b'"' not in quoted[1:-1]
    assert b"\\" not in quoted


def test_a_scope_cannot_add_a_challenge() -> None:
    """What the caller wrote comes back in WWW-Authenticate as one scope."""
    details = {"required_scope": 'a", Basic realm="evil\r\nset-cookie: a=b'}
    error = PermissionDenied(ErrorReason.INSUFFICIENT_SCOPE, "no", details=details)

    ((_, value),) = headers_of(error)

    assert value.count(b'"') == 6
    assert b"\r" not in value
    assert value.endswith(b'scope="a?, Basic realm=?evil??set-cookie: a=b"')


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/assistants", "chat completions"),
        ("/v1/threads/t_1/runs", "chat completions"),
        ("/v1/audio/speech", "chat completions"),
        ("/v1/responses/r/cancel", "Responses API"),
        ("/v1/v1/chat/completions", "ends in /v1"),
    ],
)
async def test_where_nothing_is_the_answer_says_what_there_is(edge: Edge, path: str, said: str) -> None:
    """Whoever looks for another part of an API learns which parts are here."""
    answer = await edge.client.post(path, json={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert said in answer.json()["error"]["message"]
