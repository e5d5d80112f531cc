"""Yandex's OpenAI-compatible surface: `/v1/chat/completions`, `/v1/embeddings`, `/v1/models`."""

from typing import Any

import msgspec

from emulator.core import Call
from emulator.openai.format import BadRequestError, ChatWriter, read_request
from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Ask
from emulator.toy_model.embedding import vector
from emulator.wire.replies import EVENT_STREAM, RefusalError, Reply
from emulator.yandex.models import EMBEDDERS, MODELS, ModelUri, parse_uri
from emulator.yandex.surface import YandexSurface


class YandexOpenAISurface:
    """Adds `/v1` to the Yandex listener."""

    def __init__(self, surface: YandexSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        surface.routes |= {
            "POST /v1/chat/completions": ("chat", self.chat),
            "POST /v1/embeddings": ("embeddings", self.embeddings),
            "GET /v1/models": ("models", self.models),
        }

    def _refuse(self, call: Call, code: int, message: str, kind: str = "invalid_request_error") -> RefusalError:
        body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
        return RefusalError(Reply([msgspec.json.encode(body)], code, headers=self._surface.headers(call)))

    def _folder(self, call: Call) -> str | None:
        folder = self._surface.authenticate(call, keys_as_bearer=True)
        self._surface.check_folder(call, folder, call.received.header("openai-project"))
        return folder

    def _uri(self, call: Call, folder: str | None, model: object, scheme: str) -> ModelUri:
        uri = parse_uri(model)
        if uri is None or uri.scheme != scheme:
            raise self._refuse(call, 400, f"Failed to parse model URI: {model}")
        if uri.name.split("~")[0] not in (MODELS if scheme == "gpt" else EMBEDDERS):
            raise self._refuse(call, 404, "Failed to get model", "not_found_error")
        if folder is not None and uri.folder != folder:
            text = f"Specified folder ID '{uri.folder}' does not match with service account folder ID '{folder}'"
            raise self._refuse(call, 400, text)
        return uri

    def _read(self, call: Call) -> Ask:
        body = call.received.json()
        try:
            ask = read_request(body)
        except BadRequestError as reason:
            raise self._refuse(call, 400, str(reason)) from None
        except (KeyError, TypeError, AttributeError):
            raise self._refuse(call, 400, "Request is malformed") from None
        # Documented as not supported: taken and ignored.
        ask.stops, ask.choices = (), 1
        return ask

    async def chat(self, call: Call) -> Reply:
        """`/v1/chat/completions` in the dialect of the model's family."""
        folder = self._folder(call)
        ask = self._read(call)
        call.note_ask(ask)
        self._surface.choose_fault(call, model=ask.model, ask=ask)
        uri = self._uri(call, folder, ask.model, "gpt")
        model = MODELS[uri.name.split("~")[0]]
        if ask.prompt_tokens > model.window:
            limit, got = model.window, ask.prompt_tokens
            raise self._refuse(call, 400, f"number of input tokens must be no more than {limit}, got {got}")
        self._surface.enter_session(call, folder)
        # Recorded: open models name themselves without the folder.
        shown = f"gpt://{uri.name}/{uri.branch or 'latest'}" if model.dialect == "vllm" else ask.model
        return self._reply(call, ask, model.dialect, shown)

    def _reply(self, call: Call, ask: Ask, dialect: str, shown: str) -> Reply:
        fault, core = call.fault, self._core
        answer = call.compose(ask, fault)
        reply_id = ("chatcmpl-" if dialect == "vllm" else "") + core.new_id()
        writer = ChatWriter(answer, ask, dialect, model=shown, reply_id=reply_id, created=int(core.now()))
        reply = Reply((), headers=self._surface.headers(call), fault=fault, latency_s=core.latency_s(ask, fault))
        if ask.stream:
            reply.frames, reply.marks = writer.events()
            reply.streamed, reply.content_type, reply.gap_s = True, EVENT_STREAM, call.gap_s(ask)
        else:
            reply.frames, reply.marks = [writer.whole()], [answer.completion_tokens]
        return reply

    async def embeddings(self, call: Call) -> Reply:
        """`/v1/embeddings`: one text a call, 256 numbers unless `dimensions` says otherwise."""
        folder = self._folder(call)
        body = call.received.json()
        call.entry.model = str(body.get("model"))
        fault = self._surface.choose_fault(call, model=call.entry.model)
        uri = self._uri(call, folder, body.get("model"), "emb")
        self._surface.check_rate(call, folder, "yandex_embeddings_per_s")
        text, size = self._text(call, body), int(body.get("dimensions") or EMBEDDERS[uri.name])
        tokens = tokenizer.count(text) + 1
        call.entry.prompt_tokens = tokens
        found = {
            "object": "list",
            "model": body["model"],
            "data": [{"index": 0, "embedding": vector(text, size), "object": "embedding"}],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return Reply([msgspec.json.encode(found)], headers=self._surface.headers(call), fault=fault)

    def _text(self, call: Call, body: dict[str, Any]) -> str:
        text = body.get("input")
        if isinstance(text, list) and len(text) == 1:
            text = text[0]
        if not isinstance(text, str) or not text:
            raise self._refuse(call, 400, "input must be a single non-empty string")
        if body.get("encoding_format", "float") != "float":
            raise self._refuse(call, 400, "only encoding_format=float is supported")
        return text

    async def models(self, call: Call) -> Reply:
        """`/v1/models`: what the caller's folder may use."""
        folder = self._folder(call) or self._core.settings.yandex_metadata_folder
        self._surface.choose_fault(call)
        found = [
            (f"gpt://{folder}/{tail}", model.owner) for name, model in MODELS.items() for tail in model.tails(name)
        ]
        found += [(f"emb://{folder}/{name}/latest", "Yandex") for name in EMBEDDERS]
        data = [{"id": uri, "object": "model", "created": 0, "owned_by": owner} for uri, owner in found]
        body = msgspec.json.encode({"object": "list", "data": data})
        return Reply([body], headers=self._surface.headers(call))
