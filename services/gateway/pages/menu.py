"""The sections of the console, in the order in which people meet them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONSOLE: Final = "/console"


@dataclass(frozen=True, slots=True)
class Section:
    """A page of the menu. `name` is that of its text under `menu.`."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """Sections that belong together; `name` is that of their text under `menu.group_`."""

    name: str
    sections: tuple[Section, ...]


def _sections(*names: str) -> tuple[Section, ...]:
    return tuple(Section(f"{CONSOLE}/{name}", name) for name in names)


_OVERVIEW: Final = Group("see", (Section(CONSOLE, "overview"), *_sections("usage", "requests", "models", "playground")))
_ACCESS: Final = Group("access", _sections("keys", "applications"))
_CONTROL: Final = Group("control", _sections("budgets", "alerts", "webhooks", "reports"))
_PERSON: Final = Group("person", _sections("profile", "security", "sessions", "data"))
_ADMIN: Final = Group(
    "admin",
    tuple(
        Section(f"{CONSOLE}/admin/{name}", f"admin_{name}")
        for name in ("people", "organizations", "providers", "catalog", "audit")
    ),
)
_DOCS: Final = Group("programs", (Section("/docs", "docs"),))
_LEAVE: Final = Group("leave", (Section("/logout", "logout"),))


def menu(*, is_admin: bool = False, shows_docs: bool = False) -> tuple[Group, ...]:
    """Return what a person is shown."""
    docs, admin = [_DOCS] if shows_docs else [], [_ADMIN] if is_admin else []
    return (_OVERVIEW, _ACCESS, _CONTROL, *docs, *admin, _PERSON, _LEAVE)
