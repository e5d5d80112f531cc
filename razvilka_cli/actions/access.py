"""`razvilka login`, `logout` and `whoami`."""

from __future__ import annotations

import os
from typing import Any

import click
import httpx

from razvilka_cli.credentials import IN_KEYRING, Login, StoredKey, find_credential, keep_credential
from razvilka_cli.errors import Failure, Status
from razvilka_cli.gateway import KEY_VARIABLE, Place, answer_of, place_of
from razvilka_cli.invocation import Invocation
from razvilka_cli.login import SCOPES, Asked, log_in, log_out
from razvilka_cli.output import note, show_facts, show_json
from razvilka_cli.profiles import FIRST, Profile, read_profiles, write_profiles
from razvilka_cli.session import open_gateway

Body = dict[str, Any]


def start_login(invocation: Invocation, scopes: tuple[str, ...], *, browser: bool) -> None:
    """Log a person in, keep the tokens, and remember the gateway as a profile.

    Raises:
        Failure: they did not let us in.
    """
    place = _named_place(invocation)
    kept_in = keep_credential(place.url, log_in(place, scopes or SCOPES, _ask_by(browser)))
    _tell_kept(invocation, place, kept_in)


def _ask_by(browser: bool) -> Any:
    def ask(asked: Asked) -> None:
        note(f"Open {asked.address} in a browser, on whichever machine, and enter the code {asked.code}")
        if browser:
            import webbrowser

            webbrowser.open(asked.whole_address)

    return ask


def keep_key(invocation: Invocation, stdin: Any) -> None:
    """Keep an API key for the gateway, once it is known to be good there.

    Raises:
        Failure: it is not.
    """
    place = _named_place(invocation)
    key = stdin.readline().strip()
    if not key:
        raise Failure("No key came in.", Status.USAGE, code="no_key", fix="Pipe it in: echo $KEY | razvilka login …")
    with open_gateway(Invocation(url=place.url, key=key)) as client:
        answer_of(client.get("/v1/auth/key"))
    _tell_kept(invocation, place, keep_credential(place.url, StoredKey(key)))


def _named_place(invocation: Invocation) -> Place:
    """Return where to log in, and remember it under its name when that is new."""
    known, name = read_profiles(), invocation.profile
    if name and invocation.url and name not in known.by_name:
        found = place_of(Invocation(url=invocation.url))
        write_profiles(known.with_profile(name, Profile(found.url)))
    place = place_of(invocation)
    if not known.by_name and not name:
        write_profiles(known.with_profile(FIRST, Profile(place.url)))
    return place


def _tell_kept(invocation: Invocation, place: Place, kept_in: str) -> None:
    if invocation.as_json:
        show_json({"url": place.url, "kept_in": "keyring" if kept_in == IN_KEYRING else kept_in})
        return
    note(f"Logged in at {place.url}; kept in {kept_in}.")
    if os.environ.get(KEY_VARIABLE):
        note(f"{KEY_VARIABLE} is set, and counts before that.")


def end_login(invocation: Invocation) -> None:
    """End the login."""
    place = place_of(invocation)
    was_in = log_out(place.url)
    if invocation.as_json:
        show_json({"url": place.url, "was_logged_in": was_in})
        return
    click.echo(f"Logged out at {place.url}." if was_in else f"Nobody was logged in at {place.url}.")


def show_who(invocation: Invocation) -> None:
    """Print who asks: the person as far as they may be told, and what the credential may."""
    place = place_of(invocation)
    with open_gateway(invocation) as client:
        credential = answer_of(client.get("/v1/auth/key"))["data"]
        person = _person(client)
    told = {"url": place.url, "profile": place.profile_name, "by": _by(invocation, place)}
    if invocation.as_json:
        show_json({**told, "person": person, "credential": credential})
        return
    names = ("email", "name", "time_zone")
    show_facts([*told.items(), *((name, person[name]) for name in names if name in person), *credential.items()])


def _person(client: httpx.Client) -> Body:
    response = client.get("/v1/users/me")
    # A credential need not know its person.
    return {} if response.status_code == httpx.codes.FORBIDDEN else dict(answer_of(response))


def _by(invocation: Invocation, place: Place) -> str:
    if invocation.key:
        return "--key"
    if os.environ.get(KEY_VARIABLE) and not place.is_chosen:
        return KEY_VARIABLE
    return "login" if isinstance(find_credential(place.url), Login) else "stored key"
