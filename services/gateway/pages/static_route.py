"""/console/static/…: the style sheet and the pictures of the pages. Needs no other service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from servicekit.errors import ErrorReason, InvalidRequest, NotFound, ServiceError
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.errors.json_errors import api_error
from services.gateway.edge.origin import header
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import Answer
from services.gateway.pages.compressing import PACKED, VARY, takes_gzip
from services.gateway.pages.static_files import CACHE, FILES

STATIC_PATH: Final = "/console/static/{name}"


def static_endpoint() -> Endpoint:
    """Return the endpoint of all files."""
    return Endpoint(STATIC_PATH, ("GET", "HEAD"), FileResponder)


@dataclass(frozen=True, slots=True)
class FileResponder:
    """Answers one request for a file."""

    scope: Scope
    context: RequestContext

    async def answer(self, receive: Receive) -> Answer:
        """Return the file."""
        file = FILES.get(self.scope["path_params"]["name"])
        if file is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is nothing at this path.")
        self.context.cache_control = CACHE
        packed = bool(file.packed) and takes_gzip(self.scope)
        # Two forms are two representations: each has a tag of its own (RFC 9110 8.8.3).
        tag = b'"%s-gzip"' % file.tag if packed else b'"%s"' % file.tag
        shared = [(b"etag", tag), VARY]
        if _is_known(header(self.scope, b"if-none-match"), tag.decode()):
            return Answer(304, shared, b"")
        body = file.packed if packed else file.body
        headers = [(b"content-type", file.media_type), (b"content-length", str(len(body)).encode()), *shared]
        return Answer(200, [*headers, PACKED] if packed else headers, b"" if self.scope["method"] == "HEAD" else body)

    def failed(self, error: OAuthRefused | ServiceError, headers: Headers) -> Answer:
        """Return the error in the API's form: who asks for a file is a program."""
        return api_error(self.context, read_only(error), headers)


def _is_known(tags: str, tag: str) -> bool:
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in tags.split(","))


def read_only(error: OAuthRefused | ServiceError) -> ServiceError:
    """Return the refusal of every method that does not read, as an error of the API."""
    if isinstance(error, OAuthRefused):
        return InvalidRequest(ErrorReason.METHOD_NOT_ALLOWED, "A file can only be read.")
    return error
