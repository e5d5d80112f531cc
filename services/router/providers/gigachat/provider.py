"""GigaChat, API v1: OAuth tokens, functions, SSE, files."""

from __future__ import annotations

import ssl
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
from services.router.domain.file_id import FileIds
from services.router.domain.tool_call_id import ToolCallIds
from services.router.providers import failures
from services.router.providers.gigachat.file_store import GigaChatFiles
from services.router.providers.gigachat.files import fetched, files_of, uploaded
from services.router.providers.gigachat.made_files import MadeFiles
from services.router.providers.gigachat.messages import NAME
from services.router.providers.gigachat.replies import GigaChatReplies
from services.router.providers.gigachat.request import body_of
from services.router.providers.gigachat.settings import GigaChatSettings
from services.router.providers.gigachat.token import certificate_of, credentials_of
from services.router.providers.gigachat.tool_arguments import turn_back
from services.router.providers.json_body import encode_body, texts_body
from services.router.providers.provider import ProviderCall, Traits
from services.router.providers.reading import as_batch, read_stream, read_vectors, read_whole
from services.router.providers.transport.access_token import TokenShare
from services.router.providers.transport.authorized import AUTHORIZATION, AuthorizedHttp
from services.router.providers.transport.http import HttpClient, Reply
from services.router.providers.transport.tls import tls_for
from services.router.providers.transport.web_images import WebImages

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
        images: WebImages,
        file_ids: FileIds,
    ) -> None:
        self._client = http
        self._images = images
        self._file_ids = file_ids
        self._tls = _tls(settings)
        self._credentials = credentials_of(settings, http, self._tls, share, clock, new_id)
        self._http = AuthorizedHttp(http, self._credentials, self._tls)
        self._ids = ids
        self._replies = GigaChatReplies(ids, clock)
        self._vector_replies = GigaChatReplies(ids, clock, indexed="input")
        self._tasks = tasks
        base = settings.base_url.rstrip("/")
        self._chat_url = URL(f"{base}/chat/completions")
        self._embeddings_url = URL(f"{base}/embeddings")
        self._files_url = URL(f"{base}/files")
        self.files = GigaChatFiles(self._http, self._files_url, self._replies)

    def traits(self, model: Model) -> Traits:
        """API v1 has neither stop sequences nor several answers of one call."""
        return _ALL_EMULATED

    async def complete(self, prompt: Prompt, call: ProviderCall) -> Answer:
        """Return the whole answer."""
        answer = await self._whole(prompt, call)
        for choice in answer.choices:
            turn_back(choice.tool_calls, prompt.tools)
            if choice.content:
                choice.content = MadeFiles(self._file_ids, prompt.owner).feed(choice.content, is_last=True)
        return answer

    async def _whole(self, prompt: Prompt, call: ProviderCall) -> Answer:
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

    async def _ask(self, body: bytes, call: ProviderCall) -> Answer:
        return read_whole(self._replies, await self._post(self._chat_url, body, call), call)

    async def stream(self, prompt: Prompt, call: ProviderCall) -> AsyncGenerator[Batch, None]:
        """Yield the answer as it is made; one that must be JSON is checked first, so it comes whole."""
        if _wants_json(prompt):
            yield as_batch(await self.complete(prompt, call))
            return
        headers = _json_headers(call) | {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        async with (
            self._body(prompt, call, stream=True) as body,
            self._http.stream(self._chat_url, body, headers, call) as reply,
        ):
            made = MadeFiles(self._file_ids, prompt.owner)
            async for batch in read_stream(self._replies, reply, prompt, call):
                for delta in batch.deltas:
                    turn_back(delta.tool_calls, prompt.tools)
                    delta.content = made.feed(delta.content, is_last=delta.finish_reason is not None)
                yield batch

    async def embed(self, texts: EmbeddingInput, call: ProviderCall) -> Vectors:
        """Return one vector for each text."""
        if texts.dimensions is not None:
            raise failures.unsupported("dimensions", NAME)
        call.dropped.extend(name for name in texts.other_json if name != "encoding_format")
        body = texts_body(call.model.resolved_model, texts.texts, None)
        return read_vectors(self._vector_replies, await self._post(self._embeddings_url, body, call), len(texts.texts))

    @asynccontextmanager
    async def _body(self, prompt: Prompt, call: ProviderCall, *, stream: bool) -> AsyncIterator[bytes]:
        """Yield the request body; files it needs lie at the provider meanwhile."""

        async def post(form: Callable[[], Any]) -> Reply:
            return await self._http.post(self._files_url, form, _headers(call), call)

        files = files_of(prompt) if any(message.parts for message in prompt.messages) else []
        ready = await fetched(files, self._images.fetch, lambda file_id: self._file_ids.decode(prompt.owner, file_id))
        attachments = await uploaded(ready, post, self._replies)
        try:
            yield encode_body(
                body_of(prompt, call.model, attachments.by_message, self._ids, call.dropped, stream=stream)
            )
        finally:
            if attachments.made:
                self._tasks.start(self._delete(attachments.made), name="gigachat.delete_files")

    async def _delete(self, file_ids: Sequence[str]) -> None:
        try:
            header = await self._credentials.header()
            headers = {AUTHORIZATION: header} if header else {}
            for file_id in file_ids:
                await self._client.post_briefly(self._files_url / file_id / "delete", b"", headers, self._tls)
        except ServiceError as exc:
            # The caller has the answer; what stays behind is for a person to see.
            log.warning("gigachat.files_not_deleted", files=len(file_ids), reason=exc.reason.value)

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
