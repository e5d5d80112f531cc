"""The public API, asked within this process in the name of whoever is logged in.

A page can thus show nothing that the API would not say, and do nothing that it would not do: the same routes, scopes,
checks and bodies. There is no second hop, no credential on the way and no limit of an address. What it pays for
is billed to that person as every other request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.call import TRACEPARENT
from servicekit.errors import Internal
from services.gateway.edge.middleware import close, describe_served
from services.gateway.edge.problems import Headers
from services.gateway.edge.reading.params import first
from services.gateway.edge.request_context import KEY, RequestContext
from services.gateway.pages import forms
from services.gateway.pages.page_context import PageContext

Params = Iterable[tuple[str, str]]
_JSON: Final = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class ApiRefused(Exception):
    """The API said no: status, code, a sentence, the field that it is about ("": none), the refused request."""

    status: int
    code: str
    message: str
    param: str
    request_id: str = ""


class OwnApi:
    """Asks the API. `serve` is the application behind the edge."""

    def __init__(self, serve: ASGIApp) -> None:
        self._serve = serve

    async def get(self, page: PageContext, path: str, params: Params = ()) -> Any:
        """Return what GET says, in JSON's types.

        Raises:
            ApiRefused: it said no.
        """
        return json.loads(await self._ask(page, "GET", path, urlencode(list(params)).encode(), b""))

    async def get_if_up(self, page: PageContext, path: str, params: Params = ()) -> Any:
        """Return what GET says, or None while what it needs is away: one part of a page that fails hides no other.

        Raises:
            ApiRefused: it said no to the question.
        """
        try:
            return await self.get(page, path, params)
        except ApiRefused as exc:
            if exc.status < 500:
                raise
            return None

    async def list_if_up(self, page: PageContext, path: str, params: Params = ()) -> list[Any]:
        """Return the rows (`data`) of what GET says, none while what it needs is away.

        Raises:
            ApiRefused: it said no to the question.
        """
        found = await self.get_if_up(page, path, params)
        return list(found["data"]) if found else []

    async def send(self, page: PageContext, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return what another method says, in JSON's types; None where it says nothing.

        A POST for a form that was sent twice is carried out once: it has the same answer again.

        Raises:
            ApiRefused: it said no.
        """
        sent = b"" if body is None else json.dumps(body).encode()
        answer = await self._ask(page, method, path, b"", sent, _order_of(page, path, sent))
        return json.loads(answer) if answer else None

    async def check(self, page: PageContext, path: str) -> Any:
        """Return what a POST says that changes nothing: asked again, it looks again.

        Raises:
            ApiRefused: it said no.
        """
        return json.loads(await self._ask(page, "POST", path, b"", b""))

    async def pay(self, page: PageContext, path: str, body: Mapping[str, Any], *, once: str) -> Any:
        """Return what a paid route says. `once` names the question: asked again, it has the same answer and bill.

        Raises:
            ApiRefused: it said no.
        """
        sent = json.dumps(body).encode()
        scope = _scope(page, "POST", path, b"", sent)
        scope["headers"].append((b"idempotency-key", once.encode()))
        # One page may pay for several: each is a request of its own in the books, so in the log and the counters too.
        context = RequestContext(scope)
        _enter(page, scope, context)
        try:
            gathered = await self._served(scope, context, sent)
        finally:
            close(context)
        return json.loads(gathered.answer())

    async def hand_over(self, page: PageContext, path: str, body: Mapping[str, Any], send: Send) -> None:
        """Have a paid route answer the page's own request, as it makes the answer, to whoever opened the page.

        When their connection is lost, it ends and is billed as for every caller who leaves.
        """
        sent = json.dumps(body).encode()
        scope = _scope(page, "POST", path, b"", sent)
        context = scope[KEY] = page.context
        context.caller = page.known_caller
        await self._serve(scope, _body_of(sent), send)

    async def _ask(
        self, page: PageContext, method: str, path: str, query: bytes, body: bytes, headers: Headers | None = None
    ) -> bytes:
        scope = _scope(page, method, path, query, body)
        scope["headers"] += headers or []
        context = RequestContext(scope)
        context.request_id = page.context.request_id
        _enter(page, scope, context)
        return (await self._served(scope, context, body)).answer()

    async def _served(self, scope: Scope, context: RequestContext, body: bytes) -> _Gathered:
        """Have a request served within its step of the page's trace, which ends with it."""
        gathered = _Gathered(context, body)
        with context.span:
            try:
                await self._serve(scope, gathered.receive, gathered.send)
            finally:
                describe_served(context)
        return gathered


def _order_of(page: PageContext, path: str, body: bytes) -> Headers:
    """Return the header that names what a form orders, so that the API does it once: it looks at it of POST only."""
    token = first(page.form, forms.ONCE)
    return [(b"idempotency-key", forms.order_name(token, f"{path}\n{body.decode()}").encode())] if token else []


def _body_of(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _scope(page: PageContext, method: str, path: str, query: bytes, body: bytes) -> Scope:
    headers: Headers = [(TRACEPARENT.encode(), page.call.trace.traceparent.encode())]
    if body:
        headers += [_JSON, (b"content-length", str(len(body)).encode())]
    kept = {name: page.scope[name] for name in ("type", "asgi", "http_version", "scheme", "server", "client")}
    return {
        **kept,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers,
        "state": {},
    }


def _enter(page: PageContext, scope: Scope, context: RequestContext) -> None:
    """Say who asks: there is no credential in the request, so nobody else could. Without a login: nobody."""
    scope[KEY] = context
    context.call = replace(page.call, trace=context.call.trace, request_id=context.request_id)
    context.caller = page.user.caller if page.user else None


class _Gathered:
    """An answer, gathered from what the application sends."""

    def __init__(self, context: RequestContext, body: bytes) -> None:
        self.receive = _body_of(body)
        self._context = context
        self._status = 0
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = self._context.status = message["status"]
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))

    def answer(self) -> bytes:
        body = b"".join(self._parts)
        if not self._status:
            raise Internal
        if self._status >= 400:
            raise _refused(self._status, body)
        return body


def _refused(status: int, body: bytes) -> ApiRefused:
    error = json.loads(body)["error"]
    request_id = error.get("details", {}).get("request_id", "")
    return ApiRefused(status, error["code"], error["message"], error.get("param") or "", request_id)
