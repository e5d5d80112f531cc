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


def _group(name: str, *sections: str) -> Group:
    return Group(name, tuple(Section(f"{CONSOLE}/{section}", section) for section in sections))


_OVERVIEW: Final = Group("see", (Section(CONSOLE, "overview"), Section(f"{CONSOLE}/usage", "usage")))
_ACCESS: Final = _group("access", "keys", "applications")
_PERSON: Final = _group("person", "profile", "security", "sessions", "data")
_LEAVE: Final = Group("leave", (Section("/logout", "logout"),))


def menu() -> tuple[Group, ...]:
    """Return what a person is shown."""
    return (_OVERVIEW, _ACCESS, _PERSON, _LEAVE)
