"""What a description must have, rule by rule: each returns what it has against one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from services.gateway.reference.operations import Whole, operations_of

Complaints = Iterator[str]


def _where(method: str, path: str) -> str:
    return f"{method} {path}"


def resolved(whole: Whole, thing: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference stands for."""
    while "$ref" in thing:
        found: Any = whole
        for part in thing["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        thing = found
    return thing


def ids_are_short_and_unique(whole: Whole) -> Complaints:
    """A program is made of them."""
    ids = Counter(operation["operationId"] for _, _, operation in operations_of(whole))
    for name, count in ids.items():
        if count > 1:
            yield f"{name} names {count} operations: give them names in reference/operations.py"
        if not re.fullmatch(r"[a-z][a-z0-9_]{2,40}", name):
            yield f"{name} is no good name: give it one in reference/operations.py"


def operations_say_what_they_do(whole: Whole) -> Complaints:
    """A line for lists, words, and a group that is described."""
    tags = {tag["name"] for tag in whole["tags"] if tag["description"]}
    for method, path, operation in operations_of(whole):
        if not 3 <= len(operation["summary"]) <= 120 or operation["summary"].endswith("."):
            yield f"{_where(method, path)}: the summary is {operation['summary']!r}"
        if not operation.get("description"):
            yield f"{_where(method, path)}: no description"
        if len(operation["tags"]) != 1 or not tags >= set(operation["tags"]):
            yield f"{_where(method, path)}: its tag is not in reference/words.toml"


def everything_is_explained(whole: Whole) -> Complaints:
    """Schemas, fields, parameters, answers."""
    for name, schema in whole["components"]["schemas"].items():
        if not schema.get("description"):
            yield f"{name} has no words: give the class a docstring"
        if "__" in name or "." in name:
            yield f"{name}: two classes have this name"
        for field, given in (schema.get("properties") or {}).items():
            if not given.get("description"):
                yield f"{name}.{field} has no words: describe it, or its name in reference/words.toml"
    for method, path, operation in operations_of(whole):
        for parameter in operation.get("parameters", []):
            if not parameter.get("description"):
                yield f"{_where(method, path)}: the parameter {parameter['name']} has no words: reference/words.toml"
        for status, response in operation["responses"].items():
            if not resolved(whole, response).get("description"):
                yield f"{_where(method, path)}: {status} has no words"


def errors_are_declared(whole: Whole) -> Complaints:
    """With the schema of errors and an example of each code."""
    for method, path, operation in operations_of(whole):
        needed = {"400", "429"} | ({"401", "403"} if "security" in operation else set())
        if operation["operationId"] in _NEVER_REFUSED:
            needed = set()
        for status in needed - operation["responses"].keys():
            yield f"{_where(method, path)}: no {status}"
        for status, response in operation["responses"].items():
            content = resolved(whole, response).get("content", {})
            if status[0] in "45" and "health" not in operation["tags"] and not _is_error(content):
                yield f"{_where(method, path)}: {status} has no schema of errors"


_NEVER_REFUSED: Final = ("get_authorization_server_metadata", "get_public_keys")
_ERRORS: Final = tuple(f"#/components/schemas/{name}" for name in ("ErrorBody", "MessagesErrorBody", "OAuthError"))


def _is_error(content: dict[str, Any]) -> bool:
    return "text/html" in content or content["application/json"]["schema"].get("$ref") in _ERRORS


def credentials_are_declared(whole: Whole) -> Complaints:
    """By a scheme that is there, with a scope that is there."""
    schemes = whole["components"]["securitySchemes"]
    known = set(schemes["oauth"]["flows"]["authorizationCode"]["scopes"])
    for method, path, operation in operations_of(whole):
        for way in operation.get("security", []):
            for scheme, scopes in way.items():
                if scheme not in schemes or not known >= set(scopes):
                    yield f"{_where(method, path)}: {scheme} {scopes}"


def examples_are_valid(whole: Whole) -> Complaints:
    """Each by the schema of its body; and every JSON body has one."""
    for method, path, operation in operations_of(whole):
        bodies = [("request", operation.get("requestBody", {}))]
        bodies += [(status, resolved(whole, each)) for status, each in operation["responses"].items()]
        for name, body in bodies:
            for kind, content in body.get("content", {}).items():
                yield from (f"{_where(method, path)}, {name}: {said}" for said in _against(whole, kind, content))


def _against(whole: Whole, kind: str, content: dict[str, Any]) -> Complaints:
    examples = [each["value"] for each in content.get("examples", {}).values()]
    examples += [content["example"]] if "example" in content else []
    if kind == "application/json" and not examples:
        yield "no example"
    schema = {**content.get("schema", {}), "components": whole["components"]}
    for example in examples:
        for error in Draft202012Validator(schema).iter_errors(example):
            yield f"{error.json_path}: {error.message[:200]}"


def samples_are_there(whole: Whole) -> Complaints:
    """For a shell and for Python."""
    for method, path, operation in operations_of(whole):
        if [sample["lang"] for sample in operation["x-codeSamples"]] != ["Shell", "Python"]:
            yield f"{_where(method, path)}: no samples"


RULES: Final[tuple[Callable[[Whole], Complaints], ...]] = (
    ids_are_short_and_unique,
    operations_say_what_they_do,
    everything_is_explained,
    errors_are_declared,
    credentials_are_declared,
    examples_are_valid,
    samples_are_there,
)
