"""From the operations of an OpenAPI document to functions that a model can call."""

from collections.abc import Iterator
from typing import Any, Final

_VERBS: Final = ("get", "post", "put", "patch", "delete")


def functions_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a function for every operation.

    Raises:
        AttributeError, TypeError, KeyError: it is no OpenAPI document.
    """
    return [
        _function(verb, path, operations[verb])
        for path, operations in document["paths"].items()
        for verb in _VERBS
        if verb in operations
    ]


def _function(verb: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    name = operation.get("operationId") or verb + "_" + "_".join(
        part for part in path.split("/") if part.isidentifier()
    )
    parts = list(_parameters(operation))
    parameters: dict[str, Any] = {"type": "object", "properties": {name: schema for name, schema, _ in parts}}
    required = [name for name, _, is_required in parts if is_required]
    if required:
        parameters["required"] = required
    description = operation.get("description") or operation.get("summary") or ""
    return {"name": name, "description": description.strip(), "parameters": parameters}


def _parameters(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield name, schema and whether it is required: of the address first, of the body then."""
    for parameter in operation.get("parameters") or []:
        schema = {"type": "string", **(parameter.get("schema") or {})}
        schema["description"] = parameter.get("description", "")
        yield parameter["name"], schema, bool(parameter.get("required"))
    content = (operation.get("requestBody") or {}).get("content") or {}
    body = (content.get("application/json") or {}).get("schema") or {}
    for name, schema in (body.get("properties") or {}).items():
        yield name, schema, name in body.get("required", ())
