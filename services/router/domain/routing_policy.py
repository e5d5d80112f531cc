"""Which models may answer a request, best first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from servicekit.errors import ErrorReason, PermissionDenied
from services.router.domain.catalog import Catalog, Model

MAX_CANDIDATES = 4


def candidates(
    catalog: Catalog, asked: Model, now: datetime, allowed: Collection[str] = frozenset()
) -> Sequence[Model]:
    """Return the asked model, then its fallbacks: in the catalogue's order, higher priority first.

    A fallback that is unknown, of another kind, switched off or shut down is left out; so is one that would
    ask the provider for the very same model again, or that is not among `allowed` (ids or aliases; empty: all are).

    Raises:
        PermissionDenied: the asked model itself is not allowed.
    """
    if not _is_allowed(asked, allowed):
        text = f"This credential may not use the model '{asked.id}'."
        raise PermissionDenied(ErrorReason.MODEL_NOT_ALLOWED, text, param="model")
    chosen = [asked]
    seen = {(asked.provider, asked.resolved_model)}
    known = [
        model for name in asked.fallbacks if (model := catalog.find(name)) is not None and _is_allowed(model, allowed)
    ]
    # sorted() is stable: among equals the order written in the catalogue stays.
    for model in sorted(known, key=lambda fallback: -fallback.priority):
        target = (model.provider, model.resolved_model)
        if target not in seen and model.kind == asked.kind and model.is_served(now):
            seen.add(target)
            chosen.append(model)
    return chosen[:MAX_CANDIDATES]


def _is_allowed(model: Model, allowed: Collection[str]) -> bool:
    return not allowed or model.id in allowed or any(alias in allowed for alias in model.aliases)
