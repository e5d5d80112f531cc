"""A browser for tests of pages: keeps cookies, reads forms, posts them back."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from services.gateway.tests.conftest import Edge, visitor
from services.gateway.tests.identity_backends import EMAIL, PASSWORD

AUTHORIZE = "/authorize?response_type=code&client_id=app-1&state=a%2Bb&code_challenge=x&code_challenge_method=S256"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; report-uri /csp-reports; report-to csp; form-action "
)


@dataclass
class Form:
    """One form of a page."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given["action"]))
        elif tag in ("input", "select") and self.found and "name" in given:
            self.found[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and self.found and "name" in given:
            self.found[-1].buttons.append((given["name"], given["value"]))


def forms_of(page: httpx.Response) -> list[Form]:
    """Return the forms of a page."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.found


def form_of(page: httpx.Response, action: str) -> Form:
    """Return the form of a page that posts to `action`."""
    (found,) = [form for form in forms_of(page) if form.action == action][:1]
    return found


def browser(edge: Edge, **headers: str) -> httpx.AsyncClient:
    """Return a browser without cookies; it follows no redirects."""
    return visitor(edge, headers={"accept-language": "en", **headers})


async def submit(client: httpx.AsyncClient, form: Form, **changes: Any) -> httpx.Response:
    """Post a form with some fields filled in; None leaves one out."""
    data = {name: value for name, value in {**form.fields, **changes}.items() if value is not None}
    return await client.post(form.action, data=data, headers={"sec-fetch-site": "same-origin"})


async def log_in(client: httpx.AsyncClient, path: str = "/login") -> httpx.Response:
    """Log in by the form of a page."""
    page = await client.get(path)
    return await submit(client, form_of(page, "/login"), email=EMAIL, password=PASSWORD)
