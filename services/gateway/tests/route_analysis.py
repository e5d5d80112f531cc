"""What FastAPI finds out about a route, once a process: two thirds of a gateway's start, and each test starts one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import fastapi.routing
import pytest
from fastapi.dependencies.models import Dependant


@contextmanager
def analysed_once() -> Iterator[None]:
    """Remember, of each endpoint's code at a path, what its signature says; the function itself is the new one.

    Endpoints are closures over what one gateway is made of, and are annotated with what their modules name: the same
    code has the same parameters and the same result in every gateway.
    """
    names = vars(fastapi.routing)
    analyse, to_field = names["get_dependant"], names["create_model_field"]
    returned = names["get_typed_return_annotation"]
    dependants: dict[Hashable, Dependant] = {}
    fields: dict[Hashable, Any] = {}
    annotations: dict[Hashable, Any] = {}

    def dependant_of(*, path: str, call: Callable[..., Any], **given: Any) -> Dependant:
        key = (path, _code(call), repr(given))
        if key not in dependants:
            dependants[key] = analyse(path=path, call=call, **given)
        found = dependants[key]
        return replace(found, call=call, dependencies=list(found.dependencies))

    def field_of(name: str, type_: Any, **given: Any) -> Any:
        key = (name, repr(type_), repr(given))
        if key not in fields:
            fields[key] = to_field(name, type_, **given)
        return fields[key]

    def returned_by(call: Callable[..., Any]) -> Any:
        key = _code(call)
        if key not in annotations:
            annotations[key] = returned(call)
        return annotations[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fastapi.routing, "get_dependant", dependant_of)
        patch.setattr(fastapi.routing, "create_model_field", field_of)
        patch.setattr(fastapi.routing, "get_typed_return_annotation", returned_by)
        yield


def _code(call: Callable[..., Any]) -> Hashable:
    # Of functions made in a loop the code is the same and the annotations need not be.
    return getattr(call, "__code__", call), repr(getattr(call, "__annotations__", None))
