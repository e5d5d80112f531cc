"""The routes of the Yandex listener: native REST, IAM, metadata, operations; `/v1` is in `openai_surface`."""

from collections.abc import Callable, Container
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from emulator.core import Call, Core, Surface
from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Ask
from emulator.toy_model.embedding import vector
from emulator.wire.replies import RefusalError, Reply
from emulator.yandex.auth import Unauthenticated, YandexAccess
from emulator.yandex.errors import error_body, exceeded
from emulator.yandex.models import CLASSIFIERS, EMBEDDERS, MODELS, PAINTERS, ModelUri, parse_uri
from emulator.yandex.native_format import (
    MODEL_VERSION,
    InvalidRequestError,
    read_request,
    request_pieces,
    response,
    stream_lines,
)

_NATIVE: Final = "POST /foundationModels/v1/"
_KNOWN: Final[dict[str, Container[str]]] = {"gpt": MODELS, "emb": EMBEDDERS, "cls": CLASSIFIERS, "art": PAINTERS}


class Dialogue(Protocol):
    """Answers messages while they come."""

    def hear(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Take a message; return those to send by now."""

    def end(self) -> list[dict[str, Any]]:
        """Return the messages that are due when no more come."""


class YandexSurface(Surface):
    """Everything that answers under Yandex's hosts."""

    provider = "yandex"

    def __init__(self, core: Core, access: YandexAccess) -> None:
        """Register the native routes."""
        super().__init__(core)
        self.access = access
        # Where the plain HTTP listener is, for addresses that answers give; known once it listens.
        self.address = ""
        # Path of a method that hears many messages -> who answers them, made for each call.
        self.dialogues: dict[str, Callable[[Call], Dialogue]] = {}
        self.routes = {
            _NATIVE + "completion": ("chat", self.completion),
            _NATIVE + "tokenize": ("tokenize", self.tokenize),
            _NATIVE + "tokenizeCompletion": ("tokenize", self.tokenize_completion),
            _NATIVE + "textEmbedding": ("embeddings", self.text_embedding),
        }

    def headers(self, call: Call) -> bytes:
        """Return the headers that support would ask for; the client's own id is echoed."""
        request_id = self.core.new_id().encode()
        client_id = call.received.header("x-client-request-id")
        echo = b"" if client_id is None else b"x-client-request-id: %b\r\n" % client_id.encode("latin-1", "replace")
        return b"server: ycalb\r\nx-request-id: %b\r\nx-server-trace-id: %b:1\r\n%b" % (request_id, request_id, echo)

    def error(self, call: Call, code: int, message: str | None = None) -> Reply:
        """Return a native error."""
        return Reply([error_body(code, message)], code, headers=self.headers(call))

    def refuse(self, call: Call, code: int, message: str | None = None) -> RefusalError:
        """Return the exception that ends a call with this error."""
        return RefusalError(self.error(call, code, message))

    def bad_json(self, call: Call) -> Reply:
        """Answer a body that is no JSON."""
        return self.error(call, 400, "Request is malformed: invalid JSON")

    def unknown_path(self, call: Call) -> Reply:
        """Answer as the balancer does: plain text."""
        return Reply([b"404 page not found\n"], 404, b"text/plain; charset=utf-8", b"server: ycalb\r\n")

    def authenticate(self, call: Call, *, keys_as_bearer: bool = False) -> str | None:
        """Return the caller's folder (None: any) or refuse with 401."""
        authorization = call.received.header("authorization")
        entry = call.entry
        entry.request_id = call.received.header("x-client-request-id")
        call.note_credential(authorization or "")
        try:
            return self.access.folder_of(authorization, keys_as_bearer=keys_as_bearer)
        except Unauthenticated as reason:
            raise self.refuse(call, 401, str(reason)) from None

    def check_folder(self, call: Call, folder: str | None, *named: str | None) -> None:
        """Refuse when a folder named in URI or header is not the caller's."""
        for other in named:
            if folder is not None and other is not None and other != folder:
                text = f"Specified folder ID '{other}' does not match with service account folder ID '{folder}'"
                raise self.refuse(call, 400, text)

    def checked_uri(self, call: Call, uri: object, scheme: str) -> ModelUri:
        """Return the model URI, or refuse."""
        found = parse_uri(uri)
        if found is None or found.scheme != scheme:
            raise self.refuse(call, 400, "invalid model_uri")
        if found.name.split("~")[0] not in _KNOWN[scheme]:
            raise self.refuse(call, 404, "Failed to get model")
        return found

    def enter_session(self, call: Call, folder: str | None) -> None:
        """Take a place in the folder's gauge of generations, or refuse with 429."""
        self.check_rate(call, folder, "yandex_generations_per_hour")
        quotas = self.core.quotas
        limit, gauge = quotas.limit("yandex_max_sessions"), quotas.gauge(f"yandex:{folder}")
        if not gauge.enter(limit):
            raise self.refuse(call, 429, exceeded("yandex_max_sessions", limit))
        call.releases.append(gauge.leave)

    def check_rate(self, call: Call, folder: str | None, quota: str) -> None:
        """Refuse when a folder's quota of a second or an hour is used up; `quota` is its setting."""
        quotas, seconds = self.core.quotas, 3600.0 if quota.endswith("_hour") else 1.0
        limit = quotas.limit(quota)
        if not quotas.window(f"{quota}:{folder}", seconds).enter(self.core.now(), limit):
            raise self.refuse(call, 429, exceeded(quota, limit))

    def read(self, call: Call, parse: Callable[[dict[str, Any]], Ask]) -> Ask:
        """Return the question of the body, or refuse with 400."""
        body = call.received.json()
        if not isinstance(body, dict):
            raise self.refuse(call, 400, "Request is malformed")
        try:
            return parse(body)
        except InvalidRequestError as reason:
            raise self.refuse(call, 400, str(reason)) from None
        except (KeyError, TypeError, AttributeError):
            raise self.refuse(call, 400, "Request is malformed") from None

    async def completion(self, call: Call) -> Reply:
        """`/foundationModels/v1/completion`: streams NDJSON, or one line."""
        folder = self.authenticate(call)
        ask = self.read(call, read_request)
        call.note_ask(ask)
        fault = self.choose_fault(call, model=ask.model, ask=ask)
        self.check_model(call, ask, folder)
        self.enter_session(call, folder)
        answer = call.compose(ask, fault)
        reply = Reply((), headers=self.headers(call), fault=fault, latency_s=self.core.latency_s(ask, fault))
        if ask.stream:
            reply.frames, reply.marks = stream_lines(answer)
            reply.streamed, reply.gap_s = True, call.gap_s(ask)
        else:
            reply.frames, reply.marks = [b'{"result":' + response(answer) + b"}\n"], [answer.completion_tokens]
        return reply

    def check_model(self, call: Call, ask: Ask, folder: str | None) -> ModelUri:
        """Refuse an unknown model, a foreign folder, a prompt beyond the window."""
        uri = self.checked_uri(call, ask.model, "gpt")
        self.check_folder(call, folder, uri.folder, call.received.header("x-folder-id"))
        model = MODELS[uri.name.split("~")[0]]
        if not model.native:
            raise self.refuse(call, 404, "Failed to get model")
        if ask.prompt_tokens > model.window:
            limit, got = model.window, ask.prompt_tokens
            raise self.refuse(call, 400, f"number of input tokens must be no more than {limit}, got {got}")
        return uri

    async def tokenize(self, call: Call) -> Reply:
        """`/foundationModels/v1/tokenize`."""
        body = self._free_call(call)
        found = [("<s>", True), *((piece, False) for piece in tokenizer.pieces(str(body.get("text", ""))))]
        return self._tokens(call, found)

    async def tokenize_completion(self, call: Call) -> Reply:
        """`/foundationModels/v1/tokenizeCompletion`: template tokens included."""
        body = self._free_call(call)
        self.read(call, read_request)
        return self._tokens(call, request_pieces(body))

    def _free_call(self, call: Call) -> dict[str, Any]:
        folder = self.authenticate(call)
        body: dict[str, Any] = call.received.json()
        model = str(body.get("modelUri"))
        call.entry.model = model
        self.choose_fault(call, model=model)
        uri = self.checked_uri(call, model, "gpt")
        self.check_folder(call, folder, uri.folder, call.received.header("x-folder-id"))
        self.check_rate(call, folder, "yandex_tokenizer_per_s")
        return body

    def _tokens(self, call: Call, found: list[tuple[str, bool]]) -> Reply:
        tokens = [{"id": str(token_id(text)), "text": text, "special": special} for text, special in found]
        call.entry.prompt_tokens = len(tokens)
        body = msgspec.json.encode({"tokens": tokens, "modelVersion": MODEL_VERSION})
        late_s = 0.0 if call.fault is None else self.core.latency_s(None, call.fault)
        return Reply([body], headers=self.headers(call), fault=call.fault, latency_s=late_s)

    async def text_embedding(self, call: Call) -> Reply:
        """`/foundationModels/v1/textEmbedding`."""
        folder = self.authenticate(call)
        body = call.received.json()
        call.entry.model = str(body.get("modelUri"))
        fault = self.choose_fault(call, model=call.entry.model)
        uri = self.checked_uri(call, body.get("modelUri"), "emb")
        self.check_folder(call, folder, uri.folder, call.received.header("x-folder-id"))
        self.check_rate(call, folder, "yandex_embeddings_per_s")
        text, tokens = str(body.get("text", "")), tokenizer.count(str(body.get("text", ""))) + 1
        if not text:
            raise self.refuse(call, 400, "text length is 0, which is outside the range (0, 100000]")
        if tokens > 2048:
            raise self.refuse(call, 400, f"number of input tokens must be no more than 2048, got {tokens}")
        call.entry.prompt_tokens = tokens
        size = int(body.get("dim") or EMBEDDERS[uri.name])
        found = {"embedding": vector(text, size), "numTokens": str(tokens), "modelVersion": "06.12.2023"}
        return Reply([msgspec.json.encode(found)], headers=self.headers(call), fault=fault)


def token_id(piece: str) -> int:
    """Return a stable number for a token."""
    special = {"<s>": 1, "[NL]": 3, "[SEP]": 4}
    return special.get(piece) or 100 + sum(ord(letter) * 31**place for place, letter in enumerate(piece)) % 128_000


def timestamp(seconds: float, *, nanoseconds: bool = False) -> str:
    """Return RFC 3339 in UTC as Yandex prints it."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z" if nanoseconds else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
