"""Bad input at the running suite: a 4xx that names the field, in both dialects; nothing leaks, nothing falls over.

The gateway's own table runs here too, this time with a real router and real providers behind it. The rows below are
those that pass the gateway's own checks, or that no JSON table can hold.
"""

from __future__ import annotations

import datetime
import json
import socket
from typing import Any, Final

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from servicekit.errors import InvalidRequest
from services.gateway.tests.inference.bad_bodies import WRONG
from tests.integration.books import Books
from tests.integration.caller import CHAT, Heard, ask, call
from tools.stack.running_stack import RunningStack

TEXT: Final = "/v1/completions"
EMBED: Final = "/v1/embeddings"
MODELS: Final = ("yandexgpt:latest", "gigachat-pro", "toy-large")
ERROR_FIELDS: Final = {"code", "message", "type", "param", "details"}
# What no answer may contain: parts of tracebacks, addresses and names of what is inside.
INSIDE: Final = (b"Traceback", b'File "', b"asyncpg", b"grpc", b"postgres", b"redis", b"127.0.0.1", b"services.")


def chat(**changes: Any) -> dict[str, Any]:
    """Return a chat body with changes."""
    return {"model": "yandexgpt:latest", "messages": [{"role": "user", "content": "Привет"}], **changes}


def said(content: Any) -> dict[str, Any]:
    """Return a chat body that says this."""
    return chat(messages=[{"role": "user", "content": content}])


