"""What a form says: as it was typed, or as things are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.clients.oauth_views import Params


@dataclass(frozen=True, slots=True)
class Draft:
    """Fields by name, in their order; a name may come several times."""

    pairs: Params

    def one(self, name: str) -> str:
        """Return a field without the blanks around it; "" when it is absent."""
        return next((value.strip() for given, value in self.pairs if given == name), "")

    def every(self, name: str) -> list[str]:
        """Return what a field says that may come several times, without what says nothing."""
        return [value.strip() for given, value in self.pairs if given == name and value.strip()]

    def lines(self, name: str) -> list[str]:
        """Return the lines of a text, and what commas part in them, without empty ones."""
        parts = self.one(name).replace(",", "\n").splitlines()
        return [part.strip() for part in parts if part.strip()]


def changed(says: Mapping[str, Any], was: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that say otherwise than before; the order within a list says nothing."""
    return {name: value for name, value in says.items() if _unordered(value) != _unordered(was[name])}


def _unordered(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def draft_of(**fields: str | Iterable[str]) -> Draft:
    """Return a form that says these things; of a list, each value is a field."""
    pairs = []
    for name, value in fields.items():
        values = [value] if isinstance(value, str) else value
        pairs += [(name, each) for each in values]
    return Draft(pairs)
