"""Whom pages are shown to, and which: the demo user, the biggest user, visitors."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any, Final

import httpx
from razvilka.auth.v1 import account_pb2, account_pb2_grpc, auth_pb2

from servicekit.rpc_client import unary
from services.gateway.pages.menu import menu
from tools.accounts.demo import Auth
from tools.browser.forms import form_with

DEADLINE_S: Final = 10.0
TIMEOUT_S: Final = 120
PUBLIC: Final = (
    "/",
    "/status",
    "/login",
    "/registration",
    "/docs",
    "/docs?q=key",
    "/docs/administration",
    "/docs/errors",
)
# The usage page asks most of the statistics; these questions cost most of the answers.
USAGE: Final = (
    "/console/usage?period=30d&group_by=model&bucket=day",
    "/console/usage?period=30d&group_by=key&metric=latency",
    "/console/usage?period=7d&group_by=status&bucket=hour",
    "/console/usage?period=all&group_by=model&bucket=month",
    "/console/requests?period=30d&status=failed",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever logs in; `limit_ms`: of the 95th percentile of the time that the server takes for a page of theirs."""

    whose: str
    email: str
    password: str
    limit_ms: float


def pages_of_member() -> tuple[str, ...]:
    """Return every page of the menu, and the heavy questions."""
    sections = [section.path for group in menu() for section in group.sections]
    return (*[path for path in sections if path.startswith("/console")], *USAGE)


def visitor(url: str) -> httpx.Client:
    """Return a browser that takes packed pages."""
    return httpx.Client(base_url=url, timeout=TIMEOUT_S, headers={"accept": "text/html", "accept-encoding": "gzip"})


def log_in(client: httpx.Client, person: Person) -> None:
    """Log in by the form.

    Raises:
        RuntimeError: there is none, or it does not let in.
    """
    form = form_with(client.get("/login").text, "password")
    if form is None:
        raise RuntimeError("there is no login form")
    answer = client.post(form.action, data=dict(form.filled(email=person.email, password=person.password)))
    if answer.status_code != 303:
        raise RuntimeError(f"the login of {person.whose} was answered by {answer.status_code}")


def seed(auth: Auth, whose: str, limit_ms: float) -> tuple[Person, str]:
    """Make an account; return who it is, and its id."""
    person = Person(whose, f"u{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(18), limit_ms)
    return person, asyncio.run(_seed(auth, person))


async def _seed(auth: Auth, person: Person) -> str:
    async with auth.channel() as channel:
        accounts: Any = account_pb2_grpc.AccountServiceStub(channel)
        asked = account_pb2.SeedUserRequest(email=person.email, password=person.password, tier=auth_pb2.TIER_ENTERPRISE)
        made = await unary(accounts.SeedUser, asked, deadline_s=DEADLINE_S)
        return str(made.user_id)
