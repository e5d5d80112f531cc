"""GigaChat, API v1: OAuth tokens, functions, SSE, files."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from yarl import URL

from servicekit.clock import Clock
from servicekit.errors import NotFound, ServiceError
from servicekit.lifecycle import Background
from services.router.domain.catalog import Model
from services.router.domain.completion import Answer, Batch, EmbeddingInput, Prompt, Tool, ToolCall, Usage, Vectors
from services.router.domain.file_id import FileIds
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers.gigachat.attached.files import Attached, fetched, files_of, upload
from services.router.providers.gigachat.batches import Batches
from services.router.providers.gigachat.file_store import GigaChatFiles
from services.router.providers.gigachat.function_names import as_taken
from services.router.providers.gigachat.instructions import check_second, is_instructed, obeys
from services.router.providers.gigachat.made_files import MadeFiles
from services.router.providers.gigachat.messages import NAME
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.gigachat.request import body_of
from services.router.providers.gigachat.session import HEADER as SESSION
from services.router.providers.gigachat.session import SessionIds
from services.router.providers.gigachat.settings import CORPORATE, GigaChatSettings
from services.router.providers.gigachat.token import certificate_of, credentials_of
from services.router.providers.gigachat.tokenizer import GigaChatTokenizer
from services.router.providers.gigachat.tool_arguments import turn_back
from services.router.providers.json_body import encode_body, texts_body
from services.router.providers.openai_dialect.function_names import Aliases, aliases_of, name_back, renamed
from services.router.providers.parameters import asked_size, check_all_kept, check_size
from services.router.providers.provider import DeferredCalls, FileStore, ProviderCall, Traits
from services.router.providers.reading import as_batch, read_stream, read_vectors, read_whole
from services.router.providers.transport.access_token import TokenShare
from services.router.providers.transport.authorized import AuthorizedHttp
from services.router.providers.transport.credentials import AUTHORIZATION
from services.router.providers.transport.http import HttpClient, Reply
from services.router.providers.transport.tls import tls_for
from services.router.providers.transport.web_images import Picture, WebImages
from services.router.slots.line import SlotLine

log = structlog.get_logger()

_ALL_EMULATED: Final = Traits(stop=False, choices=False, schemas=False)
_DEFERRING: Final = replace(_ALL_EMULATED, defers=True)


class GigaChatProvider:
    """The provider GigaChat."""

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
        images: WebImages,
        file_ids: FileIds,
        deferred: DeferredCalls,
        line: SlotLine | None = None,
    ) -> None:
        self._client = http
        self._line = line
        self._images = images
        self._file_ids = file_ids
        self._tls = _tls(settings)
        self._credentials = credentials_of(settings, http, self._tls, share, clock, new_id)
        self._http = AuthorizedHttp(http, self._credentials, self._tls)
        self._ids = ids
        self._sessions = SessionIds(settings.credentials.get_secret_value())
        self._replies = GigaChatReplies(ids, clock)
        self._vector_replies = GigaChatReplies(ids, clock, indexed="input")
        self._tasks = tasks
        self._tokenizer = GigaChatTokenizer(settings.base_url.rstrip("/"), ids, self._post, self._replies)
        base = settings.base_url.rstrip("/")
        self._chat_url = URL(f"{base}/chat/completions")
        self._embeddings_url = URL(f"{base}/embeddings")
        self._files_url = URL(f"{base}/files")
        self._defers = settings.scope == CORPORATE
        self._batches = Batches(
            URL(f"{base}/batches"),
            self._files_url,
            self._http,
            deferred,
            self._replies,
            clock,
            tasks,
            gather_s=settings.batch_gather_s,
            poll_s=settings.batch_poll_s,
        )
        self.files = GigaChatFiles(self._http, self._files_url, self._replies)
        self.files_of_all: FileStore | None = None
        """Those of other keys, too, when there are some: each key sees its own only."""

    def traits(self, model: Model) -> Traits:
        """API v1 has neither stop sequences nor several answers of one call, and a schema dialect of its own.

        Only corporate keys may have chats answered later.
        """
        return _DEFERRING if self._defers and model.kind == "chat" else _ALL_EMULATED

    def tokenizer(self, model: Model) -> GigaChatTokenizer:
        """Return API v1's, which counts plain texts for every model."""
        return self._tokenizer

    def slots(self, model: Model) -> SlotLine | None:
        """Return the line of answers; embeddings are no streams."""
        return None if model.kind == "embedding" else self._line

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        aliases = aliases_of(prompt, as_taken)
        answer = await self._whole(renamed(prompt, aliases), call)
        for choice in answer.choices:
            as_caller_knows(choice.tool_calls, prompt.tools, aliases)
            if choice.content:
                choice.content = MadeFiles(self._file_ids, prompt.tenant).feed(choice.content, is_last=True)
        return answer

    async def _whole(self, prompt: Prompt, call: ProviderCall) -> Answer:
        session = self._sessions.of(prompt, call.model)
        async with self._body(prompt, call, stream=False) as body:
            answer = await self._ask(body, session, prompt, call)
            if obeys(prompt, answer):
                return answer
            # The instruction was not obeyed: one more try.
            call.deferral = call.deferral and f"{call.deferral}~2"
            second = await self._ask(body, session, prompt, call)
        check_second(prompt, second, call.dropped)
        return Answer(second.choices, _sum(answer.usage, second.usage))

    async def _ask(self, body: bytes, session: str, prompt: Prompt, call: ProviderCall) -> Answer:
        if call.deferral and self._defers:
            return await self._batches.answer(body, _json_headers(call), prompt, call)
        reply = await self._http.post(self._chat_url, lambda: body, _chat_headers(call, session), call)
        return read_whole(self._replies, reply, prompt, call)

    async def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made; one that must obey an instruction is checked first, so it comes whole."""
        if is_instructed(prompt):
            call.comes_whole()
            yield as_batch(await self.complete(prompt, call))
            return
        aliases = aliases_of(prompt, as_taken)
        told = renamed(prompt, aliases)
        headers = _chat_headers(call, self._sessions.of(told, call.model))
        headers |= {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        made = MadeFiles(self._file_ids, prompt.tenant)
        async with self._body(told, call, stream=True) as body:
            opened = partial(self._http.open, self._chat_url, body, headers, call)
            async with aclosing(read_stream(self._replies, opened, told, call)) as batches:
                async for batch in batches:
                    for delta in batch.deltas:
                        as_caller_knows(delta.tool_calls, prompt.tools, aliases)
                        delta.content = made.feed(delta.content, is_last=delta.finish_reason is not None)
                    yield batch

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text."""
        asked_size(texts, call.model, NAME)
        call.dropped.extend(texts.other_json)
        check_all_kept(texts.require_parameters, call.dropped, NAME)
        body = texts_body(call.model.resolved_model, texts.texts, None, {})
        reply = await self._post(self._embeddings_url, body, call)
        made = read_vectors(self._vector_replies, reply, len(texts.texts))
        check_size(texts, made, NAME)
        return made

    @asynccontextmanager
    async def _body(self, prompt: Prompt, call: ProviderCall, *, stream: bool) -> AsyncIterator[bytes]:
        """Yield the request body; files it needs lie at the provider meanwhile."""

        async def post(form: Callable[[], Any]) -> Reply:
            return await self._http.post(self._files_url, form, _headers(call), call)

        files = files_of(prompt) if any(message.parts for message in prompt.messages) else []
        ready = await fetched(
            files,
            partial(self._images.fetch, whose=prompt.tenant),
            lambda file_id: self._file_ids.decode(prompt.tenant, file_id),
            self._elsewhere,
        )
        attachments = Attached()
        try:
            await upload(ready, attachments, post, self._replies)
            there = attachments.by_message
            body = body_of(prompt, call.model, there, self._ids, call.dropped, stream=stream)
            check_all_kept(prompt.require_parameters, call.dropped, NAME)
            yield encode_body(body)
        finally:
            if attachments.made:
                self._tasks.start(self._delete(attachments.made), name="gigachat.delete_files")

    async def _elsewhere(self, file: UUID) -> Picture | None:
        """Return a file that lies under another key; None: it lies under this one, or there is no other."""
        if self.files_of_all is None:
            return None
        try:
            await self.files.describe(file)
        except NotFound:
            found = await self.files_of_all.content(file)
            return Picture(found.mime, found.content)
        return None

    async def _delete(self, file_ids: Sequence[str]) -> None:
        for file_id in file_ids:
            try:
                header = await self._credentials.header()
                headers = {AUTHORIZATION: header} if header else {}
                await self._client.post_briefly(self._files_url / file_id / "delete", b"", headers, self._tls)
            except ServiceError as exc:
                # The caller has the answer; what stays behind is for a person to see.
                log.warning("gigachat.file_not_deleted", file_id=file_id, reason=exc.reason.value)

    async def _post(self, url: URL, body: bytes, call: ProviderCall) -> Reply:
        return await self._http.post(url, lambda: body, _json_headers(call), call)


