"""A plain OpenAI-compatible upstream under `/openai/v1`: chat, embeddings, models."""

import base64
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from emulator.core import Call, Core, Surface
from emulator.openai.format import BadRequestError, ChatWriter, read_request
from emulator.openai.rules import check_chat, check_ids
from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Ask
from emulator.toy_model.embedding import vector
from emulator.wire.replies import EVENT_STREAM, RefusalError, Reply

WINDOW = 131_072
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


class OpenAIUpstream(Surface):
    """The third provider: what most gateways and self-hosted servers speak."""

    provider = "openai"

    def __init__(self, core: Core) -> None:
        """Register the routes."""
        super().__init__(core)
        self.api_keys = set(core.settings.openai_api_keys)
        self.routes = {
            "POST /openai/v1/chat/completions": ("chat", self.chat),
            "POST /openai/v1/embeddings": ("embeddings", self.embeddings),
            "GET /openai/v1/models": ("models", self.models),
        }

    def headers(self) -> bytes:
        """Return the request id header."""
        return b"x-request-id: req_%b\r\n" % self.core.new_id().encode()

    def error(
        self, call: Call, code: int, message: str | None = None, name: str | None = None, param: str | None = None
    ) -> Reply:
        """Return `{"error":{message,type,param,code}}`."""
        kind = _TYPES.get(code, "server_error")
        body = {"error": {"message": message or f"error {code}", "type": kind, "param": param, "code": name}}
        return Reply([msgspec.json.encode(body)], code, headers=self.headers())

    def bad_json(self, call: Call) -> Reply:
        """Answer a body that is no JSON."""
        return self.error(call, 400, "We could not parse the JSON body of your request.")

    def unknown_path(self, call: Call) -> Reply:
        """Answer a path nobody knows."""
        return self.error(call, 404, f"Invalid URL ({call.received.method} {call.received.path})")

    def _authenticate(self, call: Call) -> None:
        scheme, _, key = (call.received.header("authorization") or "").partition(" ")
        call.note_credential(key)
        call.entry.request_id = call.received.header("x-request-id")
        if scheme.lower() != "bearer" or key not in self.api_keys:
            raise RefusalError(self.error(call, 401, "Incorrect API key provided", "invalid_api_key"))

    @contextmanager
    def _refusing(self, call: Call) -> Iterator[None]:
        """Refuse what is no request, or breaks a rule."""
        try:
            yield
        except BadRequestError as reason:
            raise RefusalError(self.error(call, 400, str(reason), reason.code, reason.param)) from None
        except (KeyError, TypeError, AttributeError):
            raise RefusalError(self.error(call, 400, "Request is malformed")) from None

    def _check_model(self, call: Call, model: str) -> None:
        if model.split("~")[0] not in self.core.settings.openai_models:
            text = f"The model `{model}` does not exist"
            raise RefusalError(self.error(call, 404, text, "model_not_found"))

    async def chat(self, call: Call) -> Reply:
        """`/openai/v1/chat/completions`."""
        self._authenticate(call)
        body = call.received.json()
        with self._refusing(call):
            ask = read_request(body)
            check_chat(body)
        ask.one_call = body.get("parallel_tool_calls") is False
        call.note_ask(ask)
        self.choose_fault(call, model=ask.model, ask=ask)
        self._check_model(call, ask.model)
        if ask.prompt_tokens > WINDOW:
            text = f"This model's maximum context length is {WINDOW} tokens, your messages have {ask.prompt_tokens}."
            raise RefusalError(self.error(call, 400, text, "context_length_exceeded"))
        return self._reply(call, ask)

    def _reply(self, call: Call, ask: Ask) -> Reply:
        fault, core = call.fault, self.core
        answer = call.compose(ask, fault)
        reply_id = f"chatcmpl-{core.new_id()}"
        writer = ChatWriter(answer, ask, "plain", model=ask.model, reply_id=reply_id, created=int(core.now()))
        reply = Reply((), headers=self.headers(), fault=fault, latency_s=core.latency_s(ask, fault))
        if ask.stream:
            reply.frames, reply.marks = writer.events()
            reply.streamed, reply.content_type, reply.gap_s = True, EVENT_STREAM, call.gap_s(ask)
        else:
            reply.frames, reply.marks = [writer.whole()], [answer.completion_tokens * ask.choices]
        return reply

    async def embeddings(self, call: Call) -> Reply:
        """`/openai/v1/embeddings`: a text or a list, floats or base64."""
        self._authenticate(call)
        body = call.received.json()
        model = call.entry.model = str(body.get("model"))
        fault = self.choose_fault(call, model=model)
        self._check_model(call, model)
        with self._refusing(call):
            check_ids(body)
        texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input")
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise RefusalError(self.error(call, 400, "'input' must be a string or an array of strings"))
        size = int(body.get("dimensions") or 256)
        tokens = call.entry.prompt_tokens = sum(map(tokenizer.count, texts))
        data = [
            {"object": "embedding", "index": place, "embedding": _encoded(vector(text, size), body)}
            for place, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        found = {"object": "list", "data": data, "model": model, "usage": usage}
        return Reply([msgspec.json.encode(found)], headers=self.headers(), fault=fault)

    async def models(self, call: Call) -> Reply:
        """`/openai/v1/models`."""
        self._authenticate(call)
        self.choose_fault(call)
        names = self.core.settings.openai_models
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "emulator"} for name in names]
        return Reply([msgspec.json.encode({"object": "list", "data": data})], headers=self.headers())


def _encoded(numbers: list[float], body: dict[str, Any]) -> Any:
    if body.get("encoding_format") != "base64":
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
