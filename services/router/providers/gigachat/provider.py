"""GigaChat, API v1: OAuth tokens, functions, SSE, files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from yarl import URL

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from servicekit.lifecycle import Background
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Usage, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers import failures
from services.router.providers.gigachat.files import files_of, uploaded
from services.router.providers.gigachat.messages import NAME
from services.router.providers.gigachat.request import body_of
from services.router.providers.gigachat.response import SseStream, error_of, vectors, whole_answer
from services.router.providers.gigachat.token import GigaChatTokens
from services.router.providers.openai_dialect.request import texts_body
from services.router.providers.openai_dialect.transport import as_batch
from services.router.providers.provider import ProviderCall, Traits
from services.router.providers.transport.access_token import TokenShare
from services.router.providers.transport.http import HttpClient, OpenReply, Reply, tls_for
from services.router.providers.transport.sse import SseDecoder
from services.router.providers.yandexgpt.request import encode_body
from services.router.settings import GigaChatSettings

log = structlog.get_logger()

_ALL_EMULATED: Final = Traits(stop=False, choices=False)
_FENCE: Final = "```"


class GigaChatProvider:
    """Speaks to GigaChat."""

    name = "gigachat"

    def __init__(
        self,
        settings: GigaChatSettings,
        http: HttpClient,
        ids: ToolCallIds,
        share: TokenShare,
        tasks: Background,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._http = http
        self._ids = ids
        self._tasks = tasks
        self._clock = clock
        self._tls = tls_for(settings.ca_bundle)
        self._tokens = GigaChatTokens(settings, http, self._tls, share, clock, new_id)
        base = settings.base_url.rstrip("/")
        self._chat_url = URL(f"{base}/chat/completions")
        self._embeddings_url = URL(f"{base}/embeddings")
        self._files_url = URL(f"{base}/files")

    def traits(self, model: Model) -> Traits:
        """API v1 has neither stop sequences nor several answers of one call."""
        return _ALL_EMULATED

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        async with self._body(prompt, call, stream=False) as body:
            answer = await self._ask(body, call)
            if not _wants_json(prompt) or _is_json(answer):
                return answer
            # The instruction was not obeyed: one more try, then it is the model's failure.
            call.dropped.clear()
            second = await self._ask(body, call)
        if not _is_json(second):
            raise failures.broken("The model did not answer with a JSON object.")
        return replace(second, usage=_sum(answer.usage, second.usage))

    async def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made; one that must be JSON is checked first, so it comes whole."""
        if _wants_json(prompt):
            answer = await self.complete(prompt, call)
            yield as_batch(answer)
            return
        events = SseDecoder(self._http.line_bytes)
        stream = SseStream(self._ids, self._clock)
        async with self._body(prompt, call, stream=True) as body, self._opened(body, call) as reply:
            if not reply.ok:
                raise error_of(reply.status, reply.headers, await reply.error_body(), self._clock)
            while not stream.done:
                chunk = await reply.read()
                batch = stream.feed(events.feed(chunk) if chunk else events.finish())
                if batch is not None:
                    reply.progressed()
                    call.fingerprint = stream.fingerprint
                    yield batch
                if stream.failure is not None:
                    raise stream.failure
                if not chunk and not stream.finished:
                    raise failures.broken("The provider's answer broke off.")
                if not chunk:
                    return
            await reply.linger()

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text."""
        if texts.dimensions is not None:
            raise failures.unsupported("dimensions", NAME)
        call.dropped.extend(name for name in texts.other_json if name != "encoding_format")
        body = texts_body(call.model.resolved_model, texts.texts, None)
        reply = await self._post(self._embeddings_url, lambda: body, call)
        if not reply.ok:
            raise error_of(reply.status, reply.headers, reply.body, self._clock)
        made = vectors(reply.body)
        if len(made.values) != len(texts.texts):
            raise failures.broken("The provider made another number of vectors than asked for.")
        return made

    async def _ask(self, body: bytes, call: ProviderCall) -> Answer:
        reply = await self._post(self._chat_url, lambda: body, call)
        if not reply.ok:
            raise error_of(reply.status, reply.headers, reply.body, self._clock)
        answer, call.fingerprint = whole_answer(reply.body, self._ids, self._clock)
        return answer

    @asynccontextmanager
    async def _body(self, prompt: Prompt, call: ProviderCall, *, stream: bool) -> AsyncIterator[bytes]:
        """Yield the request body; files it needs lie at the provider meanwhile."""
        files = files_of(prompt) if any(message.parts for message in prompt.messages) else []
        attachments = await uploaded(
            files, self._files_url, lambda url, data: self._post(url, data, call, json=False), self._clock
        )
        try:
            yield encode_body(body_of(prompt, call.model, attachments, self._ids, call.dropped, stream=stream))
        finally:
            if attachments:
                ids = [file_id for several in attachments.values() for file_id in several]
                self._tasks.start(self._delete(ids), name="gigachat.delete_files")

    async def _delete(self, file_ids: Sequence[str]) -> None:
        try:
            headers = {"Authorization": f"Bearer {await self._tokens.get()}"}
            for file_id in file_ids:
                await self._http.post_briefly(self._files_url / file_id / "delete", b"", headers, self._tls)
        except ServiceError as exc:
            # The caller has the answer; what stays behind is for a person to see.
            log.warning("gigachat.files_not_deleted", files=len(file_ids), reason=exc.reason.value)

    async def _post(self, url: URL, data: Callable[[], Any], call: ProviderCall, *, json: bool = True) -> Reply:
        """Send `data()`; a refused token is renewed once and the call replayed once."""
        token = await self._tokens.get()
        reply = await self._http.post(url, data(), _headers(call, token, json), self._tls)
        if reply.status == 401:
            token = await self._tokens.renew(token)
            reply = await self._http.post(url, data(), _headers(call, token, json), self._tls)
        call.provider_request_id = _request_id(reply)
        return reply

    @asynccontextmanager
    async def _opened(self, body: bytes, call: ProviderCall) -> AsyncIterator[OpenReply]:
        token = await self._tokens.get()
        async with self._http.stream(self._chat_url, body, _stream_headers(call, token), self._tls) as reply:
            if reply.status != 401:
                call.provider_request_id = _request_id(reply)
                yield reply
                return
        token = await self._tokens.renew(token)
        async with self._http.stream(self._chat_url, body, _stream_headers(call, token), self._tls) as reply:
            call.provider_request_id = _request_id(reply)
            yield reply


def _headers(call: ProviderCall, token: str, json: bool) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", **call.headers}
    if json:
        headers["Content-Type"] = "application/json"
    if call.request_id:
        headers["X-Request-ID"] = call.request_id
    return headers


def _stream_headers(call: ProviderCall, token: str) -> dict[str, str]:
    return {**_headers(call, token, True), "Accept": "text/event-stream", "Cache-Control": "no-store"}


def _request_id(reply: Reply | OpenReply) -> str:
    return (reply.headers.get("x-request-id") or "")[:128]


def _wants_json(prompt: Prompt) -> bool:
    return prompt.response_format is not None and prompt.response_format.type == "json_object"


def _is_json(answer: Answer) -> bool:
    """Tell whether the answer is an object of JSON (a call is fine too); takes a markdown fence off."""
    choice = answer.choices[0]
    if choice.tool_calls:
        return True
    text = (choice.content or "").strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        text = text.removeprefix(_FENCE).removeprefix("json").removesuffix(_FENCE).strip()
    try:
        is_object = isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    if is_object:
        choice.content = text
    return is_object


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    return one + other if one is not None and other is not None else None
