"""What the OpenAPI description says of the hot routes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from services.gateway.edge.api_description import REF, HotOperation
from services.gateway.inference.anthropic.schemas import MessagesRequest
from services.gateway.inference.paths import (
    CHAT,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    INPUT_TOKENS,
    MESSAGES,
    RESPONSES,
    TOKENIZE,
)
from services.gateway.inference.responses.schemas import ResponsesRequest
from services.gateway.inference.tokens.counting import TokenizeRequest
from services.gateway.inference.tokens.token_arrays import MAX_TEXTS, MAX_TOKENS
from services.gateway.inference.tokens.vocabulary import SIZE
from services.gateway.schemas.inference import ChatRequest, CompletionRequest, ContentPart, EmbeddingRequest

_COUNT: Final = {"type": "integer", "minimum": 0}
_TOKEN: Final = {"type": "integer", "minimum": 0, "maximum": SIZE - 1}
_COST: Final = {"type": "string", "pattern": r"^\d+\.\d{6}$", "description": "Roubles, exactly."}
_USAGE: Final = {
    "type": "object",
    "required": ["prompt_tokens", "total_tokens", "cost_rub"],
    "properties": {
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "total_tokens": _COUNT,
        "cost_rub": _COST,
    },
}

_MESSAGE: Final = {
    "type": "object",
    "required": ["id", "type", "role", "model", "content", "stop_reason", "usage"],
    "properties": {
        "id": {"type": "string"},
        "type": {"const": "message"},
        "role": {"const": "assistant"},
        "model": {"type": "string"},
        "content": {"type": "array", "items": {"type": "object"}},
        "stop_reason": {"enum": ["end_turn", "max_tokens", "tool_use", "refusal"]},
        "usage": {
            "type": "object",
            "required": ["input_tokens", "output_tokens", "cost_rub"],
            "properties": {
                "input_tokens": _COUNT,
                "output_tokens": _COUNT,
                "cache_read_input_tokens": _COUNT,
                "output_tokens_details": {"type": "object", "properties": {"thinking_tokens": _COUNT}},
                "cost_rub": _COST,
            },
        },
    },
}

_RESPONSE: Final = {
    "type": "object",
    "required": ["id", "object", "created_at", "status", "model", "output", "usage"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "response"},
        "created_at": {"type": "integer"},
        "status": {"enum": ["completed", "incomplete"]},
        "model": {"type": "string"},
        "output": {"type": "array", "items": {"type": "object"}},
        "usage": {
            "type": "object",
            "required": ["input_tokens", "output_tokens", "total_tokens", "cost_rub"],
            "properties": {
                "input_tokens": _COUNT,
                "output_tokens": _COUNT,
                "total_tokens": _COUNT,
                "cost_rub": _COST,
            },
        },
    },
}

_TOKENS: Final = {
    "type": "object",
    "required": ["object", "model", "data", "total_tokens", "counted_by"],
    "properties": {
        "object": {"const": "list"},
        "model": {"type": "string"},
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["object", "index", "tokens"],
                "properties": {
                    "object": {"const": "tokens"},
                    "index": _COUNT,
                    "tokens": _COUNT,
                    "characters": _COUNT,
                },
            },
        },
        "total_tokens": _COUNT,
        "counted_by": {"enum": ["provider", "estimate"]},
    },
}


def _answer(object_name: str, *items: str) -> dict[str, Any]:
    key = "data" if object_name == "list" else "choices"
    return {
        "type": "object",
        "required": ["object", key, "model", "usage", *items],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": object_name},
            "created": {"type": "integer"},
            "model": {"type": "string"},
            key: {"type": "array", "items": {"type": "object"}},
            "usage": _USAGE,
        },
    }


OPERATIONS: Final = {
    CHAT: HotOperation(
        "inference", "Answer a chat", ChatRequest, _answer("chat.completion", "id", "created"), streams=True
    ),
    COMPLETIONS: HotOperation(
        "inference",
        "Complete a prompt (older form)",
        CompletionRequest,
        _answer("text_completion", "id", "created"),
        streams=True,
    ),
    EMBEDDINGS: HotOperation("inference", "Turn texts into vectors", EmbeddingRequest, _answer("list"), streams=False),
    MESSAGES: HotOperation("inference", "Answer a chat (Anthropic's form)", MessagesRequest, _MESSAGE, streams=True),
    RESPONSES: HotOperation("inference", "Answer a turn (Responses API)", ResponsesRequest, _RESPONSE, streams=True),
    TOKENIZE: HotOperation(
        "inference", "Count the tokens of texts or of a chat", TokenizeRequest, _TOKENS, streams=False, is_billed=False
    ),
    INPUT_TOKENS: HotOperation(
        "inference",
        "Count a turn's tokens (Responses API)",
        ResponsesRequest,
        {
            "type": "object",
            "required": ["object", "input_tokens"],
            "properties": {"object": {"const": "response.input_tokens"}, "input_tokens": _COUNT},
        },
        streams=False,
        is_billed=False,
    ),
    COUNT_TOKENS: HotOperation(
        "inference",
        "Count a chat's tokens (Anthropic's form)",
        MessagesRequest,
        {"type": "object", "required": ["input_tokens"], "properties": {"input_tokens": _COUNT}},
        streams=False,
        is_billed=False,
    ),
}


def components() -> dict[str, Any]:
    """Return the schemas that the operations refer to."""
    shapes = [operation.body for operation in OPERATIONS.values()]
    _, found = msgspec.json.schema_components(shapes, ref_template=REF)
    return _without_raw(found)


def _without_raw(components: dict[str, Any]) -> dict[str, Any]:
    """Say what the lists that are decoded in a second step hold: msgspec only knows that they are JSON."""
    parts = {"type": "array", "minItems": 1, "items": {"$ref": REF.format(name="ContentPart")}}
    _, extra = msgspec.json.schema_components([ContentPart], ref_template=REF)
    texts = {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}
    text = {"type": "string", "minLength": 1}
    components["ChatMessage"]["properties"]["content"] = {
        "anyOf": [{"type": "string"}, parts, {"type": "null"}],
        "default": None,
    }
    components["CompletionRequest"]["properties"]["prompt"] = {"anyOf": [text, {**texts, "maxItems": 128}]}
    items = {"type": "array", "minItems": 1, "items": {"type": "object"}}
    components["InputMessage"]["properties"]["content"] = {"anyOf": [{"type": "string"}, items]}
    components["ResponsesRequest"]["properties"]["input"] = {"anyOf": [{"type": "string"}, items]}
    components["ResponsesRequest"]["properties"]["tools"] = {
        "anyOf": [{**items, "minItems": 0, "maxItems": 128}, {"type": "null"}]
    }
    tokens = {"type": "array", "minItems": 1, "maxItems": MAX_TOKENS, "items": _TOKEN}
    components["EmbeddingRequest"]["properties"]["input"] = {
        "anyOf": [text, {**texts, "maxItems": MAX_TEXTS}, tokens, {**texts, "maxItems": MAX_TEXTS, "items": tokens}]
    }
    return {**components, **extra}
