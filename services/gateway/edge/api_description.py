"""The OpenAPI description: FastAPI's own for its routes, and the truth about the hot routes that it does not parse."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.gateway.edge.answer_bodies import ErrorBody
from services.gateway.edge.problems import RENDERING
from services.gateway.identity.access import CHAT, COMPLETIONS, EMBEDDINGS, Open, need_of
from services.gateway.inference.schemas import ChatRequest, CompletionRequest, ContentPart, EmbeddingRequest

TITLE: Final = "Razvilka"
VERSION: Final = "1.1.0"
ABOUT: Final = (
    "One OpenAI-compatible API over YandexGPT, GigaChat and any OpenAI-compatible upstream. "
    "Every error has the same body; every answer has `x-request-id`."
)
_REF: Final = "#/components/schemas/{name}"
_HOT: Final[dict[str, tuple[str, type[msgspec.Struct], bool]]] = {
    CHAT: ("Answer a chat", ChatRequest, True),
    COMPLETIONS: ("Complete a prompt (older form)", CompletionRequest, True),
    EMBEDDINGS: ("Turn texts into vectors", EmbeddingRequest, False),
}
_COUNT: Final = {"type": "integer", "minimum": 0}
_USAGE: Final = {
    "type": "object",
    "required": ["prompt_tokens", "total_tokens", "cost_rub"],
    "properties": {
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "total_tokens": _COUNT,
        "cost_rub": {"type": "string", "pattern": r"^\d+\.\d{6}$", "description": "Roubles, exactly."},
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


_ANSWERS: Final = {
    CHAT: _answer("chat.completion", "id", "created"),
    COMPLETIONS: _answer("text_completion", "id", "created"),
    EMBEDDINGS: _answer("list"),
}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` tell the whole truth."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(app: FastAPI) -> dict[str, Any]:
    whole = get_openapi(title=TITLE, version=VERSION, description=ABOUT, routes=app.routes)
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    _, components = msgspec.json.schema_components([shape for _, shape, _ in _HOT.values()], ref_template=_REF)
    schemas.update(_without_raw(components))
    schemas.update(_error_schemas())
    whole["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path in _HOT:
        whole["paths"][path] = {"post": _hot_operation(path)}
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            _add_common(method.upper(), path, operation)
    return whole


def _error_schemas() -> dict[str, Any]:
    schema = ErrorBody.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ErrorBody": schema}


def _hot_operation(path: str) -> dict[str, Any]:
    summary, shape, streams = _HOT[path]
    content: dict[str, Any] = {"application/json": {"schema": _ANSWERS[path]}}
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "tags": ["inference"],
        "summary": summary,
        "operationId": path.removeprefix("/v1/").replace("/", "_"),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF.format(name=shape.__name__)}}},
        },
        "responses": {"200": {"description": "The answer; events with `stream: true`.", "content": content}},
    }


def _add_common(method: str, path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    # FastAPI documents its own 422; our handler answers 400 with our body.
    responses.pop("422", None)
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    for status in sorted({rendering.status for rendering in RENDERING.values()}):
        responses.setdefault(str(status), {"description": "An error.", "content": body})
    template = path.replace("{model_id}", "{model_id:path}")
    if need_of(method, template) is not Open.EVERYONE:
        operation["security"] = [{"key": []}]


def _without_raw(components: dict[str, Any]) -> dict[str, Any]:
    """Say what the lists that are decoded in a second step hold: msgspec only knows that they are JSON."""
    parts = {"type": "array", "minItems": 1, "items": {"$ref": _REF.format(name="ContentPart")}}
    _, extra = msgspec.json.schema_components([ContentPart], ref_template=_REF)
    texts = {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}
    text = {"type": "string", "minLength": 1}
    components["ChatMessage"]["properties"]["content"] = {
        "anyOf": [{"type": "string"}, parts, {"type": "null"}],
        "default": None,
    }
    components["CompletionRequest"]["properties"]["prompt"] = {"anyOf": [text, {**texts, "maxItems": 128}]}
    components["EmbeddingRequest"]["properties"]["input"] = {"anyOf": [text, {**texts, "maxItems": 2048}]}
    return {**components, **extra}
