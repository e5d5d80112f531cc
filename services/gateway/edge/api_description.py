"""The OpenAPI description: what FastAPI knows of its routes, and what the rooms say of the hot ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from services.gateway.edge.errors.error_body import ErrorBody
from services.gateway.edge.reading.json_body import body_of

TITLE: Final = "Razvilka"
VERSION: Final = "1.1.0"
ABOUT: Final = (
    "One OpenAI-compatible API over YandexGPT, GigaChat and any OpenAI-compatible upstream. "
    "Every error has the same body, but for those of the Messages API and of OAuth; every answer has `x-request-id`."
)
DOCS_PATH: Final = "/docs"
OPENAPI_PATH: Final = "/openapi.json"
REF: Final = "#/components/schemas/{name}"
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key gets the same answer for a day, and is done and billed once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}


@dataclass(frozen=True, slots=True)
class HotOperation:
    """What is to be said of a POST that FastAPI does not parse.

    Args:
        tag: the group it is shown in.
        summary: one line.
        body: the shape of the request.
        answer: the JSON schema of the answer.
        streams: whether the answer may also be events.
        is_billed: whether a key makes it one bill.
    """

    tag: str
    summary: str
    body: type[msgspec.Struct]
    answer: dict[str, Any]
    streams: bool
    is_billed: bool = True


@dataclass(frozen=True, slots=True)
class Description:
    """What the application says of itself beside what FastAPI knows.

    Args:
        routes: what FastAPI knows.
        hot: operations by path.
        components: the schemas that the hot operations refer to.
        complete: adds to the whole what only rooms above know.
    """

    routes: Sequence[BaseRoute]
    hot: Mapping[str, HotOperation]
    components: Mapping[str, Any]
    complete: Callable[[dict[str, Any]], None]


def describe(app: FastAPI, about: Callable[[], Description]) -> None:
    """Make `app.openapi()` tell the whole truth; it is made when it is first asked for."""
    made = threading.Lock()

    def openapi() -> dict[str, Any]:
        with made:
            if app.openapi_schema is None:
                app.openapi_schema = _describe(app, about())
            return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def description_route(app: FastAPI) -> Route:
    """Return the route of the description: made when it is first asked for, by a thread, for it takes half a second."""

    async def answer(_: Request) -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(app.openapi))

    return Route(OPENAPI_PATH, answer, include_in_schema=False)


def _describe(app: FastAPI, description: Description) -> dict[str, Any]:
    whole = get_openapi(title=TITLE, version=VERSION, description=ABOUT, routes=description.routes)
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(description.components)
    schemas.update(_schemas(ErrorBody))
    _describe_bodies(whole, description.routes)
    for path, operation in description.hot.items():
        whole["paths"][path] = {"post": _hot_operation(path, operation)}
    _forget_foreign_errors(whole)
    description.complete(whole)
    return whole


def _describe_bodies(whole: dict[str, Any], routes: Sequence[BaseRoute]) -> None:
    """Add the bodies that routes read by `json_of`, which FastAPI does not see.

    Raises:
        ValueError: two bodies have the same name.
    """
    described: dict[str, type[BaseModel]] = {}
    for route in routes:
        if not isinstance(route, APIRoute) or (model := body_of(route)) is None:
            continue
        if described.setdefault(model.__name__, model) is not model:
            raise ValueError(f"Two bodies are called {model.__name__}.")
        for method in route.methods or ():
            whole["paths"][route.path_format][method.lower()]["requestBody"] = _json_body(model.__name__)
    for model in described.values():
        whole["components"]["schemas"] |= _schemas(model)


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model and of those within it, by name."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _json_body(name: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": REF.format(name=name)}}}}


def _hot_operation(path: str, operation: HotOperation) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": operation.answer}}
    if operation.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": path.removeprefix("/v1/").replace("/", "_"),
        "parameters": [IDEMPOTENCY_KEY] if operation.is_billed else [],
        "requestBody": _json_body(operation.body.__name__),
        "responses": {"200": {"description": "The answer; events with `stream: true`.", "content": content}},
    }


def _forget_foreign_errors(whole: dict[str, Any]) -> None:
    # FastAPI documents its own 422; our handler answers 400 with our body.
    for item in whole["paths"].values():
        for operation in item.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        whole["components"]["schemas"].pop(name, None)