def post(stack: RunningStack, path: str, body: Any, **headers: str) -> Heard:
    """Send a body as it is, or as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"authorization": f"Bearer {stack.api_key}", **headers}
    return call(stack.url, "POST", path, content=content, headers=sent)


def assert_refusal(heard: Heard, *statuses: int) -> dict[str, Any]:
    """Assert that it is one of our refusals, and return its error."""
    assert heard.status in statuses, (heard.status, heard.body[:500])
    assert heard.headers["content-type"].startswith("application/json")
    error: dict[str, Any] = heard.json["error"]
    assert set(error) == ERROR_FIELDS
    assert isinstance(error["details"], dict)
    assert error["message"]
    assert error["details"]["request_id"] == heard.request_id
    assert not [inside for inside in INSIDE if inside in heard.body]
    return error


# The name of that row's embedding model is one of the gateway's own test catalogue.
REFUSED: Final = [row for row in WRONG if row[0] != "an embedding model"]


@pytest.mark.parametrize(("path", "body", "field"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_wrong_body_is_refused_by_field(stack: RunningStack, path: str, body: Any, field: str) -> None:
    """400, and the error says which field."""
    error = assert_refusal(post(stack, path, body), 400)

    assert error["param"] == field
    assert field == "body" or field in error["message"]


DEEPER: Final = [
    ("an unknown model", CHAT, chat(model="gpt-9"), (404,), "model"),
    ("a model that climbs", CHAT, chat(model="../../etc/passwd"), (404,), "model"),
    ("a model with NUL", CHAT, chat(model="yandexgpt\x00:latest"), (400, 404), "model"),
    ("a model with a line break", CHAT, chat(model="yandexgpt\r\nx: y"), (400, 404), "model"),
    ("an embedding model that should chat", CHAT, chat(model="text-search-doc"), (400,), "model"),
    ("a chat model that should embed", EMBED, {"model": "gigachat-pro", "input": "a"}, (400,), "model"),
    ("an unknown embedding model", EMBED, {"model": "ada", "input": "a"}, (404,), "model"),
    ("a schema that is none", CHAT, chat(response_format={"type": "json_schema", "json_schema": 5}), (400,), None),
    ("a picture for who cannot see", CHAT,
     said([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]), (400,), "messages"),
    ("a picture from inside", CHAT,
     said([{"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest/meta-data/"}}])
     | {"model": "gigachat-pro"}, (400,), "messages"),
    ("an answer to no call", CHAT,
     chat(messages=[{"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "x", "content": "1"}]),
     (400,), "messages"),
    ("a prompt longer than the window", CHAT, said("слово " * 40_000), (400,), "messages"),
    ("logit_bias", CHAT, chat(logit_bias={"7": 5}), (400,), "logit_bias"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "statuses", "field"), [row[1:] for row in DEEPER], ids=[row[0] for row in DEEPER]
)
def test_what_only_the_catalogue_or_the_mapping_knows_is_refused_too(
    stack: RunningStack, path: str, body: Any, statuses: tuple[int, ...], field: str | None
) -> None:
    """The refusal comes from behind the gateway and still names the field."""
    error = assert_refusal(post(stack, path, body), *statuses)

    assert field is None or str(error["param"]).startswith(field)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "content",
    ["\x00", "a\x00b", "\u202e\u0000\ufffe", "\U0001f469\u200d\U0001f680" * 50, "\r\n\r\nHTTP/1.1 200 OK", "{" * 200,
     "data: [DONE]\n\n", "]]>--><script>", "%00%0a../", " " * 1000, "\x1b[2J"],
    ids=repr,
)  # fmt: skip
def test_strange_text_is_only_text(stack: RunningStack, model: str, content: str) -> None:
    """Whatever it looks like, a model answers it, or it is refused with a reason."""
    heard = ask(stack.url, stack.api_key, content, model=model, max_tokens=8)

    if heard.status != 200:
        assert_refusal(heard, 400)
    else:
        assert heard.text


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 1}, {"max_tokens": 2**31 - 1}, {"temperature": 0}, {"temperature": 2}, {"top_p": 0},
        {"n": 2, "max_tokens": 4}, {"stop": ["a", "b", "c", "d"]}, {"seed": -1}, {"user": "x" * 500},
        {"unknown_field": {"a": [1, 2, {"b": None}]}}, {"presence_penalty": -2, "frequency_penalty": 2},
        {"tools": [{"type": "function", "function": {"name": "f" * 64, "parameters": {}}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "nonsense"}}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#/a"}}}},
        {"metadata": {"a": "b"}}, {"service_tier": "auto"}, {"store": True}, {"modalities": ["audio"]},
        {"logit_bias": {"50256": -100}}, {"parallel_tool_calls": False},
    ],
    ids=str,
)  # fmt: skip
def test_extreme_but_lawful_fields_never_fail_inside(stack: RunningStack, model: str, fields: dict[str, Any]) -> None:
    """An answer, or a 4xx that says what is not supported: never a 5xx."""
    heard = ask(stack.url, stack.api_key, "Где север?", model=model, **fields)

    if heard.status != 200:
        assert_refusal(heard, 400)


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        (CHAT, b" " * (11 * 1024 * 1024), {}, 413, "payload_too_large"),
        (CHAT, b"\x1f\x8b\x08", {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
        (CHAT, b"{}", {"content-encoding": "br, zstd"}, 415, "unsupported_media_type"),
        (EMBED, {"model": "text-search-doc", "input": ["a" * 5_000_000, "a" * 6_000_000]}, {}, 413,
         "payload_too_large"),
    ],
    ids=["11 MB", "gzip", "br, zstd", "a huge input"],
)  # fmt: skip
def test_bodies_that_are_too_much_are_refused(
    stack: RunningStack, path: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    """Before they are decoded."""
    assert assert_refusal(post(stack, path, body, **headers), status)["code"] == code


def test_an_endless_chunked_body_is_refused_on_the_way(stack: RunningStack) -> None:
    """It has no length to look at; at ten megabytes the gateway stops reading."""

    def endless() -> Any:
        for _ in range(200):
            yield b" " * 65_536

    heard = call(stack.url, "POST", CHAT, content=endless(), headers={"authorization": f"Bearer {stack.api_key}"})

    # Who still sends may see the connection end before it sees the answer.
    assert heard.status in (413, 0)


KEYS: Final = {
    "no key": (None, "auth_required"),
    "another scheme": ("Basic dXNlcjpwYXNz", "auth_required"),
    "a wrong key": ("Bearer rz_live_wrong", "invalid_key"),
    "a key with a wrong checksum": ("Bearer rz_live_" + "a" * 49, "invalid_key"),
    "a very long key": ("Bearer " + "k" * 5000, "invalid_key"),
    "an injection": ("Bearer ' OR 1=1 --", "invalid_key"),
    "a letter that is none": ("Bearer rz_live_\xff\xfe", "invalid_key"),
    "no token": ("Bearer eyJhbGciOiJub25lIn0.e30.", "invalid_token"),
}


@pytest.mark.parametrize(("authorization", "code"), KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize("path", [CHAT, TEXT, EMBED])
def test_wrong_keys_are_401(stack: RunningStack, path: str, authorization: str | None, code: str) -> None:
    """With how to authenticate, and without a word about what is known of the key."""
    headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}

    heard = call(stack.url, "POST", path, json=chat(), headers=headers)

    assert assert_refusal(heard, 401)["code"] == code
    assert heard.headers["www-authenticate"].startswith("Bearer")


def expiring_key(stack: RunningStack, in_s: float = 1.2) -> tuple[str, datetime.datetime]:
    """Return a key and when it expires: soon, but not before a slow machine has made it."""
    soon, expires_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=in_s), Timestamp()
    expires_at.FromDatetime(soon)
    try:
        return stack.issue_key(expires_at=expires_at), soon
    except InvalidRequest:
        return expiring_key(stack, 5 * in_s)


def test_revoked_and_expired_keys_are_401(stack: RunningStack) -> None:
    """The same answer as to an unknown key: nobody learns that it once worked."""
    revoked = stack.issue_key()
    stack.revoke_key(revoked)
    expiring, soon = expiring_key(stack)

    answers = [ask(stack.url, revoked, "x")]
    while datetime.datetime.now(datetime.UTC) <= soon:
        ask(stack.url, expiring, "x", max_tokens=1)
    answers.append(ask(stack.url, expiring, "x"))

    assert [assert_refusal(heard, 401)["code"] for heard in answers] == ["invalid_key", "invalid_key"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"])
def test_wrong_methods_are_405(stack: RunningStack, method: str) -> None:
    """With what is allowed."""
    heard = call(stack.url, method, CHAT, headers={"authorization": f"Bearer {stack.api_key}"})

    if method == "OPTIONS" and heard.status in (200, 204):
        assert "access-control-allow-origin" not in heard.headers
        return
    assert assert_refusal(heard, 405)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    ["/v1/models/..%2f..%2fetc%2fpasswd", "/v1/models/%00", "/v1/models/" + "a" * 3000, "/v1/models/%ff%fe",
     "/v1/parameters/..%2f..%2f", "/v1/generation?id=..%2f..", "/v1/generation?id=%00", "/v1/generation?id=1%27%20or",
     "/v1/generation", "/v1/requests/..%2fx", "/v1/requests/not-a-uuid", "/v1/requests/%00",
     "/v1/requests/00000000-0000-0000-0000-000000000000", "/v1/", "/v1//models", "/.git/config",
     "/metrics"],
)  # fmt: skip
def test_strange_paths_are_4xx(stack: RunningStack, path: str) -> None:
    """Ids are looked up, never opened; what is inside stays inside."""
    assert_refusal(call(stack.url, "GET", path, headers={"authorization": f"Bearer {stack.api_key}"}), 400, 404)


POST: Final = b"POST %b HTTP/1.1\r\nhost: a\r\n" % CHAT.encode()
RAW: Final = {
    "a method that is none": b"BREW /v1/models HTTP/1.1\r\nhost: a\r\n\r\n",
    "an empty key": b"GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: Bearer \r\n\r\n",
    "a path that climbs": b"GET /../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n",
    "no HTTP": b"hello\r\n\r\n",
    "two lengths": POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "length and chunks": POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk": POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
    "a folded header": b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n",
    "huge headers": b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 40_000 + b"\r\n\r\n",
    "many headers": b"GET /v1/models HTTP/1.1\r\nhost: a\r\n" + b"x: a\r\n" * 10_000 + b"\r\n",
    "a NUL in a header": b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n",
}


@pytest.mark.parametrize("sent", RAW.values(), ids=RAW.keys())
def test_what_is_not_proper_http_ends_the_connection(stack: RunningStack, sent: bytes) -> None:
    """A 4xx of ours, then the connection is closed; nothing of it is taken for a second request."""
    host, _, port = stack.url.removeprefix("http://").partition(":")

    with socket.create_connection((host, int(port)), timeout=15) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 431")), received[:200]
    assert received.count(b"HTTP/1.1 ") == 1
    assert not [inside for inside in INSIDE if inside in received]


def test_after_all_that_the_suite_is_well(stack: RunningStack, books: Books) -> None:
    """Same processes as before, ready, answering; and refused requests cost nothing."""
    account = stack.new_account()
    heard = ask(stack.url, account.key, "Привет")
    post_bad = call(stack.url, "POST", CHAT, json={}, headers={"authorization": f"Bearer {account.key}"})

    assert httpx.get(f"{stack.url}/ready", trust_env=False, timeout=60).status_code == 200
    assert heard.is_whole
    assert post_bad.status == 400
    assert len(books.wait_for_rows(account.user_id)) == 1
    books.check(account.user_id)
    for program in ("gateway", "router", "auth", "usage"):
        assert '"event": "gateway.failed"' not in stack.log(program).read_text(errors="replace")
