"""Decode a JSON body: bounds first, strictly, and every refusal names the field."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError

from servicekit.errors import ErrorReason, InvalidRequest, invalid_parameter
from services.gateway.edge.reading.allowed_values import allowed_values
from services.gateway.edge.reading.body import SMALL, BodyLimits, read_body
from services.gateway.edge.reading.heavy_step import heavy_step
from services.gateway.edge.reading.json_faults import check_names, faults_in_broken, strict_tree
from services.gateway.edge.reading.json_outline import PIECE, outline_of

T = TypeVar("T")
Part = TypeVar("Part")
Model = TypeVar("Model", bound=BaseModel)

# A name that the caller made up is told back, but not at any length.
LONGEST_NAME: Final = 64
# So is a value of theirs: msgspec puts the whole of a wrong one into its sentence.
LONGEST_PROBLEM: Final = 200
# No path within a body of ours is so long.
LONGEST_PATH: Final = 512
_AT: Final = " - at `"
# Dependency -> the model of the body that it reads: FastAPI itself cannot describe it.
_MODEL_OF: Final[dict[Any, type[BaseModel]]] = {}


class StrictModel(BaseModel):
    """A request body: a field that it does not have is refused, for it is most likely a misspelt one."""

    model_config = ConfigDict(extra="forbid")


async def decode(decoder: msgspec.json.Decoder[T], body: bytes, limits: BodyLimits) -> tuple[T, list[str]]:
    """Return the decoded body, and the names of its own fields that say something: null says nothing.

    Raises:
        InvalidRequest: not JSON, too deep, too much of it, or a field is wrong; `param` is the field's path.
    """
    outline = await outline_of(body, limits)
    is_small = len(body) <= PIECE
    try:
        if is_small and not body.isascii():
            body.decode()
        decoded = decoder.decode(body) if is_small else await heavy_step(partial(decoder.decode, body))
    except msgspec.ValidationError as exc:
        raise wrong_field(exc, kind=decoder.type) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise _malformed(body, exc) from None
    given = check_names(outline) if is_small else await heavy_step(partial(check_names, outline))
    return decoded, [name for name, value in given.items() if value is not None]


def invalid_field(param: str, problem: str) -> InvalidRequest:
    """Return the refusal of one field; `problem` is a sentence without its full stop."""
    return invalid_parameter(param, f"{problem} (field `{param}`).")


def decode_part(decoder: msgspec.json.Decoder[Part], raw: msgspec.Raw, where: str) -> Part:
    """Return what stands at a place of a body whose parts are decoded one by one.

    Raises:
        InvalidRequest: it is of another form; the field is named.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as exc:
        raise wrong_field(exc, where, kind=decoder.type) from None


def wrong_field(error: msgspec.ValidationError, prefix: str = "", kind: Any = None) -> InvalidRequest:
    """Return the refusal that names the field of a validation error, under `prefix`; `kind` is what was decoded as."""
    problem, path = _located(str(error))
    missing = re.search(r"missing required field `([^`]+)`", problem)
    if missing:
        path = f"{path}.{missing[1]}" if path else missing[1]
        problem = "This field is required"
    elif strange := re.search(r"contains unknown field `([^`]*)`", problem):
        path = f"{path}.{strange[1][:LONGEST_NAME]}" if path else strange[1][:LONGEST_NAME]
        problem = "There is no such field"
    elif kind is not None and problem.startswith("Invalid enum value") and (values := allowed_values(kind, path)):
        problem = f"{_shortened(problem)}: use one of {', '.join(values)}"
    else:
        problem = _shortened(problem)
    path = path.replace("[...]", "") if not prefix else _joined(prefix, path)
    where = f" (field `{path}`)" if path else ""
    return invalid_parameter(path or "body", f"{problem}{where}.")


def _located(text: str) -> tuple[str, str]:
    """Return what is wrong, and the path of where; the value in front of it may say anything, also what looks like one.

    No pattern looks for it: of a value of 40 KB one did for seconds.
    """
    problem, at, path = text.rpartition(_AT)
    if not at or len(path) > LONGEST_PATH:
        return text, ""
    return problem, path.removesuffix("`").removeprefix("key` in `").removeprefix("$").removeprefix(".")


def _shortened(problem: str) -> str:
    if len(problem) <= LONGEST_PROBLEM:
        return problem
    return f"{problem[:LONGEST_PROBLEM]}…"


def _joined(prefix: str, path: str) -> str:
    if not path:
        return prefix
    return f"{prefix}{path}" if path.startswith("[") else f"{prefix}.{path}"


def _malformed(body: bytes, error: Exception) -> InvalidRequest:
    """Name the field whose value is no JSON value, where looking for it costs no more than decoding did."""
    if len(body) <= PIECE:
        try:
            faults_in_broken(body)
        except InvalidRequest as exc:
            return exc
    return InvalidRequest(ErrorReason.INVALID_REQUEST, f"The body is not valid JSON: {_detail(error)}.", param="body")


def _detail(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"invalid UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error).removeprefix("JSON is malformed: ") or "unreadable"


@cache
def json_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """Return the FastAPI dependency that is the body of a request.

    In place of a body parameter: FastAPI reads that before it asks who calls, and without bounds.
    """

    async def read(request: Request) -> Model:
        body = await read_body(request.scope, request.receive, SMALL)
        return validated(model, await strict_json(body))

    _MODEL_OF[read] = model
    return read


async def strict_json(body: bytes) -> Any:
    """Return the value of a small JSON body, within its bounds.

    Raises:
        InvalidRequest: it is none, too deep, or too much.
    """
    await outline_of(body, SMALL)
    return strict_tree(body)


def validated(model: type[Model], value: Any) -> Model:
    """Return a decoded body as its model.

    Raises:
        InvalidRequest: a field is wrong; it is named.
    """
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
    where = "".join(steps).lstrip(".") or "body"
    raise invalid_field(where, first["msg"])


def body_of(route: APIRoute) -> type[BaseModel] | None:
    """Return the model of the JSON body that a route reads by `json_of`; None: it takes none."""
    models = (_MODEL_OF.get(dependency.call) for dependency in route.dependant.dependencies)
    return next((model for model in models if model is not None), None)
