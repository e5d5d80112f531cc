"""Which gateway, as whom, and its HTTP API with failures as sentences."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from razvilka_cli.errors import Failure, Status
from razvilka_cli.invocation import Invocation
from razvilka_cli.profiles import Profile, read_profiles

TIMEOUT_S: Final = 60.0
HERE: Final = "http://127.0.0.1:8080"
URL_VARIABLE: Final = "RAZVILKA_URL"
KEY_VARIABLE: Final = "RAZVILKA_API_KEY"
LOGIN: Final = "Run `razvilka login`, or set RAZVILKA_API_KEY."
_BY_STATUS: Final = {401: Status.CREDENTIAL, 403: Status.CREDENTIAL, 429: Status.LIMIT}
# What to do about errors by their code; other refusals say it themselves.
_FIXES: Final = {
    "auth_required": LOGIN,
    "invalid_key": LOGIN,
    "invalid_token": LOGIN,
    "token_expired": LOGIN,
    "insufficient_user_authentication": "This needs a fresh login: run `razvilka login` and try again.",
    "insufficient_scope": "`razvilka login` asks for all that a person may; of a key, its maker decides.",
    "model_not_found": "`razvilka models` lists them.",
    "model_not_allowed": "`razvilka models` lists those that this credential may use.",
    "budget_exceeded": "`razvilka budgets list` shows them.",
    "quota_exceeded": "`razvilka budgets list` shows them.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway's address, and the profile that named it; `is_chosen`: by name, and no other key is meant for it."""

    url: str
    profile_name: str
    profile: Profile
    is_chosen: bool


def place_of(invocation: Invocation) -> Place:
    """Return where to go: --url, the profile that is named, RAZVILKA_URL, the default profile, this machine.

    Raises:
        Failure: there is no such profile, or it is no address.
    """
    profiles = read_profiles()
    name = invocation.profile or profiles.default
    profile = profiles.named(name) if name else Profile("")
    chosen = bool(invocation.profile) and not invocation.url
    given = invocation.url or (profile.url if chosen else os.environ.get(URL_VARIABLE) or profile.url) or HERE
    return Place(clean_url(given), name, profile, chosen)


def clean_url(given: str) -> str:
    """Return a gateway's address without a slash or /v1 at its end.

    Raises:
        Failure: it is no http or https address.
    """
    parts = _split(given)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise _bad_address(_without_secret(given), "It looks like https://llm.example.com.")
    if parts.username or parts.password:
        raise _bad_address(_without_secret(given), "Keys belong into RAZVILKA_API_KEY.")
    return given.rstrip("/").removesuffix("/v1").rstrip("/")


def _without_secret(given: str) -> str:
    # What stands before an @ may be a password, and errors go into logs.
    before, at, host = given.rpartition("@")
    return f"{before.partition('://')[0]}://…@{host}" if at and "://" in before else f"…@{host}" if at else given


def _split(given: str) -> Any:
    try:
        parts = urlsplit(given)
        _ = parts.port  # raises when it is no number
    except ValueError:
        return None
    return parts


def _bad_address(given: str, fix: str) -> Failure:
    return Failure(f"{given!r} is no gateway's address.", Status.USAGE, code="bad_url", fix=fix)


def new_client(**options: Any) -> httpx.Client:
    """Return a client as the environment wants it: by its proxy, with its certificates.

    Raises:
        Failure: it cannot be had that way.
    """
    try:
        return httpx.Client(**options)
    except (ImportError, ValueError, OSError) as exc:
        said = "The proxy or the certificates that the environment names cannot be used"
        fix = "See ALL_PROXY, HTTPS_PROXY, HTTP_PROXY and SSL_CERT_FILE."
        raise Failure(f"{said}: {exc}.", Status.USAGE, code="environment", fix=fix) from exc


@contextmanager
def talking_to(url: str) -> Iterator[None]:
    """Say it in a sentence when nobody answers.

    Raises:
        Failure: instead of any error of the connection.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        said = str(exc) or type(exc).__name__
        fix = "Is it running, and is --url right?"
        raise Failure(f"{url}: {said}.", Status.UNREACHABLE, code="unreachable", fix=fix) from exc


def answer_of(response: httpx.Response) -> Any:
    """Return the body of an answer. Whoever asks it for something that is not in it hears that it is no gateway's.

    Raises:
        Failure: the gateway refused, in its own words, or it is no gateway.
    """

    class Told(dict[str, Any]):
        """An object of the answer, at any depth."""

        def __missing__(self, name: str) -> Any:
            raise stranger(response)

    check(response)
    try:
        told = response.json(object_hook=Told)
    except ValueError as exc:
        raise stranger(response) from exc
    if not isinstance(told, dict):
        raise stranger(response)
    return told


def check(response: httpx.Response) -> None:
    """Do nothing when the gateway did what it was asked.

    Raises:
        Failure: it refused, in its own words, or it is no gateway.
    """
    if response.is_success:
        return
    response.read()
    try:
        error = response.json()["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError) as exc:
        raise stranger(response) from exc
    raise refusal(code, message, response.status_code, response.headers.get("retry-after", ""))


def refusal(code: str, message: str, http_status: int, retry_after: str = "") -> Failure:
    """Return a refusal of the gateway, with what to do about it."""
    fix = _FIXES.get(code, "")
    if retry_after:
        fix = f"{fix} Try again in {retry_after} s.".strip()
    kind = Status.SERVER if http_status >= 500 else _BY_STATUS.get(http_status, Status.REFUSED)
    return Failure(message, kind, code=code, fix=fix)


def stranger(response: httpx.Response) -> Failure:
    """Return what is said of an answer that no gateway gives."""
    said = f"{response.request.url} answered {response.status_code}, and not as a gateway does."
    kind = Status.SERVER if response.status_code >= 500 else Status.REFUSED
    return Failure(said, kind, code="no_gateway", fix="Is --url right?")
