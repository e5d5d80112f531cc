"""One HTTP request on its way through the edge: its id, its trace, its caller, and what the log line will say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, Protocol

from fastapi import Depends
from starlette.requests import Request
from starlette.types import Scope

from servicekit.call import CallContext
from servicekit.tracing import SpanKind, begin_trace, start_span
from services.gateway.clients.caller import Caller
from services.gateway.edge.problems import ErrorForm, Headers, encode_body
from services.gateway.edge.request_id import new_request_id
from services.gateway.edge.server_timing import Timing

# The path of a field as the work knows it -> as the caller wrote it.
FieldName = Callable[[str], str]

KEY: Final = "razvilka.request_context"
# Nobody reads the answer: what nginx logs for it.
CLIENT_CLOSED_REQUEST: Final = 499


# In the scope of a request whose body turned out to be none: what the server itself has told the caller.
TOLD: Final = "razvilka.told"


class Told(NamedTuple):
    """Under which id a request was refused by the server, and as what."""

    request_id: str
    status: int
    code: str


class AnswerKeeper(Protocol):
    """Keeps the answer of one request for its retries, so that they get the same bytes and cost nothing."""

    def part(self, frames: bytes) -> None:
        """Note what was written of a stream."""
        ...

    async def keep(self, status: int, last: bytes, bill: bytes) -> None:
        """Keep the answer, and its bill in case that this process dies before it is journalled.

        `last` is the body, or what is still to be written of a stream.

        Raises:
            Conflict: a retry has taken the key over.
            Unavailable: nobody can tell.
        """
        ...


class CacheStatus(StrEnum):
    """What the cache had: NONE was not asked."""

    NONE = ""
    HIT = "hit"
    MISS = "miss"


@dataclass(frozen=True, slots=True)
class CacheWish:
    """A caller that wants the answer cached: what stands for the same request, and for how many seconds."""

    key: bytes
    ttl_s: int


@dataclass(frozen=True, slots=True)
class Deferral:
    """A request that nobody waits for: what names it, whoever asks it again, and how many seconds it may take."""

    name: str
    timeout_s: float


class RequestContext:
    """Mutable, owned by one request. `headers` go out with whatever is answered."""

    __slots__ = (
        "asked_cache",
        "asked_tags",
        "authorization",
        "cache",
        "cache_control",
        "cache_status",
        "call",
        "caller",
        "cost_micro_rub",
        "cut",
        "deferral",
        "error_code",
        "error_form",
        "field_name",
        "finish_reason",
        "first_token_ms",
        "headers",
        "idempotency_key",
        "ignored_params",
        "keeper",
        "metadata",
        "method",
        "model",
        "policy",
        "prompt_digest",
        "provider",
        "replay_of",
        "request_id",
        "requested_model",
        "resolved_model",
        "route",
        "scope",
        "span",
        "started",
        "started_at_us",
        "status",
        "stream",
        "timing",
        "tokens_in",
        "tokens_out",
        "traits",
    )

    def __init__(self, scope: Scope) -> None:
        self.started = time.perf_counter()
        self.started_at_us = time.time_ns() // 1000
        self.request_id = new_request_id()
        self.scope = scope
        self.method: str = scope["method"]
        self.route = ""
        self.status = 0
        self.caller: Caller | None = None
        self.headers: Headers = []
        # In place of what the edge says everywhere else: how long to keep the answer, and what a page may do.
        self.cache_control = b"no-store"
        self.policy = b""
        # Routes in the shape of another API say errors in its form too.
        self.error_form: ErrorForm = encode_body
        # They turn bodies into chats: what is said of a field of the chat names the caller's own.
        self.field_name: FieldName = _as_it_is
        given = _read(scope["headers"])
        self.authorization, self.idempotency_key, self.asked_cache, self.asked_tags, traceparent, tracestate = given
        # What the header was found to say.
        self.cache: CacheWish | None = None
        self.cache_status = CacheStatus.NONE
        # For the books: tags of the caller, and what is kept of the prompt.
        self.metadata: dict[str, str] = {}
        self.prompt_digest = b""
        self.traits = 0
        # Set while a request with an idempotency key is answered.
        self.keeper: AnswerKeeper | None = None
        # Of a line of a batch.
        self.deferral: Deferral | None = None
        # Of a retry: the request whose answer it got.
        self.replay_of = ""
        self.span = start_span("gateway.request", begin_trace(traceparent, tracestate), kind=SpanKind.SERVER)
        self.call = CallContext(self.request_id, self.span.context, self.authorization)
        self.requested_model = self.model = self.provider = self.resolved_model = ""
        self.finish_reason = self.error_code = self.cut = ""
        # Fields of the body that are no parameters here: a typo, or what only another provider knows.
        self.ignored_params: list[str] = []
        self.stream = False
        self.timing = Timing()
        self.tokens_in = self.tokens_out = self.cost_micro_rub = self.first_token_ms = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request came in."""
        return time.perf_counter() - self.started

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the request came in, at least one."""
        return max(1, round((time.perf_counter() - self.started) * 1000))

    def timeout_s(self, usual_s: float) -> float:
        """Return how many seconds the request may take in all; `usual_s`: one that somebody waits for."""
        return usual_s if self.deferral is None else self.deferral.timeout_s

    def call_field(self, known: str, own: str) -> None:
        """Have errors say `own`, as the caller wrote it, of a field that the services behind know as `known`."""
        self.field_name = lambda path: own if path == known else path

    @property
    def known_caller(self) -> Caller:
        """Return the caller of a route that needs one; the edge has authenticated it."""
        if self.caller is None:
            raise RuntimeError("the route was reached without a caller")
        return self.caller


def _as_it_is(path: str) -> str:
    return path


def _read(headers: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes | None, bytes, bytes, str | None, str | None]:
    authorization, idempotency_key, asked_cache, asked_tags, traceparent, tracestate = b"", None, b"", b"", None, None
    for name, value in headers:
        if name == b"authorization":
            # Two credentials: which one counts would be a guess, so neither does.
            authorization = value if not authorization else b"\x00"
        elif name == b"idempotency-key":
            # Two keys are none, in the same way.
            idempotency_key = value if idempotency_key is None else b"\x00"
        elif name == b"x-razvilka-cache":
            asked_cache = value
        elif name == b"x-razvilka-tags":
            asked_tags = value if not asked_tags else asked_tags + b"," + value
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
        elif name == b"tracestate" and len(value) <= 512:
            tracestate = value.decode("latin-1")
    return authorization, idempotency_key, asked_cache, asked_tags, traceparent, tracestate


def is_dpop(authorization: bytes) -> bool:
    """Tell whether the header comes with a token that is bound to a key (RFC 9449 7.1)."""
    return authorization.partition(b" ")[0].lower() == b"dpop"


def context_of(scope: Scope) -> RequestContext:
    """Return the context of an ASGI scope."""
    context: RequestContext = scope[KEY]
    return context


def current_context(request: Request) -> RequestContext:
    """Return the context, as a FastAPI dependency."""
    return context_of(request.scope)


# What a FastAPI route takes to know who asks.
Context = Annotated[RequestContext, Depends(current_context)]
