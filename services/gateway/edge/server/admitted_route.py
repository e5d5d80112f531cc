"""AdmittedRoute: who asks is let in, or refused, before anything of what they sent is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

Admit = Callable[[Scope, str], Awaitable[None]]


class AdmittedRoute(BaseRoute):
    """A route of a room, with `admit(scope, path)` in front of it.

    Not as a dependency of an included router: that reads the body first, and makes each route a second time, when the
    first request comes.
    """

    def __init__(self, route: Route, admit: Admit) -> None:
        self.path_format = route.path_format
        self._route = route
        self._admit = admit

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for the room's route."""
        return self._route.matches(scope)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Return the path of the room's route."""
        return self._route.url_path_for(name, **path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or raise what refuses it; another method than the route's is refused by the route."""
        if scope["method"] in (self._route.methods or ()):
            await self._admit(scope, self._route.path)
        await self._route.handle(scope, receive, send)
