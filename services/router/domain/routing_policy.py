"""Which models may answer a request, best first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.router.domain.catalog import Catalog, Model

MAX_CANDIDATES = 4


def candidates(catalog: Catalog, asked: Model, now: datetime) -> Sequence[Model]:
    """Return the asked model, then its fallbacks: in the catalogue's order, higher priority first.

    A fallback that is unknown, of another kind, switched off or shut down is left out; so is one that would
    ask the provider for the very same model again.
    """
    chosen = [asked]
    seen = {(asked.provider, asked.resolved_model)}
    known = [model for name in asked.fallbacks if (model := catalog.find(name)) is not None]
    # sorted() is stable: among equals the order written in the catalogue stays.
    for model in sorted(known, key=lambda fallback: -fallback.priority):
        target = (model.provider, model.resolved_model)
        if target not in seen and model.kind == asked.kind and model.is_served(now):
            seen.add(target)
            chosen.append(model)
    return chosen[:MAX_CANDIDATES]
