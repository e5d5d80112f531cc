"""YandexGPT: the native API where it is exact, the OpenAI-compatible one for models that only live there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Final

from yarl import URL

from servicekit.clock import Clock
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Vectors
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers import failures
from services.router.providers.json_body import encode_body
from services.router.providers.openai_dialect.replies import OpenAIReplies
from services.router.providers.openai_dialect.request import OpenAIRequests
from services.router.providers.parameters import asked_size, check_all_kept, check_size
from services.router.providers.provider import DeferredCalls, ProviderCall, Traits
from services.router.providers.reading import Replies, read_stream, read_vectors, read_whole
from services.router.providers.transport.authorized import AuthorizedHttp
from services.router.providers.transport.http import HttpClient, Reply
from services.router.providers.transport.tls import tls_for
from services.router.providers.yandexgpt.embeddings import PacedEmbeddings
from services.router.providers.yandexgpt.iam import credentials_of
from services.router.providers.yandexgpt.operations import Operations
from services.router.providers.yandexgpt.quirks import QUIRKS
from services.router.providers.yandexgpt.replies import NativeReplies
from services.router.providers.yandexgpt.request import NAME, native_body
from services.router.providers.yandexgpt.settings import YandexSettings
from services.router.providers.yandexgpt.tokenizer import NativeTokenizer
from services.router.slots.line import SlotLine

OPENAI_SURFACE: Final = "openai"
_ALL_EMULATED: Final = Traits(stop=False, choices=False)
_DEFERRING: Final = Traits(stop=False, choices=False, defers=True)
# Some models send only the trace id; Yandex's support asks for either.
_ID_HEADERS: Final = ("x-request-id", "x-server-trace-id")


@dataclass(frozen=True, slots=True)
class YandexLines:
    """The queues that calls wait in; None: unlimited."""

    generations: SlotLine | None = None
    embeddings: SlotLine | None = None
    deferred: SlotLine | None = None


NO_LINES: Final = YandexLines()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A chat call ready to be sent: URL, body, and how its reply is parsed."""

    url: URL
    body: bytes
    replies: Replies


class YandexGPTProvider:
    """The provider Yandex Cloud AI Studio."""

    name = "yandexgpt"

    def __init__(
        self,
        settings: YandexSettings,
        http: HttpClient,
        ids: ToolCallIds,
        clock: Clock,
        deferred: DeferredCalls,
        lines: YandexLines = NO_LINES,
    ) -> None:
        self._settings = settings
        self._line = lines.generations
        self._http = AuthorizedHttp(
            http, credentials_of(settings, http, clock), tls_for(settings.ca_bundle), _ID_HEADERS
        )
        self._ids = ids
        self._embeddings = PacedEmbeddings(lines.embeddings, clock)
        base = settings.base_url.rstrip("/")
        self._completion_url = URL(f"{base}/foundationModels/v1/completion")
        self._embedding_url = URL(f"{base}/foundationModels/v1/textEmbedding")
        self._openai_url = URL(f"{base}/v1/chat/completions")
        self._native_replies = NativeReplies(ids, settings.hold_back_chars, clock)
        self._operations = Operations(
            URL(f"{base}/foundationModels/v1/completionAsync"),
            URL(settings.operations_url.rstrip("/")),
            self._http,
            deferred,
            self._native_replies,
            clock,
            poll_s=settings.operation_poll_s,
            line=lines.deferred,
        )
        self._tokenizer = NativeTokenizer(base, ids, self._uri, self._post, self._native_replies)
        self._openai_requests = OpenAIRequests(NAME, ids, QUIRKS)
        self._openai_replies = OpenAIReplies(ids, clock, QUIRKS)

    def traits(self, model: Model) -> Traits:
        """Neither surface cuts at stop sequences or makes several answers of one call; the native one defers chats."""
        return _ALL_EMULATED if model.surface == OPENAI_SURFACE or model.kind == "embedding" else _DEFERRING

    def tokenizer(self, model: Model) -> NativeTokenizer | None:
        """Return the native API's; it knows the models that live there."""
        return None if model.surface == OPENAI_SURFACE else self._tokenizer

    def slots(self, model: Model) -> SlotLine | None:
        """Return the line of generations; embeddings wait text by text."""
        return None if model.kind == "embedding" else self._line

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        asked = self._asked(prompt, call, stream=False)
        if call.deferral and self.traits(call.model).defers:
            return await self._operations.answer(asked.body, self._headers(call), prompt, call)
        return read_whole(asked.replies, await self._post(asked.url, asked.body, call), prompt, call)

    def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made."""
        asked = self._asked(prompt, call, stream=True)
        opened = partial(self._http.open, asked.url, asked.body, self._headers(call), call)
        return read_stream(asked.replies, opened, prompt, call)

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text: one call each."""
        size = asked_size(texts, call.model, NAME)
        call.dropped.extend(texts.other_json)
        check_all_kept(texts.require_parameters, call.dropped, NAME)
        uri = self._uri(call.model)
        vectors = await self._embeddings.embed(texts.texts, call, lambda text: self._embed_one(text, uri, size, call))
        check_size(texts, vectors, NAME)
        return vectors

    async def _embed_one(self, text: str, uri: str, dimensions: int | None, call: ProviderCall) -> Vectors:
        body = {"modelUri": uri, "text": text}
        if dimensions is not None:
            body["dim"] = str(dimensions)
        return read_vectors(self._native_replies, await self._post(self._embedding_url, encode_body(body), call), 1)

    def _asked(self, prompt: Prompt, call: ProviderCall, *, stream: bool) -> _Asked:
        model, uri = call.model, self._uri(call.model)
        if model.surface == OPENAI_SURFACE:
            body = self._openai_requests.body(prompt, model, uri, call.dropped, stream=stream)
            check_all_kept(prompt.require_parameters, call.dropped, NAME)
            return _Asked(self._openai_url, body, self._openai_replies)
        native = native_body(prompt, model, uri, self._ids, call.dropped, stream=stream)
        check_all_kept(prompt.require_parameters, call.dropped, NAME)
        return _Asked(self._completion_url, encode_body(native), self._native_replies)

    async def _post(self, url: URL, body: bytes, call: ProviderCall) -> Reply:
        return await self._http.post(url, lambda: body, self._headers(call), call)

    def _headers(self, call: ProviderCall) -> dict[str, str]:
        headers = {
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
