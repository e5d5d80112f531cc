"""A page at an address of the API: what a link in a mail leads to, which programs open as well as people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.responses import HTMLResponse, Response

from services.gateway.edge.origin import header
from services.gateway.edge.request_context import RequestContext
from services.gateway.pages.cookies import LANGUAGE, CookieJar
from services.gateway.pages.language import choose
from services.gateway.pages.policy import page_policy
from services.gateway.pages.rendering import render


def is_for_people(context: RequestContext) -> bool:
    """Tell whether a browser shows what is answered to whoever sits there; programs are answered as everywhere."""
    return "text/html" in header(context.scope, b"accept")


def language_of(context: RequestContext, lang: str = "") -> str:
    """Return what whoever asks reads: what was switched to, now or on another page, then the browser's."""
    headers = context.scope["headers"]
    kept = [CookieJar(secure=secure).read(headers, LANGUAGE) for secure in (True, False)]
    return choose(lang, *kept, header(context.scope, b"accept-language"))


def lone_page(
    context: RequestContext,
    template: str,
    values: Mapping[str, Any],
    *,
    language: str,
    status: int = 200,
    switches: Sequence[tuple[str, str]] = (),
) -> Response:
    """Return a page of nobody in particular; `switches`: each language with the address that shows it in that."""
    context.policy = page_policy()
    known: dict[str, Any] = {"switches": switches, "switch_fields": {}, "user": None}
    return HTMLResponse(render(template, language, {**known, **values}), status)
