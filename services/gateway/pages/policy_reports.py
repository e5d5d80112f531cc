"""/csp-reports: what browsers refused to do on our pages (Reporting API; CSP 3 5). Counted, never kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.types import Receive, Scope

from servicekit.errors import ErrorReason, InvalidRequest, ServiceError
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.edge.endpoint import Endpoint, RequestLimit
from services.gateway.edge.errors.json_errors import api_error
from services.gateway.edge.problems import Headers
from services.gateway.edge.reading.body import SMALL, read_body
from services.gateway.edge.reading.json_body import strict_json
from services.gateway.edge.reading.params import content_type
from services.gateway.edge.request_context import RequestContext
from services.gateway.edge.respond import Answer
from services.gateway.pages import metrics
from services.gateway.pages.policy import REPORTS_PATH

log = structlog.get_logger()

# Of one delivery: a browser collects them.
MAX_REPORTS: Final = 20
_TYPES: Final = (b"application/csp-report", b"application/reports+json")
_DIRECTIVES: Final = frozenset(
    [
        "default-src",
        "script-src",
        "script-src-elem",
        "script-src-attr",
        "style-src",
        "style-src-elem",
        "style-src-attr",
        "img-src",
        "connect-src",
        "font-src",
        "form-action",
        "frame-ancestors",
        "frame-src",
        "base-uri",
        "object-src",
    ]
)


def reports_endpoint(limit: RequestLimit) -> Endpoint:
    """Return the endpoint; `limit` binds an address."""
    return Endpoint(REPORTS_PATH, ("POST",), ReportResponder, limit)


@dataclass(frozen=True, slots=True)
class ReportResponder:
    """Takes one delivery."""

    scope: Scope
    context: RequestContext

    async def answer(self, receive: Receive) -> Answer:
        """Count what is reported.

        Raises:
            InvalidRequest: it is no report.
        """
        if content_type(self.scope) not in _TYPES:
            raise InvalidRequest(ErrorReason.UNSUPPORTED_MEDIA_TYPE, "This takes reports of browsers.")
        body = await read_body(self.scope, receive, SMALL)
        for directive in directives_of(await strict_json(body)):
            metrics.POLICY_REPORTS.labels(directive).inc()
            log.warning("pages.policy_violated", directive=directive)
        return Answer(204, [], b"")

    def failed(self, error: OAuthRefused | ServiceError, headers: Headers) -> Answer:
        """Return the error in the API's form: who reports is a program."""
        if isinstance(error, OAuthRefused):
            reason = ErrorReason.RATE_LIMIT_EXCEEDED if error.status == 429 else ErrorReason.METHOD_NOT_ALLOWED
            error = InvalidRequest(reason, error.description)
        return api_error(self.context, error, headers)


def directives_of(delivered: Any) -> list[str]:
    """Return which rules were broken, from either form of a report; words that are no directive are "other"."""
    reports = delivered if isinstance(delivered, list) else [delivered]
    return [_directive(report) for report in reports[:MAX_REPORTS] if isinstance(report, dict)]


def _directive(report: dict[str, Any]) -> str:
    body = report.get("body", report.get("csp-report"))
    fields = body if isinstance(body, dict) else {}
    said = fields.get("effectiveDirective") or fields.get("effective-directive") or fields.get("violated-directive")
    word = said.split(" ")[0] if isinstance(said, str) else ""
    return word if word in _DIRECTIVES else "other"
