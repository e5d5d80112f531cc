"""The smaller GigaChat endpoints: v2 chat, models, embeddings, tokens/count, balance, files."""

from typing import Any

from emulator.core import Call
from emulator.gigachat.models import MODELS, Model, find_model
from emulator.gigachat.surface import GigaChatSurface
from emulator.gigachat.v2_format import Writer, read_request
from emulator.toy_model import tokenizer
from emulator.toy_model.answer import Answer, Ask
from emulator.toy_model.embedding import vector
from emulator.wire.replies import Reply


class MoreRoutes:
    """Adds the endpoints to the API listener, under v1 and v2 alike."""

    def __init__(self, surface: GigaChatSurface) -> None:
        """Register the routes."""
        self._surface, self._core = surface, surface.core
        surface.add("POST", "/v2/chat/completions", "chat", self.chat_v2)
        for version in ("/v1", "/v2"):
            surface.add("GET", f"{version}/models", "models", self.models)
            surface.add("POST", f"{version}/embeddings", "embeddings", self.embeddings)
            surface.add("POST", f"{version}/tokens/count", "tokenize", self.tokens_count)
            surface.add("GET", f"{version}/balance", "balance", self.balance)
            for prefix in (version, f"/api{version}"):
                surface.prefixes.append((f"GET {prefix}/models/", "models", self.model))

    async def chat_v2(self, call: Call) -> Reply:
        """`/v2/chat/completions`."""
        return await self._surface.generate(call, read_request, self._render)

    def _render(self, answer: Answer, ask: Ask, model: Model) -> tuple[list[bytes], list[int]]:
        created, state_id = int(self._core.now()), self._core.new_id()
        writer = Writer(answer, ask.model, model, created=created, state_id=state_id)
        return writer.events() if ask.stream else ([writer.whole()], [answer.completion_tokens])

    async def models(self, call: Call) -> Reply:
        """`GET /models`."""
        self._surface.authenticate(call)
        self._surface.choose_fault(call)
        data = [_listed(name, model) for name, model in MODELS.items() if model.listed]
        return self._surface.reply(call, {"object": "list", "data": data})

    async def model(self, call: Call) -> Reply:
        """`GET /models/{id}`."""
        self._surface.authenticate(call)
        name = call.received.path.rsplit("/", 1)[1]
        self._surface.choose_fault(call, model=name)
        if name not in MODELS:
            raise self._surface.refuse(call, 404)
        return self._surface.reply(call, _listed(name, MODELS[name]))

    async def embeddings(self, call: Call) -> Reply:
        """`/embeddings`: usage sits in every item."""
        token = self._surface.authenticate(call)
        body = call.received.json()
        name = call.entry.model = str(body.get("model"))
        self._surface.choose_fault(call, model=name)
        model = find_model(name, "embedder")
        if model is None:
            raise self._surface.refuse(call, 404)
        texts = self._texts(call, body)
        counts = [tokenizer.count(text) for text in texts]
        if max(counts) > model.window:
            raise self._surface.refuse(call, 413)
        self._surface.enter(call, token)
        call.entry.prompt_tokens = sum(counts)
        self._surface.spend(call, name)
        return self._surface.reply(call, embedded(name, model, texts))

    def _texts(self, call: Call, body: dict[str, Any]) -> list[str]:
        texts = body.get("input")
        found = [texts] if isinstance(texts, str) else texts
        if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
            raise self._surface.refuse(call, 422, "Invalid params: input must be a string or an array of strings")
        return found

    async def tokens_count(self, call: Call) -> Reply:
        """`/tokens/count`: a bare array, plain text without the chat template."""
        self._surface.authenticate(call)
        body = call.received.json()
        name = call.entry.model = str(body.get("model"))
        self._surface.choose_fault(call, model=name)
        if name not in MODELS:
            raise self._surface.refuse(call, 404)
        return self._surface.reply(
            call,
            [
                {"object": "tokens", "tokens": tokenizer.count(text), "characters": len(text)}
                for text in self._texts(call, body)
            ],
        )

    async def balance(self, call: Call) -> Reply:
        """`/balance`: tokens left in packages; who pays as he goes has none and gets 403."""
        token = self._surface.authenticate(call)
        self._surface.choose_fault(call)
        if token.scope == "GIGACHAT_API_CORP":
            raise self._surface.refuse(call, 403)
        left = [{"usage": name, "value": tokens} for name, tokens in self._surface.access.packages.items()]
        return self._surface.reply(call, {"balance": left})


def embedded(name: str, model: Model, texts: list[str]) -> dict[str, Any]:
    """Return the vectors of the texts; usage sits in every item."""
    data = [
        {
            "object": "embedding",
            "embedding": vector(text, model.vector_size),
            "index": place,
            "usage": {"prompt_tokens": tokenizer.count(text)},
        }
        for place, text in enumerate(texts)
    ]
    return {"object": "list", "data": data, "model": name}


def _listed(name: str, model: Model) -> dict[str, str]:
    return {"id": name, "object": "model", "owned_by": "salutedevices", "type": model.kind}
