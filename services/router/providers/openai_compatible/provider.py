"""Any upstream that speaks the OpenAI dialect, by configuration."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from functools import partial
from typing import Final

from yarl import URL

from servicekit.clock import Clock
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.json_body import texts_body
from services.router.providers.openai_dialect.function_names import (
    aliases_of,
    as_openai_takes,
    name_back,
    named_back,
    renamed,
)
from services.router.providers.openai_dialect.quirks import Quirks
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.providers.openai_dialect.request import OpenAIRequests
from services.router.providers.parameters import check_all_kept
from services.router.providers.provider import ProviderCall, Traits
from services.router.providers.reading import read_stream, read_vectors, read_whole
from services.router.providers.transport.authorized import AuthorizedHttp
from services.router.providers.transport.credentials import Credentials, FixedHeader, NoCredentials
from services.router.providers.transport.http import HttpClient, Reply
from services.router.slots.line import SlotLine

_DOES_ALL: Final = Traits(stop=True, choices=True)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Address and credentials of an upstream."""

    name: str
    base_url: str
    api_key: str = ""
    needs_key: bool = False
    stream_usage: bool = True
    concurrency: int = 0
    """Calls at once under its key; 0: as many as come."""
    max_tokens_parameter: str = "max_tokens"
    reasoning_parameter: str = ""
    tool_call_id_length: int = 0

    def __repr__(self) -> str:
        return f"Upstream({self.name}, {self.base_url})"


class OpenAICompatibleProvider:
    """The provider for one configured upstream."""

    def __init__(
        self, upstream: Upstream, http: HttpClient, ids: ToolCallIds, clock: Clock, line: SlotLine | None = None
    ) -> None:
        self.name = upstream.name
        self._line = line
        self._http = AuthorizedHttp(http, _credentials(upstream))
        base = upstream.base_url.rstrip("/")
        self._chat_url = URL(f"{base}/chat/completions")
        self._embeddings_url = URL(f"{base}/embeddings")
        quirks = Quirks(
            provider=upstream.name,
            asks_for_usage=upstream.stream_usage,
            longest_answer=upstream.max_tokens_parameter,
            thoughts=upstream.reasoning_parameter,
            call_id_length=upstream.tool_call_id_length,
        )
        self._requests = OpenAIRequests(upstream.name, ids, quirks)
        self._replies = OpenAIReplies(ids, clock, quirks)

    def traits(self, model: Model) -> Traits:
        """An OpenAI-compatible upstream takes stop and n."""
        return _DOES_ALL

    def tokenizer(self, model: Model) -> None:
        """OpenAI's dialect has no call that counts."""
        return

    def slots(self, model: Model) -> SlotLine | None:
        """Return the upstream's line, if its entry names a limit."""
        return self._line

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        aliases = aliases_of(prompt, as_openai_takes)
        told = renamed(prompt, aliases)
        body = self._body(told, call, stream=False)
        answer = read_whole(self._replies, await self._post(self._chat_url, body, call), told, call)
        for choice in answer.choices:
            name_back(choice.tool_calls, aliases)
        return answer

    def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made."""
        aliases = aliases_of(prompt, as_openai_takes)
        told = renamed(prompt, aliases)
        body = self._body(told, call, stream=True)
        opened = partial(self._http.open, self._chat_url, body, _headers(call, "text/event-stream"), call)
        batches = read_stream(self._replies, opened, told, call)
        return named_back(batches, aliases) if aliases else batches

    def _body(self, prompt: Prompt, call: ProviderCall, *, stream: bool) -> bytes:
        body = self._requests.body(prompt, call.model, call.model.resolved_model, call.dropped, stream=stream)
        check_all_kept(prompt.require_parameters, call.dropped, self.name)
        return body

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text."""
        body = texts_body(call.model.resolved_model, texts.texts, texts.dimensions, texts.other_json)
        return read_vectors(self._replies, await self._post(self._embeddings_url, body, call), len(texts.texts))

    def _post(self, url: URL, body: bytes, call: ProviderCall) -> Awaitable[Reply]:
        return self._http.post(url, lambda: body, _headers(call, "application/json"), call)


def _credentials(upstream: Upstream) -> Credentials:
    if upstream.needs_key and not upstream.api_key:
        return NoCredentials(upstream.name)
    return FixedHeader(f"Bearer {upstream.api_key}" if upstream.api_key else "")


def _headers(call: ProviderCall, accept: str) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": accept, **call.headers}
    if call.request_id:
        headers["X-Request-ID"] = call.request_id
    return headers
