"""What FastAPI's own layers raise, as errors of the API."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from servicekit.errors import ErrorReason, Internal, InvalidRequest, NotFound, ServiceError, invalid_parameter
from services.gateway.edge.errors.json_errors import api_error
from services.gateway.edge.errors.path_hints import hint_at
from services.gateway.edge.header_values import plain_value
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import context_of

# A request -> the methods of every route at its path.
MethodsAt = Callable[[Request], set[str]]


def add_exception_handlers(app: FastAPI, methods_at: MethodsAt) -> None:
    """Make every error that leaves a FastAPI route one of ours."""

    async def http_exception(request: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        return _http_exception(request, exc, methods_at)

    app.add_exception_handler(HTTPException, http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(Exception, _unexpected)


def _http_exception(request: Request, exc: HTTPException, methods_at: MethodsAt) -> Response:
    if exc.status_code == 405:
        message = f"The method {request.method[:16]} is not allowed here."
        allowed = ", ".join(sorted(methods_at(request))).encode()
        return _response(request, InvalidRequest(ErrorReason.METHOD_NOT_ALLOWED, message), [(b"allow", allowed)])
    error: ServiceError = InvalidRequest(ErrorReason.INVALID_REQUEST, "The request cannot be understood.")
    if exc.status_code == 404:
        error = NotFound(ErrorReason.NOT_FOUND, hint_at(request.url.path))
    given = [(name.lower().encode(), plain_value(value)) for name, value in (exc.headers or {}).items()]
    return _response(request, error, given)


async def _validation_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    first = exc.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "body"
    error = invalid_parameter(field, f"{first['msg']} (field `{field}`).")
    return _response(request, error)


async def _service_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ServiceError)
    _name_as_in_path(request, exc)
    return _response(request, exc)


def _name_as_in_path(request: Request, error: ServiceError) -> None:
    """What the services know as the `id` that they were asked for, a caller knows by its word in the path."""
    words = list(request.path_params)
    if error.param == "id" and words and "id" not in words:
        error.param = words[-1]


async def _unexpected(request: Request, exc: Exception) -> Response:
    # Starlette raises it again after this: the edge logs it.
    return _response(request, Internal())


def _response(request: Request, error: ServiceError, headers: Headers | None = None) -> Response:
    answer = api_error(context_of(request.scope), error, headers)
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response
