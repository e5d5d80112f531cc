"""/console/static/…: the style sheet and the pictures of the pages. Needs no other service."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from servicekit.errors import ErrorReason, InvalidRequest, NotFound
from services.gateway.edge.request_context import context_of
from services.gateway.pages.static_files import CACHE, FILES

STATIC_PATH = "/console/static/{name}"


class StaticFiles:
    """An ASGI endpoint."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        context = context_of(scope)
        context.route = STATIC_PATH
        if scope["method"] not in ("GET", "HEAD"):
            context.headers.append((b"allow", b"GET, HEAD"))
            raise InvalidRequest(ErrorReason.METHOD_NOT_ALLOWED, "A file can only be read.")
        file = FILES.get(scope["path_params"]["name"])
        if file is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is nothing at this path.")
        context.cache_control = CACHE
        headers = [(b"content-type", file.media_type), (b"content-length", str(len(file.body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else file.body})
