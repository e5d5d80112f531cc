"""The demo account, made once: a person of the enterprise tier, a key, an administrator's key, two OAuth clients.

`python -m tools.accounts.demo AUTH_TARGET TLS_DIR FILE URL` calls auth with the operator's certificate in TLS_DIR,
keeps them in FILE and prints what is in it.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final

from grpc.aio import Channel
from razvilka.auth.v1 import oauth_pb2

from servicekit.rpc_client import Peer, open_channel
from tools.accounts.calls import DemoCalls, DemoClient
from tools.private_file import write_private

EMAIL: Final = "demo@example.com"
EXPORT: Final = "export "
REGISTRATION_TOKEN: Final = "RAZVILKA_REGISTRATION_TOKEN"
# Of a loopback address any port will do; this one is what examples listen on.
REDIRECT_URI: Final = "http://127.0.0.1:8399/callback"
BROWSER_GRANTS: Final = ("authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code")
SCOPES: Final = (
    "models:read", "completions:write", "embeddings:write", "usage:read", "notifications:write",
    "keys:read", "keys:write", "profile:read", "profile:write", "clients:write", "openid", "profile", "email",
)  # fmt: skip


# What a key has that names none, and keys of its own: the first thing that examples show beside an answer.
KEY_SCOPES: Final = (
    "models:read", "completions:write", "embeddings:write", "usage:read", "notifications:write",
    "keys:read", "keys:write",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Demo:
    """What the file holds; address and password are empty where people cannot be seeded."""

    url: str
    api_key: str = field(repr=False)
    admin_key: str = field(repr=False)
    demo_user_id: str
    demo_email: str = ""
    demo_password: str = field(default="", repr=False)
    public_client_id: str = ""
    confidential_client_id: str = ""
    confidential_client_secret: str = field(default="", repr=False)
    registration_token: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """Return the file's text, one exported variable a line: programs started after `source` see them too."""
        return "".join(f"{EXPORT}{_variable(each.name)}={getattr(self, each.name)}\n" for each in fields(self))


def demo_from(known: Mapping[str, str]) -> Demo:
    """Return what a file said."""
    return Demo(**{each.name: known.get(_variable(each.name), "") for each in fields(Demo)})


def _variable(name: str) -> str:
    return f"RAZVILKA_{name.upper()}"


@dataclass(frozen=True, slots=True)
class Auth:
    """Where auth is, and the operator's certificate."""

    target: str
    tls_dir: Path

    def channel(self) -> AbstractAsyncContextManager[Channel]:
        """Return a channel to it, to be entered."""
        return open_channel(self.target, Peer("auth", self.tls_dir))


async def ensure_demo(file: Path, *, auth: Auth, url: str, registration_token: str = "") -> Demo:
    """Return a demo account that works, making what is missing, and write the file.

    Where people cannot be seeded (in production) nothing is made: the file goes on saying what it said.
    """
    known = demo_from(read_env_file(file))
    async with auth.channel() as channel:
        calls = DemoCalls(channel)
        person = await _person(calls, known)
        if person is None:
            return replace(known, url=url)
        user_id, email, password = person
        public, confidential = await _clients(calls, user_id, known)
        demo = Demo(
            url,
            await _key(calls, user_id, known.api_key, "demo", KEY_SCOPES),
            await _key(calls, user_id, known.admin_key, "demo administrator", ("admin",)),
            user_id,
            email,
            password,
            public.client_id,
            confidential.client_id,
            confidential.secret,
            registration_token,
        )
    write_private(file, demo.text)
    return demo


async def _person(auth: DemoCalls, known: Demo) -> tuple[str, str, str] | None:
    # The key's holder comes first: what was made before people could log in gets a password now.
    known_id = await auth.holder(known.api_key) or known.demo_user_id
    email = await auth.email_of(known_id) or known.demo_email or EMAIL
    password = known.demo_password or secrets.token_urlsafe(18)
    seeded = await auth.seed(email, password)
    return None if seeded is None else (seeded, email, password)


async def _key(auth: DemoCalls, user_id: str, known: str, name: str, scopes: tuple[str, ...]) -> str:
    return known if await auth.holder(known) == user_id else await auth.new_key(user_id, name, scopes)


async def _clients(auth: DemoCalls, user_id: str, known: Demo) -> tuple[DemoClient, DemoClient]:
    there = await auth.client_ids(user_id)
    public = DemoClient(known.public_client_id)
    confidential = DemoClient(known.confidential_client_id, known.confidential_client_secret)
    if public.client_id not in there:
        public = await auth.new_client(_order(user_id, "Demo: public client", confidential=False))
    if confidential.client_id not in there or not confidential.secret:
        confidential = await auth.new_client(_order(user_id, "Demo: confidential client", confidential=True))
    return public, confidential


def _order(user_id: str, name: str, *, confidential: bool) -> oauth_pb2.CreateClientRequest:
    own = ("client_credentials",) if confidential else ()
    return oauth_pb2.CreateClientRequest(
        owner_user_id=user_id,
        name=name,
        confidential=confidential,
        redirect_uris=[REDIRECT_URI],
        scopes=SCOPES,
        grant_types=[*BROWSER_GRANTS, *own],
        by_operator=True,
    )


def read_env_file(file: Path) -> dict[str, str]:
    """Return the variables of a file of `export NAME=value` or NAME=value lines, {} when there is none."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.removeprefix(EXPORT).split("=", 1) for line in lines if "=" in line)


async def main(auth_target: str, tls_dir: str, file: str, url: str) -> None:
    """Make the account and print the file."""
    token = os.environ.get(REGISTRATION_TOKEN, "")
    auth = Auth(auth_target, Path(tls_dir))
    made = await ensure_demo(Path(file), auth=auth, url=url, registration_token=token)
    sys.stdout.write(made.text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
