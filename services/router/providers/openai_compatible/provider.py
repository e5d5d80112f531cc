"""Any upstream that speaks the OpenAI dialect, by configuration."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from yarl import URL

from servicekit.clock import Clock
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers import failures
from services.router.providers.openai_dialect.errors import error_of
from services.router.providers.openai_dialect.request import OpenAIDialect, Quirks, texts_body
from services.router.providers.openai_dialect.response import vectors
from services.router.providers.openai_dialect.transport import complete_openai, stream_openai
from services.router.providers.provider import ProviderCall, Traits
from services.router.providers.transport.http import HttpClient, Reply

_DOES_ALL = Traits(stop=True, choices=True)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where it is and how it is paid."""

    name: str
    base_url: str
    api_key: str = ""
    needs_key: bool = False
    stream_usage: bool = True

    def __repr__(self) -> str:
        return f"Upstream({self.name}, {self.base_url})"


class OpenAICompatibleProvider:
    """Speaks to one configured upstream."""

    def __init__(self, upstream: Upstream, http: HttpClient, ids: ToolCallIds, clock: Clock) -> None:
        self.name = upstream.name
        self._upstream = upstream
        self._http = http
        self._clock = clock
        base = upstream.base_url.rstrip("/")
        self._chat_url = URL(f"{base}/chat/completions")
        self._embeddings_url = URL(f"{base}/embeddings")
        quirks = Quirks(provider=upstream.name, asks_for_usage=upstream.stream_usage)
        self._dialect = OpenAIDialect(upstream.name, ids, clock, quirks)

    def traits(self, model: Model) -> Traits:
        """An OpenAI-compatible upstream takes stop and n."""
        return _DOES_ALL

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        body = self._dialect.body(prompt, call.model, call.model.resolved_model, call.dropped, stream=False)
        return await complete_openai(self._dialect, lambda: self._post(self._chat_url, body, call), call)

    async def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made."""
        body = self._dialect.body(prompt, call.model, call.model.resolved_model, call.dropped, stream=True)
        async with self._http.stream(self._chat_url, body, self._headers(call, stream=True)) as reply:
            call.provider_request_id = _request_id(reply.headers.get("x-request-id"))
            async for batch in stream_openai(self._dialect, reply, self._http.line_bytes, prompt, call):
                yield batch

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text."""
        body = texts_body(call.model.resolved_model, texts.texts, texts.dimensions)
        reply = await self._post(self._embeddings_url, body, call)
        if not reply.ok:
            raise error_of(reply.status, reply.headers, reply.body, self._clock)
        made = vectors(reply.body)
        if len(made.values) != len(texts.texts):
            raise failures.broken("The provider made another number of vectors than asked for.")
        return made

    async def _post(self, url: URL, body: bytes, call: ProviderCall) -> Reply:
        reply = await self._http.post(url, body, self._headers(call, stream=False))
        call.provider_request_id = _request_id(reply.headers.get("x-request-id"))
        return reply

    def _headers(self, call: ProviderCall, *, stream: bool) -> dict[str, str]:
        if self._upstream.needs_key and not self._upstream.api_key:
            raise failures.no_credentials(self.name)
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if stream else "application/json",
            **call.headers,
        }
        if self._upstream.api_key:
            headers["Authorization"] = f"Bearer {self._upstream.api_key}"
        if call.request_id:
            headers["X-Request-ID"] = call.request_id
        return headers


def _request_id(value: str | None) -> str:
    return (value or "")[:128]
