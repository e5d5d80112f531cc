"""/docs: the description of the API in Swagger UI, from files of ours under the policy of every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope

from servicekit.errors import ServiceError
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.edge.api_description import DOCS_PATH, TITLE
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.errors.json_errors import api_error
from services.gateway.edge.problems import Headers
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import Answer
from services.gateway.pages.policy import REPORTING, scripted_policy
from services.gateway.pages.static_files import URLS
from services.gateway.pages.static_route import read_only

_PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{TITLE}</title>
<link rel="stylesheet" href="{URLS["swagger-ui.css"]}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{URLS["swagger-ui-bundle.js"]}"></script>
<script src="{URLS["api_docs.js"]}"></script>
</body>
</html>
""".encode()
_HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"x-frame-options", b"DENY"),
    REPORTING,
    (b"content-length", str(len(_PAGE)).encode()),
)


def docs_endpoint() -> Endpoint:
    """Return the endpoint."""
    return Endpoint(DOCS_PATH, ("GET", "HEAD"), DocsResponder)


@dataclass(frozen=True, slots=True)
class DocsResponder:
    """Answers one request for the page."""

    scope: Scope
    context: RequestContext

    async def answer(self, receive: Receive) -> Answer:
        """Return the page."""
        self.context.policy = scripted_policy()
        return Answer(200, list(_HEADERS), _PAGE)

    def failed(self, error: OAuthRefused | ServiceError, headers: Headers) -> Answer:
        """Return the error in the API's form."""
        return api_error(self.context, read_only(error), headers)