def _tls(settings: GigaChatSettings) -> ssl.SSLContext | bool:
    """Return whom we trust and who we are.

    Raises:
        SystemExit: a file is not what it should be.
    """
    try:
        return tls_for(settings.ca_bundle, certificate_of(settings))
    except OSError as exc:
        files = "ROUTER_GIGACHAT_CA_BUNDLE, ROUTER_GIGACHAT_CERT_FILE, ROUTER_GIGACHAT_KEY_FILE"
        raise SystemExit(f"{files}: a file is no PEM file, or the key is another certificate's: {exc}") from exc


def _headers(call: ProviderCall) -> dict[str, str]:
    headers = {"Accept": "application/json", **call.headers}
    if call.request_id:
        headers["X-Request-ID"] = call.request_id
    return headers


def _json_headers(call: ProviderCall) -> dict[str, str]:
    return _headers(call) | {"Content-Type": "application/json"}


def _chat_headers(call: ProviderCall, session: str) -> dict[str, str]:
    return _json_headers(call) | ({SESSION: session} if session else {})


def as_caller_knows(calls: Sequence[ToolCall], tools: Sequence[Tool], aliases: Aliases) -> None:
    """Give calls the names and the types of arguments that the caller's tools have, in place."""
    if calls:
        name_back(calls, aliases)
        turn_back(calls, tools)


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    return one + other if one is not None and other is not None else None
