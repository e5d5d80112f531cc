"""Operations of the description -> what a page shows of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from services.gateway.reference.operations import Operation, Whole, operations_of
from services.gateway.reference.shown.fields import Field, NamedType, fields_of, kind_of, limits_of, named_types
from services.gateway.reference.shown.openai_client import openai_program

# Codes of errors, each with what is said of it, by status.
Codes = Mapping[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent or answered in one media type. Without fields, `kind` says what it is."""

    media_type: str
    kind: str
    fields: tuple[Field, ...]
    example: str


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer that is no error of ours: by status, what is said of it, and its bodies."""

    status: str
    said: str
    bodies: tuple[Body, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A program that calls the operation; `name` is also part of its id on the page."""

    name: str
    label: str
    source: str


@dataclass(frozen=True, slots=True)
class ShownOperation:
    """One operation. `scopes` is None where no credential is asked for, () where any will do."""

    id: str
    method: str
    path: str
    room: str
    summary: str
    said: str
    scopes: tuple[str, ...] | None
    parameters: tuple[tuple[str, Field], ...]
    bodies: tuple[Body, ...]
    answers: tuple[GivenAnswer, ...]
    errors: tuple[tuple[str, tuple[str, ...]], ...]
    samples: tuple[Sample, ...]

    @property
    def can_be_run(self) -> bool:
        """Tell whether a page may run it: it only reads, and answers something to look at."""
        kinds = [body.media_type for answer in self.answers if answer.status == "200" for body in answer.bodies]
        return self.method == "GET" and kinds == ["application/json"]


@dataclass(frozen=True, slots=True)
class Room:
    """Operations that belong together, with the types that they name."""

    name: str
    said: str
    operations: tuple[ShownOperation, ...]
    types: tuple[NamedType, ...]


def rooms_of(whole: Whole) -> tuple[Room, ...]:
    """Return the rooms in the order in which the description has them."""
    codes = codes_of(whole)
    by_path = sorted(operations_of(whole), key=itemgetter(1))
    shown = [_shown(method, path, operation, whole, codes) for method, path, operation in by_path]
    return tuple(
        _room(tag["name"], tag["description"], [each for each in shown if each.room == tag["name"]], whole)
        for tag in whole["tags"]
    )


def codes_of(whole: Whole) -> Codes:
    """Return the codes of errors, each with what is said of it, by status."""
    return {
        name.removeprefix("Error"): tuple(
            (code, example["summary"]) for code, example in _content(response)["examples"].items()
        )
        for name, response in whole["components"]["responses"].items()
        if name.startswith("Error")
    }


def scopes_of(whole: Whole) -> Mapping[str, str]:
    """Return the scopes, each with what is said of it."""
    scopes: Mapping[str, str] = whole["components"]["securitySchemes"]["oauth"]["flows"]["clientCredentials"]["scopes"]
    return scopes


def _content(response: Mapping[str, Any]) -> Any:
    return response["content"]["application/json"]


def _room(name: str, said: str, operations: list[ShownOperation], whole: Whole) -> Room:
    fields = [field for operation in operations for field in _all_fields(operation)]
    return Room(name, said, tuple(operations), tuple(named_types(fields, whole["components"]["schemas"])))


def _all_fields(operation: ShownOperation) -> Iterator[Field]:
    yield from (field for _, field in operation.parameters)
    for body in (*operation.bodies, *(body for answer in operation.answers for body in answer.bodies)):
        yield from body.fields


def _shown(method: str, path: str, operation: Operation, whole: Whole, codes: Codes) -> ShownOperation:
    responses = operation["responses"]
    errors = {status: codes[status] for status, response in responses.items() if "$ref" in response}
    return ShownOperation(
        id=operation["operationId"],
        method=method,
        path=path,
        room=operation["tags"][0],
        summary=operation["summary"],
        said=operation["description"].partition("\n\nScope:")[0].partition("\n\nAny credential may.")[0],
        scopes=_scopes(operation),
        parameters=tuple((each["in"], _parameter(each)) for each in operation.get("parameters", ())),
        bodies=_bodies(operation.get("requestBody", {}), whole),
        answers=tuple(
            GivenAnswer(status, response["description"], _bodies(response, whole))
            for status, response in sorted(responses.items())
            if "$ref" not in response
        ),
        errors=tuple((status, tuple(code for code, _ in said)) for status, said in sorted(errors.items())),
        samples=_samples(operation),
    )


def _scopes(operation: Operation) -> tuple[str, ...] | None:
    needed = operation.get("security")
    return tuple(next(iter(needed[0].values()))) if needed else None


def _parameter(given: Mapping[str, Any]) -> Field:
    schema = given.get("schema", {})
    said = given.get("description", "")
    return Field(given["name"], kind_of(schema), bool(given.get("required")), said, limits_of(schema))


def _bodies(holder: Mapping[str, Any], whole: Whole) -> tuple[Body, ...]:
    return tuple(_body(kind, content, whole) for kind, content in holder.get("content", {}).items())


def _body(media_type: str, content: Mapping[str, Any], whole: Whole) -> Body:
    schema, schemas = content.get("schema", {}), whole["components"]["schemas"]
    example = content.get("example")
    shown = "" if example is None else json.dumps(example, ensure_ascii=False, indent=2)
    kind = "".join(part.text for part in kind_of(schema)) if schema else ""
    return Body(media_type, kind, tuple(fields_of(schema, schemas)), shown)


def _samples(operation: Operation) -> tuple[Sample, ...]:
    given = [Sample(each["lang"].lower(), each["label"], each["source"]) for each in operation["x-codeSamples"]]
    own = openai_program(operation)
    return (*given, *([Sample("openai", "Python (openai)", own)] if own else []))
