"""Logging in by a code that a person enters in a browser (RFC 8628), staying logged in, logging out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx

from razvilka_cli.credentials import (
    Login,
    find_credential,
    forget_credential,
    keep_credential,
    only_one,
)
from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import LOGIN, Place, answer_of, new_client, stranger, talking_to

# Made by the gateway's auth service, the same everywhere.
CLIENT_ID: Final = "razvilka-cli"
SCOPES: Final = (
    *("models:read", "completions:write", "embeddings:write", "usage:read", "notifications:write"),
    *("keys:read", "keys:write", "profile:read"),
)
METADATA: Final = "/.well-known/oauth-authorization-server"
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
# A token that ends while its request is on the way is refused.
EARLY_S: Final = 30.0
SLOWER_S: Final = 5.0
# What answers must have.
_OF_SERVERS: Final = ("issuer", "device_authorization_endpoint", "token_endpoint", "revocation_endpoint")
_OF_DEVICES: Final = ("device_code", "user_code", "verification_uri", "verification_uri_complete")
_OF_TOKENS: Final = ("access_token", "refresh_token", "expires_in")
_ENDS: Final = {
    "access_denied": "The login was refused in the browser.",
    "expired_token": "Nobody entered the code in time.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is to do: open the address, and compare or enter the code."""

    address: str
    whole_address: str
    code: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a gateway's authorization server does what."""

    device: str
    token: str
    revocation: str


def log_in(
    place: Place, scopes: tuple[str, ...], ask: Callable[[Asked], None], sleep: Callable[[float], None] = time.sleep
) -> Login:
    """Return the tokens of a person who entered the code.

    Raises:
        Failure: they refused, nobody came, or the gateway lets nobody in this way.
    """
    client_id = place.profile.client_id or CLIENT_ID
    with talking_to(place.url), new_client(timeout=60) as http:
        endpoints = find_endpoints(http, place.url)
        begun = _posted(http, endpoints.device, client_id=client_id, scope=" ".join(scopes))
        device = _told(begun, *_OF_DEVICES)
        ask(Asked(device["verification_uri"], device["verification_uri_complete"], device["user_code"]))
        wait_s = float(device.get("interval", SLOWER_S))
        given = {"grant_type": DEVICE_CODE, "client_id": client_id, "device_code": device["device_code"]}
        while True:
            answer = _posted(http, endpoints.token, **given)
            error = "" if answer.is_success else _error_of(answer)
            if error not in ("authorization_pending", "slow_down"):
                return _login_of(_told(answer, *_OF_TOKENS), client_id)
            wait_s += SLOWER_S if error == "slow_down" else 0.0
            sleep(wait_s)


def log_out(url: str) -> bool:
    """End the login at the gateway and here; tell whether there was one. What cannot be ended there is ended here."""
    kept = find_credential(url)
    forget_credential(url)
    if isinstance(kept, Login):
        with talking_to(url), new_client(timeout=60) as http:
            endpoints = find_endpoints(http, url)
            _posted(http, endpoints.revocation, client_id=kept.client_id, token=kept.refresh_token)
    return kept is not None


def renewed(url: str, old: Login) -> Login:
    """Return fresh tokens; another run of the program may have fetched them meanwhile.

    Raises:
        Failure: the login is over.
    """
    with only_one(), talking_to(url), new_client(timeout=60) as http:
        kept = find_credential(url)
        if isinstance(kept, Login) and not is_over(kept):
            return kept
        token = find_endpoints(http, url).token
        given = {"grant_type": "refresh_token", "client_id": old.client_id, "refresh_token": old.refresh_token}
        answer = _posted(http, token, **given)
        if not answer.is_success and _error_of(answer) == "invalid_grant":
            forget_credential(url)
            raise Failure("The login is over.", Status.CREDENTIAL, code="invalid_grant", fix=LOGIN)
        fresh = _login_of(_told(answer, *_OF_TOKENS), old.client_id)
        keep_credential(url, fresh)
        return fresh


def find_endpoints(http: httpx.Client, url: str) -> Endpoints:
    """Return where the gateway's authorization server does what.

    Raises:
        Failure: it has none, or one at another address: what is typed for one gateway goes to no other.
    """
    told = _told(http.get(url + METADATA), *_OF_SERVERS)
    issuer = told["issuer"]
    if issuer != url:
        message = f"{url} calls itself {issuer}."
        raise Failure(message, Status.USAGE, code="other_address", fix=f"Use --url {issuer}.")
    return Endpoints(told["device_authorization_endpoint"], told["token_endpoint"], told["revocation_endpoint"])


def _posted(http: httpx.Client, address: str, **form: str) -> httpx.Response:
    return http.post(address, data=form)


def _error_of(answer: httpx.Response) -> str:
    """Return the error's name in an answer of the authorization server, whose errors have a form of their own."""
    error = _body(answer).get("error")
    return error if isinstance(error, str) else ""


def _told(answer: httpx.Response, *needed: str) -> dict[str, Any]:
    """Return the body of an answer that has what is needed."""
    error = _error_of(answer)
    if error:
        message = _ENDS.get(error) or str(_body(answer).get("error_description") or "It lets nobody in this way.")
        raise Failure(message, Status.CREDENTIAL, code=error, fix="Run `razvilka login` again.")
    told = answer_of(answer)
    if not isinstance(told, dict) or not told.keys() >= set(needed):
        raise stranger(answer)
    return told


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _login_of(told: dict[str, Any], client_id: str) -> Login:
    expires_at = time.time() + float(told["expires_in"])
    return Login(client_id, told["access_token"], told["refresh_token"], expires_at, told.get("scope", ""))


def is_over(login: Login) -> bool:
    """Tell whether the access token is not good any more, or not for long."""
    return time.time() + EARLY_S >= login.expires_at
