"""A client of the gateway that proves who asks, and stays good however long a command takes."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from razvilka_cli.credentials import Credential, StoredKey, find_credential
from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import KEY_VARIABLE, LOGIN, TIMEOUT_S, Place, answer_of, new_client, place_of, talking_to
from razvilka_cli.invocation import Invocation
from razvilka_cli.login import is_over, renewed


@contextmanager
def open_gateway(invocation: Invocation, *, read_s: float = TIMEOUT_S) -> Iterator[httpx.Client]:
    """Yield a client of the gateway that sends the credential in force; `read_s`: how long it waits for an answer.

    Raises:
        Failure: there is no credential, or nobody answers.
    """
    place = place_of(invocation)
    proof, timeout = credential_of(invocation, place), httpx.Timeout(TIMEOUT_S, read=read_s)
    with talking_to(place.url), new_client(base_url=place.url, timeout=timeout, auth=proof) as client:
        yield client


def get(invocation: Invocation, path: str, params: Mapping[str, Any] | None = None) -> Any:
    """Return what the gateway answers.

    Raises:
        Failure: it refused.
    """
    with open_gateway(invocation) as client:
        return answer_of(client.get(path, params=params))


def credential_of(invocation: Invocation, place: Place) -> httpx.Auth:
    """Return what proves who asks: --key, RAZVILKA_API_KEY, or what `login` kept for this gateway.

    A profile that was chosen by name is never sent the key of the environment.

    Raises:
        Failure: there is none.
    """
    key = invocation.key or ("" if place.is_chosen else os.environ.get(KEY_VARIABLE, ""))
    kept = StoredKey(key) if key else find_credential(place.url)
    if kept is None:
        raise Failure(f"Nobody is logged in at {place.url}.", Status.CREDENTIAL, code="no_credential", fix=LOGIN)
    return _Bearer(place.url, kept)


class _Bearer(httpx.Auth):
    """Sends a key, or an access token that is still good."""

    def __init__(self, url: str, credential: Credential) -> None:
        self._url = url
        self._credential = credential

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._secret()}"
        yield request

    def _secret(self) -> str:
        if isinstance(self._credential, StoredKey):
            return _sendable(self._credential.key)
        if is_over(self._credential):
            self._credential = renewed(self._url, self._credential)
        return self._credential.access_token


def _sendable(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Failure("This is no API key.", Status.CREDENTIAL, code="invalid_key", fix="Copy it once more.")
    return key
