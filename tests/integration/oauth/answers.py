"""What tests say about answers of the authorization server."""

import re
from typing import Final

import httpx

from tools.browser.browser import answer_in

# RFC 6749 4.1.2.1 and 5.2: what an error and its description may be made of.
PLAIN: Final = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
LEAKS: Final = ("Traceback", "asyncpg", "grpc", '"detail"', "pydantic", "/services/")


def assert_no_leak(answer: httpx.Response) -> None:
    """Nothing of how we are made is in an answer, whatever was asked."""
    assert answer.status_code < 500, answer.text
    # What was asked is said again in links; a random challenge may have any four letters in it.
    ours = answer.text
    for value in answer.request.url.params.values():
        ours = ours.replace(value, "") if value else ours
    assert not any(leak in ours for leak in LEAKS), answer.text


def assert_error_page(answer: httpx.Response) -> None:
    """The error is shown to the person: no redirect, no login form, nothing stored."""
    assert_no_leak(answer)
    assert answer.status_code == 400, answer.text
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert 'type="password"' not in answer.text
    assert 'name="decision"' not in answer.text


def assert_error_redirect(answer: httpx.Response, redirect_uri: str, issuer: str, state: str | None, *errors: str):
    """The error goes to the registered address, with state and issuer and without a code."""
    assert answer.status_code in (302, 303), answer.text
    location = answer.headers["location"]
    assert location.startswith(redirect_uri + ("&" if "?" in redirect_uri else "?")), location
    told = answer_in(location)
    assert told["error"] in errors, told
    assert told.get("state") == state
    assert told["iss"] == issuer
    assert "code" not in told
    assert PLAIN.fullmatch(told.get("error_description", ""))


def assert_refused(answer: httpx.Response, *errors: str, statuses: tuple[int, ...] = (400,)) -> None:
    """An endpoint for programs refuses as RFC 6749 5.2 has it: status, JSON, no-store, no token."""
    assert_no_leak(answer)
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["error"] in errors, body
    assert set(body) <= {"error", "error_description", "error_uri"}
    assert PLAIN.fullmatch(body.get("error_description", ""))
    basic = answer.headers.get("www-authenticate", "").startswith("Basic")
    if answer.request.headers.get("authorization", "").startswith("Basic") and answer.status_code == 401:
        assert basic


def is_code_free(answer: httpx.Response) -> bool:
    """Say that no code came with an answer."""
    return "code" not in answer_in(answer.headers["location"]) if answer.is_redirect else True
