"""Which parameters a question may have: a misspelt filter would show everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Cookie, Header, Path
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from servicekit.errors import invalid_parameter
from services.gateway.edge.reading.params import parse_params

# Release 1.0 took no notice of more, and clients of OpenAI and Anthropic send what their vendors add (`extra_query`,
# `api-version`, `beta`).
OF_OTHER_CLIENTS: Final = (
    *("/v1/models", "/v1/parameters", "/v1/providers/status", "/v1/auth/key", "/v1/generation"),
    *("/v1/files", "/v1/batches", "/v1/responses", "/v1/organization"),
)


class QueryNames:
    """Parameters of questions, by route.

    Args:
        routes: of the rooms.
        is_open: tells whether anybody may ask at a path: links to these come with what mail programs and pages add.
    """

    def __init__(self, routes: Iterable[BaseRoute], is_open: Callable[[str], bool]) -> None:
        ours = [route for route in routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())]
        self._names = {
            route.path: tuple([field.alias for field in get_flat_params(route.dependant) if _is_in_query(field)])
            for route in ours
            if not _is_of_others(route.path) and not is_open(route.path)
        }

    def check(self, method: str, route: str, raw: bytes) -> None:
        """Refuse a question with a parameter that nobody reads; orders say what they want in their bodies.

        Raises:
            InvalidRequest: names the parameter, and those there are.
        """
        names = self._names.get(route) if raw and method == "GET" else None
        if names is None:
            return
        for name, _ in parse_params(raw):
            if name not in names:
                known = f"there are {', '.join(names)}" if names else "there are none"
                text = f"`{name[:64]}` is no parameter here; {known}."
                raise invalid_parameter(name[:64], text)


def _is_in_query(field: Any) -> bool:
    # Those of a model are fields of pydantic's.
    return not isinstance(field.field_info, Path | Header | Cookie)


def _is_of_others(path: str) -> bool:
    return any(path == theirs or path.startswith(f"{theirs}/") for theirs in OF_OTHER_CLIENTS)
