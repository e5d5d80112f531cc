"""A browser of a few lines: cookies, redirects within the gateway, forms. It runs no script; the pages need none."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx

from tools.browser.forms import Form, form_with

Params = Mapping[str, str] | Sequence[tuple[str, str]]
MAX_STEPS = 12


class Person(Protocol):
    """Somebody who can log in."""

    @property
    def email(self) -> str:
        """Return the address."""

    @property
    def password(self) -> str:
        """Return the password."""


class LostError(Exception):
    """The pages lead nowhere."""


def any_address() -> str:
    """Return an address for a browser of its own (RFC 2544's test network, so that nobody is meant)."""
    return f"198.18.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"


class Browser:
    """One person's browser. The gateway of the tests believes the forwarded address, so guessing limits stay apart."""

    def __init__(self, url: str, *, address: str = "", language: str = "en") -> None:
        self.url = url
        headers = {"accept-language": language, "x-forwarded-for": address or any_address()}
        self.http = httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.http.close()

    def get(self, path: str, params: Params | None = None) -> httpx.Response:
        """Open a page; follow nothing."""
        given: Sequence[tuple[str, str]] = list(params.items()) if isinstance(params, Mapping) else params or []
        return self.http.get(path, params=httpx.QueryParams(tuple(given))) if given else self.http.get(path)

    def send(self, form: Form, headers: Mapping[str, str] | None = None, **values: str | None) -> httpx.Response:
        """Send a form with these values."""
        return self.post(form.action, form.filled(**values), headers)

    def post(
        self, path: str, fields: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Post fields as a form does, repeated ones too."""
        body = str(httpx.QueryParams(list(fields)))
        sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.http.post(path, content=body, headers=sent)

    def log_in(self, person: Person) -> httpx.Response:
        """Log in on the page for it."""
        form = form_with(self.get("/login").text, "password")
        if form is None:
            raise LostError("there is no login form")
        return self.send(form, email=person.email, password=person.password)

    def walk(self, answer: httpx.Response, person: Person | None, *, decision: str = "approve", **values: Any) -> str:
        """Do what the pages ask until the browser is sent elsewhere; return where.

        Args:
            answer: of the first request.
            person: who logs in.
            decision: what the person answers to consent.
            values: further fields of the consent form.

        Raises:
            LostError: there is a page that asks for something else.
        """
        for _ in range(MAX_STEPS):
            if answer.is_redirect:
                location = str(answer.headers["location"])
                if not self._is_own(location):
                    return location
                answer = self.get(location)
            elif (form := form_with(answer.text, "decision")) is not None:
                answer = self.send(form, decision=decision, **values)
            elif (form := form_with(answer.text, "password")) is not None and person is not None:
                answer = self.send(form, email=person.email, password=person.password)
                person = None
            else:
                raise LostError(f"the pages lead nowhere: {answer.status_code} {answer.text[:2000]}")
        raise LostError("the pages lead in a circle")

    def _is_own(self, location: str) -> bool:
        return location.startswith(("/", f"{self.url}/"))


def answer_in(location: str) -> dict[str, str]:
    """Return the parameters a client gets by a redirect.

    Raises:
        LostError: one came twice.
    """
    answer = parse_qs(urlsplit(location).query, keep_blank_values=True, strict_parsing=True)
    if any(len(values) != 1 for values in answer.values()):
        raise LostError(f"a parameter came twice: {sorted(answer)}")
    return {name: values[0] for name, values in answer.items()}
