"""The routes of the GigaChat API listener: chat v1; the rest is in the modules it registers."""

import base64
import binascii
import dataclasses
import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from emulator.core import Call, Core, Route, Surface
from emulator.gigachat.models import Model, find_model
from emulator.gigachat.oauth import SCOPES, GigaChatAccess, Token, html_403
from emulator.gigachat.schema_rules import BrokenRuleError
from emulator.gigachat.v1_format import Writer, read_request
from emulator.toy_model.answer import Answer, Ask
from emulator.wire.replies import EVENT_STREAM, RefusalError, Reply

JSON_UTF8: Final = b"application/json; charset=utf-8"
MESSAGES: Final = {
    400: "Your request contains invalid JSON syntax.",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Permission denied",
    404: "No such model",
    409: "Conflict",
    413: "Payload too large",
    422: "Invalid params",
    429: "Too many requests",
    500: "Internal Server Error",
}
PICTURE: Final = "[[picture]]"
Renderer = Callable[[Answer, Ask, Model], tuple[list[bytes], list[int]]]


class GigaChatSurface(Surface):
    """Everything under the API host. Paths are known with and without the `/api` prefix."""

    provider = "gigachat"

    def __init__(self, core: Core, access: GigaChatAccess) -> None:
        """Register the chat routes."""
        super().__init__(core)
        self.access = access
        self._sessions: dict[str, int] = {}
        self.knows_file: Callable[[str, str], bool] = lambda file_id, owner: False
        self.draw: Callable[[str], str] = lambda owner: ""
        self.add("POST", "/v1/chat/completions", "chat", self.chat)

    def add(self, method: str, path: str, operation: str, route: Route) -> None:
        """Register a route under both prefixes."""
        self.routes[f"{method} {path}"] = self.routes[f"{method} /api{path}"] = (operation, route)

    def headers(self, call: Call) -> bytes:
        """Return the headers that every API answer carries."""
        session = call.entry.session_id or self.core.new_id()
        request = call.entry.request_id or self.core.new_id()
        ids = b"x-request-id: %b\r\nx-session-id: %b\r\n" % (
            request.encode("latin-1", "replace"), session.encode("latin-1", "replace"),
        )  # fmt: skip
        return b"server: SynGX\r\n" + ids

    def error(self, call: Call, code: int, message: str | None = None) -> Reply:
        """Return an API error: `{"status","message"}`."""
        text = message or MESSAGES.get(code, "Internal Server Error")
        body = msgspec.json.encode({"status": code, "message": text})
        return Reply([body + b"\n" if code == 404 else body], code, JSON_UTF8, self.headers(call))

    def reply(self, call: Call, found: Any) -> Reply:
        """Return an answer that is no generation, with the fault of the call."""
        return Reply(
            [msgspec.json.encode(found)], 200, JSON_UTF8, self.headers(call), fault=call.fault,
            latency_s=0.0 if call.fault is None else self.core.latency_s(None, call.fault),
        )  # fmt: skip

    def refuse(self, call: Call, code: int, message: str | None = None) -> RefusalError:
        """Return the exception that ends a call with this error."""
        return RefusalError(self.error(call, code, message))

    def bad_json(self, call: Call) -> Reply:
        """Answer a body that is no JSON."""
        return self.error(call, 400)

    def unknown_path(self, call: Call) -> Reply:
        """Answer as the balancer does: HTML."""
        return html_403()

    def authenticate(self, call: Call) -> Token:
        """Return what the bearer token stands for, or refuse with 401."""
        header = call.received.header
        call.entry.request_id, call.entry.session_id = header("x-request-id"), header("x-session-id")
        scheme, _, text = (header("authorization") or "").partition(" ")
        token = self.access.find(text) if scheme.lower() == "bearer" else None
        if not scheme and call.received.certificate:
            # Mutual TLS: the certificate is a firm's, and lives longer than any call.
            token = Token(call.received.certificate, "GIGACHAT_API_CORP", math.inf)
        if token is None:
            raise self.refuse(call, 401)
        call.note_credential(token.credential)
        if token.expires_at <= self.core.now():
            raise self.refuse(call, 401, "Token has expired")
        return token

    def begin(self, call: Call) -> str:
        """Return the key of a call that names no model, once its fault is chosen; see `choose_fault`."""
        owner = self.authenticate(call).credential
        self.choose_fault(call)
        return owner

    def read(self, call: Call, parse: Callable[[dict[str, Any]], Ask]) -> Ask:
        """Return the question of the body, or refuse with 400 or 422."""
        body = call.received.json()
        if not isinstance(body, dict):
            raise self.refuse(call, 400)
        try:
            return parse(body)
        except BrokenRuleError as rule:
            raise self.refuse(call, rule.status, str(rule)) from None
        except (KeyError, TypeError, AttributeError):
            raise self.refuse(call, 422) from None

    def enter(self, call: Call, token: Token) -> None:
        """Take one of the key's parallel places, or refuse with 429."""
        quotas = self.core.quotas
        gauge = quotas.gauge(f"gigachat:{token.credential}")
        if not gauge.enter(quotas.limit("gigachat_max_parallel", SCOPES[token.scope])):
            raise self.refuse(call, 429)
        call.releases.append(gauge.leave)

    def spend(self, call: Call, model: str) -> None:
        """Refuse with 402 when the model's package is spent; charge the call to it at the end."""
        packages = self.access.packages
        left = packages.get(model)
        if left is None:
            return
        if left <= 0:
            raise self.refuse(call, 402)
        entry = call.entry

        def charge() -> None:
            used = entry.prompt_tokens - entry.cached_tokens + entry.completion_tokens
            packages[model] = packages.get(model, 0) - used

        call.releases.append(charge)

    async def chat(self, call: Call) -> Reply:
        """`/v1/chat/completions`."""
        return await self.generate(call, read_request, self._render_v1)

    async def generate(self, call: Call, parse: Callable[[dict[str, Any]], Ask], render: Renderer) -> Reply:
        """Run one generation of either version."""
        token = self.authenticate(call)
        ask = self.read(call, parse)
        call.note_ask(ask)
        fault = self.choose_fault(call, model=ask.model, ask=ask)
        model = self._checked_model(call, ask, token)
        self.enter(call, token)
        self.spend(call, ask.model)
        self._cache_prefix(call, ask)
        if PICTURE in ask.prompt and ask.tool_choice == "auto" and not ask.tools:
            # The built-in function works only where the model may choose one.
            drawn = f'<img src="{self.draw(token.credential)}" fuse="true"/> Вот что получилось.'
            ask.directions = dataclasses.replace(ask.directions, text=drawn)
        answer = call.compose(ask, fault)
        frames, marks = render(answer, ask, model)
        reply = Reply(frames, 200, JSON_UTF8, self.headers(call), marks=marks, fault=fault)
        reply.latency_s = self.core.latency_s(ask, fault)
        if ask.stream:
            reply.streamed, reply.content_type, reply.gap_s = True, EVENT_STREAM, call.gap_s(ask)
        return reply

    def _checked_model(self, call: Call, ask: Ask, token: Token) -> Model:
        model = find_model(ask.model, "chat")
        if model is None:
            raise self.refuse(call, 404)
        if ask.tools and not model.has_functions:
            raise self.refuse(call, 422, "Requested model does not support functions")
        if ask.prompt_tokens > model.window:
            raise self.refuse(call, 413)
        for file_id in ask.file_ids:
            if not self.knows_file(file_id, token.credential):
                raise self.refuse(call, 404, "No such file")
        return model

    def _cache_prefix(self, call: Call, ask: Ask) -> None:
        """A stable X-Session-ID caches what the session's previous call has sent."""
        session = call.entry.session_id
        if session is None or ask.directions.cached:
            return
        ask.cached_tokens = min(self._sessions.get(session, 0), ask.prompt_tokens - 1)
        if len(self._sessions) >= 10_000:
            self._sessions.clear()
        self._sessions[session] = ask.prompt_tokens

    def _render_v1(self, answer: Answer, ask: Ask, model: Model) -> tuple[list[bytes], list[int]]:
        created, state_id = int(self.core.now()), self.core.new_id()
        writer = Writer(answer, ask.model, model, created=created, state_id=state_id)
        return writer.events() if ask.stream else ([writer.whole()], [answer.completion_tokens])


class PasswordSurface:
    """`POST /v1/token`: a token for user and password, the older way."""

    def __init__(self, surface: GigaChatSurface) -> None:
        """Register the route."""
        self._surface = surface
        surface.add("POST", "/v1/token", "token", self.token)

    async def token(self, call: Call) -> Reply:
        """Give a token under the short names `tok` and `exp` (seconds)."""
        surface = self._surface
        surface.choose_fault(call)
        scheme, _, key = (call.received.header("authorization") or "").partition(" ")
        user = _known_user(surface.access, key) if scheme.lower() == "basic" else None
        if user is None:
            raise surface.refuse(call, 401)
        text, expires_at = surface.access.issue(user, "GIGACHAT_API_PERS")
        return Reply([msgspec.json.encode({"tok": text, "exp": int(expires_at)})], content_type=JSON_UTF8)


def _known_user(access: GigaChatAccess, key: str) -> str | None:
    try:
        user, _, password = base64.b64decode(key).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user if access.users.get(user) == password else None
