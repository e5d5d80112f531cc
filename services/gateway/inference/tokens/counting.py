"""POST /v1/tokenize: its body, what that asks to be counted, and how the counts are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from services.gateway.clients.catalog import Model
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.inference.conversation import normalise
from services.gateway.inference.estimate import tokens_of
from services.gateway.inference.size.prompt_size import PromptSize, chat_size, embedding_size
from services.gateway.schemas.inference import MAX_MESSAGES, ChatMessage, ChatRequest, CustomTool, ModelId, Tool

# Each is a call to the provider, and providers allow 50 a second to everybody together.
MAX_TEXTS: Final = 32


class TokenizeRequest(Struct, gc=False):
    """Body of POST /v1/tokenize: texts, each counted by itself, or a chat with what its model puts around it."""

    model: ModelId
    input: str | Annotated[list[str], Meta(min_length=1, max_length=MAX_TEXTS)] | None = None
    messages: Annotated[list[ChatMessage], Meta(max_length=MAX_MESSAGES)] | None = None
    tools: Annotated[list[Tool | CustomTool], Meta(max_length=128)] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Texts, or one chat."""

    texts: tuple[str, ...]
    chat: ChatRequest | None
    size: PromptSize

    def estimated(self, model: Model, input_tokens: int) -> list[int]:
        """Return our own counts; `input_tokens` is that of the whole."""
        if self.chat is not None:
            return [input_tokens]
        return [tokens_of(model, len(text)) for text in self.texts]


def question_of(request: TokenizeRequest) -> Question:
    """Return what is to be counted.

    Raises:
        InvalidRequest: neither texts nor a chat, or both, or a chat that is none.
    """
    if (request.input is None) == (request.messages is None):
        raise invalid_field("input", "Send either `input` or `messages`")
    if request.input is None:
        chat = ChatRequest(request.model, messages=request.messages, tools=request.tools)
        normalise(chat)
        return Question((), chat, chat_size(chat))
    if request.tools is not None:
        raise invalid_field("tools", "Tools are counted with `messages` only")
    texts = (request.input,) if isinstance(request.input, str) else tuple(request.input)
    return Question(texts, None, embedding_size(texts))


def tokens_body(request: TokenizeRequest, question: Question, tokens: Sequence[int], *, by_provider: bool) -> bytes:
    """Return the answer: a count for each text, or the one of the chat."""
    data: list[dict[str, Any]] = [
        {"object": "tokens", "index": index, "tokens": count} for index, count in enumerate(tokens)
    ]
    for each, text in zip(data, question.texts, strict=False):
        each["characters"] = len(text)
    body = {
        "object": "list",
        "model": request.model,
        "data": data,
        "total_tokens": sum(tokens),
        "counted_by": "provider" if by_provider else "estimate",
    }
    return msgspec.json.encode(body)
