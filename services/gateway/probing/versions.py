"""Which versions are probed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.gateway.clients.catalog import Catalog, Model
from services.gateway.probing.probe import Version

CHAT: Final = "chat"
# A provider of what was named and is not there: its probes are refused, which is how somebody hears of it.
UNKNOWN: Final = "unknown"


def versions_of(catalog: Catalog, named: Sequence[str], now: datetime) -> tuple[Version, ...]:
    """Return the versions of these names, each once; with no names all that chat, have a price and have not ended."""
    if not named:
        return tuple([_version(model) for model in catalog.models if _is_served(model, now)])
    return tuple(dict.fromkeys([_named(catalog, name) for name in named]))


def _version(model: Model) -> Version:
    return Version(model.provider, model.id)


def _is_served(model: Model, now: datetime) -> bool:
    is_over = model.shutdown_at is not None and model.shutdown_at <= now
    return model.kind == CHAT and not is_over and model.known_price_at(now) is not None


def _named(catalog: Catalog, name: str) -> Version:
    model = catalog.find(name)
    return Version(UNKNOWN, name) if model is None else _version(model)
