"""YandexGPT: the native API where it is exact, the OpenAI-compatible one for models that only live there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from yarl import URL

from servicekit.clock import Clock
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Usage, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers import failures
from services.router.providers.openai_dialect.request import OpenAIDialect, Quirks
from services.router.providers.openai_dialect.transport import complete_openai, stream_openai
from services.router.providers.parallel import in_parallel
from services.router.providers.provider import ProviderCall, Traits
from services.router.providers.transport.http import HttpClient, OpenReply, Reply, tls_for
from services.router.providers.transport.lines import LineBuffer
from services.router.providers.yandexgpt.iam import YandexCredentials
from services.router.providers.yandexgpt.request import NAME, encode_body, native_body
from services.router.providers.yandexgpt.response import NativeStream, error_of, vector, whole_answer
from services.router.settings import YandexSettings

# The default quota is 10 a second; more at once would only earn refusals.
EMBEDDINGS_AT_ONCE: Final = 8
OPENAI_SURFACE: Final = "openai"
_ALL_EMULATED: Final = Traits(stop=False, choices=False)


class YandexGPTProvider:
    """Speaks to Yandex Cloud AI Studio."""

    name = "yandexgpt"

    def __init__(self, settings: YandexSettings, http: HttpClient, ids: ToolCallIds, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._ids = ids
        self._credentials = YandexCredentials(settings, http, clock)
        self._tls = tls_for(settings.ca_bundle)
        base = settings.base_url.rstrip("/")
        self._completion_url = URL(f"{base}/foundationModels/v1/completion")
        self._embedding_url = URL(f"{base}/foundationModels/v1/textEmbedding")
        self._openai_url = URL(f"{base}/v1/chat/completions")
        self._dialect = OpenAIDialect(NAME, ids, clock, Quirks.yandex())

    def traits(self, model: Model) -> Traits:
        """Neither surface cuts at stop sequences or makes several answers of one call."""
        return _ALL_EMULATED

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        if call.model.surface == OPENAI_SURFACE:
            body = self._dialect.body(prompt, call.model, self._uri(call.model), call.dropped, stream=False)
            return await complete_openai(self._dialect, lambda: self._post(self._openai_url, body, call), call)
        body = encode_body(
            native_body(prompt, call.model, self._uri(call.model), self._ids, call.dropped, stream=False)
        )
        reply = await self._post(self._completion_url, body, call)
        if not reply.ok:
            raise error_of(reply.status, reply.body)
        answer, call.fingerprint = whole_answer(reply.body, self._ids)
        return answer

    def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made."""
        openai = call.model.surface == OPENAI_SURFACE
        return self._openai_stream(prompt, call) if openai else self._native_stream(prompt, call)

    async def _openai_stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        body = self._dialect.body(prompt, call.model, self._uri(call.model), call.dropped, stream=True)
        async with self._opened(self._openai_url, body, call) as reply:
            async for batch in stream_openai(self._dialect, reply, self._http.line_bytes, prompt, call):
                yield batch

    async def _native_stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        uri = self._uri(call.model)
        body = encode_body(native_body(prompt, call.model, uri, self._ids, call.dropped, stream=True))
        lines = LineBuffer(self._http.line_bytes)
        stream = NativeStream(self._ids, self._settings.hold_back_chars)
        async with self._opened(self._completion_url, body, call) as reply:
            if not reply.ok:
                raise error_of(reply.status, await reply.error_body())
            while not stream.finished:
                chunk = await reply.read()
                batch = stream.feed(lines.feed(chunk) if chunk else [lines.finish()])
                if batch is not None:
                    reply.progressed()
                    call.fingerprint = stream.fingerprint
                    yield batch
                if stream.failure is not None:
                    raise stream.failure
                if not chunk and not stream.finished:
                    raise failures.broken("The provider's answer broke off.")
            await reply.linger()

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text: one call each."""
        if texts.dimensions is not None and "dimensions" not in call.model.supported_parameters:
            raise failures.unsupported("dimensions", NAME, "this model has a fixed size")
        call.dropped.extend(name for name in texts.other_json if name != "encoding_format")
        uri = self._uri(call.model)
        made = await in_parallel([self._embed_one(text, uri, texts, call) for text in texts.texts], EMBEDDINGS_AT_ONCE)
        return Vectors([values for values, _ in made], Usage(sum(tokens for _, tokens in made), 0))

    async def _embed_one(
        self, text: str, uri: str, texts: EmbeddingInput, call: ProviderCall
    ) -> tuple[list[float], int]:
        body = {"modelUri": uri, "text": text}
        if texts.dimensions is not None:
            body["dim"] = str(texts.dimensions)
        reply = await self._post(self._embedding_url, encode_body(body), call)
        if not reply.ok:
            raise error_of(reply.status, reply.body)
        return vector(reply.body)

    async def _post(self, url: URL, body: bytes, call: ProviderCall) -> Reply:
        headers = await self._headers(call)
        reply = await self._http.post(url, body, headers, self._tls)
        if reply.status == 401 and self._credentials.renewable:
            headers["Authorization"] = await self._credentials.renewed(headers["Authorization"])
            reply = await self._http.post(url, body, headers, self._tls)
        call.provider_request_id = _request_id(reply)
        return reply

    @asynccontextmanager
    async def _opened(self, url: URL, body: bytes, call: ProviderCall) -> AsyncIterator[OpenReply]:
        headers = await self._headers(call)
        async with self._http.stream(url, body, headers, self._tls) as reply:
            if not (reply.status == 401 and self._credentials.renewable):
                call.provider_request_id = _request_id(reply)
                yield reply
                return
        headers["Authorization"] = await self._credentials.renewed(headers["Authorization"])
        async with self._http.stream(url, body, headers, self._tls) as reply:
            call.provider_request_id = _request_id(reply)
            yield reply

    async def _headers(self, call: ProviderCall) -> dict[str, str]:
        headers = {
            "Authorization": await self._credentials.header(),
            "Content-Type": "application/json",
            "x-folder-id": self._settings.folder_id,
            "OpenAI-Project": self._settings.folder_id,
            "x-data-logging-enabled": "true" if self._settings.data_logging else "false",
            **call.headers,
        }
        if call.request_id:
            headers["x-client-request-id"] = call.request_id
        return headers

    def _uri(self, model: Model) -> str:
        if "://" in model.resolved_model:
            return model.resolved_model
        if not self._settings.folder_id:
            raise failures.no_credentials("YandexGPT (the folder is missing)")
        scheme = "emb" if model.kind == "embedding" else "gpt"
        return f"{scheme}://{self._settings.folder_id}/{model.resolved_model}"


def _request_id(reply: Reply | OpenReply) -> str:
    """Return what Yandex's support asks for; some models send only the trace id."""
    return (reply.headers.get("x-request-id") or reply.headers.get("x-server-trace-id") or "")[:128]
