"""Which errors an operation may answer, by status, with every code explained."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import msgspec

from servicekit.errors import ErrorReason, ServiceError
from services.gateway.edge.problems import RENDERING
from services.gateway.inference.anthropic.errors import error_body
from services.gateway.inference.paths import COUNT_TOKENS, MESSAGES
from services.gateway.reference.glossary import ERRORS
from services.gateway.reference.operations import Operation, Whole, operations_of

SCHEMA: Final = {"$ref": "#/components/schemas/ErrorBody"}
# These answer errors in Anthropic's form, all but those from before any route is found.
IN_ANOTHER_FORM: Final = frozenset({MESSAGES, COUNT_TOKENS})
OTHER_SCHEMA: Final = {"$ref": "#/components/schemas/MessagesErrorBody"}
# What any request may meet: a query that cannot be meant, too many requests, we, and what we need.
ANYWHERE: Final = (400, 404, 405, 429, 431, 500, 503, 504)
# The server refuses these before any route is found, in this form at every path.
TOO_LONG: Final = 431
WITH_CREDENTIAL: Final = (401, 403)
WITH_BODY: Final = (408, 413, 415)
OF_CHANGES: Final = (409,)
OF_PROVIDERS: Final = (502,)
# Tags of what asks a provider.
ASKS_PROVIDERS: Final = frozenset({"inference", "files", "batches"})
WITH_RETRY_AFTER: Final = (429, 503)
REQUEST_ID_HEADER: Final = {"x-request-id": {"$ref": "#/components/headers/RequestId"}}
_REQUEST_ID: Final = "01a226df-b40e-76b9-ac64-5da5d66d3cf7"
_HEADERS: Final[dict[str, Any]] = {
    "RequestId": {
        "description": "The id of the request: `GET /v1/requests/{request_id}` explains it, and support asks for it.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "Seconds after which trying again may help; absent where waiting does not help.",
        "schema": {"type": "integer", "minimum": 0},
    },
}


def codes_by_status() -> dict[int, list[str]]:
    """Return the codes of errors by HTTP status."""
    found: dict[int, list[str]] = defaultdict(list)
    for reason, rendering in RENDERING.items():
        found[rendering.status].append(reason.value.lower())
    found[TOO_LONG].append(ErrorReason.INVALID_REQUEST.value.lower())
    return dict(sorted(found.items()))


def declare_errors(whole: Whole) -> None:
    """Give every operation the errors that it may answer; each status is described once."""
    codes = codes_by_status()
    whole["components"]["responses"] = {_name(status): _response(status, codes[status]) for status in codes}
    whole["components"]["headers"] = _HEADERS
    whole["components"]["schemas"] |= _other_schemas(whole["components"]["schemas"]["ErrorObject"])
    whole["components"]["responses"] |= {
        _name(status, MESSAGES): _in_another_form(response)
        for status, response in ((status, _response(status, codes[status])) for status in codes if status != TOO_LONG)
    }
    for method, path, operation in operations_of(whole):
        for status, response in operation["responses"].items():
            if "$ref" not in response:
                _describe_good(status, response)
        for status in [TOO_LONG] if _is_of_oauth(operation) else statuses_of(method, operation):
            operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{_name(status, path)}"})


def statuses_of(method: str, operation: Operation) -> list[int]:
    """Return the statuses of the errors that an operation may answer."""
    found = {*ANYWHERE}
    if "security" in operation:
        found |= {*WITH_CREDENTIAL}
    if "requestBody" in operation:
        found |= {*WITH_BODY}
    if method != "GET":
        found |= {*OF_CHANGES}
    if ASKS_PROVIDERS & {*operation["tags"]}:
        found |= {*OF_PROVIDERS}
    return sorted(found)


def _is_of_oauth(operation: Operation) -> bool:
    return "oauth" in operation["tags"]


def _describe_good(status: str, response: dict[str, Any]) -> None:
    if response.get("description", "") in ("", "Successful Response"):
        response["description"] = _GOOD.get(status, "Done.")
    response.setdefault("headers", dict(REQUEST_ID_HEADER))


_GOOD: Final = {"200": "What was asked for.", "201": "It was made.", "202": "It was begun.", "204": "It is gone."}


def _name(status: int, path: str = "") -> str:
    return f"MessagesError{status}" if path in IN_ANOTHER_FORM and status != TOO_LONG else f"Error{status}"


def _response(status: int, codes: list[str]) -> dict[str, Any]:
    told = "\n".join(f"- `{code}`: {ERRORS[code]}" for code in codes)
    headers = dict(REQUEST_ID_HEADER)
    if status in WITH_RETRY_AFTER:
        headers["retry-after"] = {"$ref": "#/components/headers/RetryAfter"}
    examples = {code: {"summary": ERRORS[code], "value": _example(code)} for code in codes}
    content = {"application/json": {"schema": SCHEMA, "examples": examples}}
    return {"description": told, "headers": headers, "content": content}


def _other_schemas(known: dict[str, Any]) -> dict[str, Any]:
    fields = {
        **known["properties"],
        "type": {"type": "string", "description": "The error's class, in Anthropic's words."},
    }
    error = {**known, "title": "MessagesErrorObject", "description": "What went wrong.", "properties": fields}
    body = {
        "type": "object",
        "description": "The body of an error of the Messages API.",
        "required": ["type", "error", "request_id"],
        "properties": {
            "type": {"const": "error", "description": "It is one."},
            "error": {"$ref": "#/components/schemas/MessagesErrorObject", "description": "What went wrong."},
            "request_id": {"type": "string", "description": "The id of the request, as in `x-request-id`."},
        },
    }
    return {"MessagesErrorObject": error, "MessagesErrorBody": body}


def _in_another_form(response: dict[str, Any]) -> dict[str, Any]:
    examples = {
        code: {**example, "value": _other_example(code)}
        for code, example in response["content"]["application/json"]["examples"].items()
    }
    return {**response, "content": {"application/json": {"schema": OTHER_SCHEMA, "examples": examples}}}


def _other_example(code: str) -> Any:
    error = ServiceError(ErrorReason(code.upper()), ERRORS[code])
    return msgspec.json.decode(error_body(error, _REQUEST_ID))


def _example(code: str) -> dict[str, Any]:
    kind = next(each.type for reason, each in RENDERING.items() if reason.value.lower() == code)
    details = {"request_id": _REQUEST_ID}
    return {"error": {"code": code, "message": ERRORS[code], "type": kind, "param": None, "details": details}}
