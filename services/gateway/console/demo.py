"""The demo account of a local suite, as its file tells it: the front door lets anybody at this machine enter as it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from services.gateway.clients.oauth_views import Origin
from services.gateway.edge.origin import header
from services.gateway.pages.page_context import PageContext

# As `make up` writes them.
_EXPORT: Final = "export "
_NAMES: Final = ("RAZVILKA_DEMO_EMAIL", "RAZVILKA_DEMO_PASSWORD", "RAZVILKA_API_KEY")


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """Who a visitor may enter as, and a key that works."""

    email: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)


class DemoFile:
    """Reads the file when it is asked: the account is made after the gateway has started. None: there is no file."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def account(self, visitor: Origin) -> DemoAccount | None:
        """Return the account for a visitor at this machine; nobody else is let in without a password."""
        if self._path is None or not is_here(visitor.ip):
            return None
        try:
            lines = self._path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        known = dict(line.removeprefix(_EXPORT).split("=", 1) for line in lines if "=" in line)
        email, password, api_key = (known.get(name, "") for name in _NAMES)
        return DemoAccount(email, password, api_key) if email and password and api_key else None


def is_local(page: PageContext) -> bool:
    """Tell whether a visitor is at this very machine, and opened the page by its own name.

    A site elsewhere may have a name that leads here (DNS rebinding): its scripts come from here, too, with its name.
    """
    return is_here(page.origin.ip) and is_here(_name_in(header(page.scope, b"host")))


def _name_in(host: str) -> str:
    """Return the name in a Host header, "" when it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_here(host: str) -> bool:
    """Tell whether an address or a name is that of this very machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
